using System.Runtime.CompilerServices;
using Hv.Backends.Vmx.Silicon.Exit;
using Hv.Backends.Vmx.Silicon.Fields;
using Hv.Core;
using Hv.Core.Exits;
using Hv.Core.Registers;
using static Hv.Backends.Vmx.Silicon.RegisterBits;

namespace Hv.Backends.Vmx.Hypervisor.Capture;

/// <summary>VMCS exit fields in, neutral exit out.</summary>
[SkipLocalsInit]
public sealed class VmxExitCapture : IExitCapture<VmxExitRecord>
{
    private const uint EntryFailure = 1u << 31;
    private const byte PageFault = 14;

    private VmxExitCapture() { }

    /// <inheritdoc/>
    public static void Capture(in VmxExitRecord raw, out VmExit exit)
    {
        var reason = (VmxExitReason)(ushort)raw.Reason;
        if ((raw.Reason & EntryFailure) != 0)
        {
            VmExit.Plain(ExitReason.EntryFailed, Site(raw), new RawExit(raw.Reason, raw.Qualification, 0), out exit);
            return;
        }

        switch (reason)
        {
            case VmxExitReason.Vmcall:
                Plain(ExitReason.Hypercall, raw, out exit);
                return;
            case VmxExitReason.IoInstruction:
                PortIo(raw, out exit);
                return;
            case VmxExitReason.Rdmsr:
                VmExit.FromMsrRead(Site(raw), Raw(raw), (uint)raw.Rcx, out exit);
                return;
            case VmxExitReason.Wrmsr:
                VmExit.FromMsrWrite(Site(raw), Raw(raw), (uint)raw.Rcx, (raw.Rdx << 32) | (uint)raw.Rax, out exit);
                return;
            case VmxExitReason.Cpuid:
                VmExit.FromCpuid(Site(raw), Raw(raw), (uint)raw.Rax, (uint)raw.Rcx, out exit);
                return;
            case VmxExitReason.Hlt:
                Halt(raw, out exit);
                return;
            case VmxExitReason.EptViolation:
                Memory(raw, out exit);
                return;
            case VmxExitReason.ExceptionOrNmi:
                Exception(raw, out exit);
                return;
            case VmxExitReason.ExternalInterrupt:
                Plain(ExitReason.Cancelled, raw, out exit);
                return;
            case VmxExitReason.PreemptionTimer:
                Plain(ExitReason.BudgetExpired, raw, out exit);
                return;
            case VmxExitReason.InterruptWindow:
                Plain(ExitReason.InterruptWindow, raw, out exit);
                return;
            case VmxExitReason.TripleFault:
                Plain(ExitReason.Shutdown, raw, out exit);
                return;
            case VmxExitReason.EptMisconfiguration:
                VmExit.Plain(ExitReason.InternalError, Site(raw), new RawExit(raw.Reason, raw.Qualification, raw.GuestPhysicalAddress), out exit);
                return;
            default:
                Plain(ExitReason.Unknown, raw, out exit);
                return;
        }
    }

    private static void Plain(ExitReason reason, in VmxExitRecord raw, out VmExit exit) =>
        VmExit.Plain(reason, Site(raw), Raw(raw), out exit);

    private static RawExit Raw(in VmxExitRecord raw) => new(raw.Reason, raw.Qualification, raw.InstructionInfo);

    // SDM 3C table 28-5.
    private static void PortIo(in VmxExitRecord raw, out VmExit exit)
    {
        byte size = (byte)((raw.Qualification & 7) + 1);
        bool isWrite = (raw.Qualification & (1 << 3)) == 0, isString = (raw.Qualification & (1 << 4)) != 0;
        ulong value = !isWrite ? 0 : (isString ? raw.OperandValue : raw.Rax) & (ulong.MaxValue >> (64 - (8 * size)));
        VmExit.FromPortIo(Site(raw), Raw(raw), new PortIoExit((ushort)(raw.Qualification >> 16), size, isWrite, (uint)value, isString), out exit);
    }

    private static void Halt(in VmxExitRecord raw, out VmExit exit)
    {
        ExitSite site = Site(raw);
        ulong next = site.Rip + raw.InstructionLength;
        bool is64 = (site.Mode & GuestMode.Code64) != 0;
        VmExit.Plain(ExitReason.Halt, site with { Rip = is64 ? next : (site.Mode & GuestMode.Code32) != 0 ? (uint)next : (ushort)next },
            Raw(raw), out exit);
    }

    // SDM 3C table 28-7: bit 0 read, 1 write, 2 fetch; a read-modify-write access sets 0 and 1.
    private static void Memory(in VmxExitRecord raw, out VmExit exit)
    {
        bool isFetch = (raw.Qualification & 4) != 0;
        bool isWrite = (raw.Qualification & 3) == 3 ? raw.OperandIsStore : (raw.Qualification & 2) != 0;
        var payload = new MemoryExit(new Gpa(raw.GuestPhysicalAddress), raw.OperandSize, isWrite, isFetch, isWrite ? raw.OperandValue : 0);
        VmExit.FromMemory(Site(raw), new RawExit(raw.Reason, raw.Qualification, raw.GuestPhysicalAddress), payload, out exit);
    }

    // SDM 3C table 25-19. An NMI is the host's, which nothing here raises.
    private static void Exception(in VmxExitRecord raw, out VmExit exit)
    {
        var info = new InterruptionInfo(raw.InterruptionInfo);
        var numbers = new RawExit(raw.Reason, raw.Qualification, raw.InterruptionInfo);
        bool isException = info.Type is InterruptionType.HardwareException or InterruptionType.SoftwareException
            or InterruptionType.PrivilegedSoftwareException;
        if (!info.IsValid || !isException)
        {
            VmExit.Plain(ExitReason.Unknown, Site(raw), numbers, out exit);
            return;
        }

        VmExit.FromException(Site(raw), numbers,
            new ExceptionExit(info.Vector, info.HasErrorCode, info.HasErrorCode ? raw.InterruptionErrorCode : 0,
                info.Vector == PageFault ? raw.Qualification : 0), out exit);
    }

    private static ExitSite Site(in VmxExitRecord raw)
    {
        GuestMode mode = GuestMode.Real;
        if ((raw.Cr0 & Cr0Pe) != 0)
            mode |= GuestMode.Protected;
        if ((raw.EntryControls & (uint)EntryControl.Ia32eModeGuest) != 0)
            mode |= GuestMode.LongModeActive | ((raw.CsAccessRights & SegmentRegister.LongBit) != 0 ? GuestMode.Code64 : 0);
        if ((raw.CsAccessRights & SegmentRegister.DefaultBit) != 0)
            mode |= GuestMode.Code32;
        if ((raw.Rflags & RflagsVm) != 0)
            mode |= GuestMode.Virtual8086;
        // CPL is the DPL of SS (SDM 3C 25.4.1).
        return new ExitSite(raw.Rip, (byte)raw.InstructionLength, mode, (byte)((raw.SsAccessRights >> 5) & 3));
    }
}
