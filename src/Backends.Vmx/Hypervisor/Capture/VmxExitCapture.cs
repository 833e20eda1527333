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
    public static void Capture(in VmxExitRecord raw, out VmExit exit) => Capture<VmxExitRecord>(raw, out exit);

    /// <summary>Reads <paramref name="raw"/> and nothing else, each field only where the exit has it.</summary>
    /// <typeparam name="TFields">Where the fields are.</typeparam>
    public static void Capture<TFields>(TFields raw, out VmExit exit) where TFields : struct, IVmxExitFields
    {
        uint reason = raw.Reason;
        ulong qualification = raw.Qualification;
        ExitSite site = Site(raw);
        if ((reason & EntryFailure) != 0)
        {
            VmExit.Plain(ExitReason.EntryFailed, site, new RawExit(reason, qualification, 0), out exit);
            return;
        }

        var numbers = new RawExit(reason, qualification, raw.InstructionInfo);
        switch ((VmxExitReason)(ushort)reason)
        {
            case VmxExitReason.Vmcall:
                VmExit.Plain(ExitReason.Hypercall, site, numbers, out exit);
                return;
            case VmxExitReason.IoInstruction:
                VmExit.FromPortIo(site, numbers, PortIo(raw), out exit);
                return;
            case VmxExitReason.Rdmsr:
                VmExit.FromMsrRead(site, numbers, (uint)raw.Rcx, out exit);
                return;
            case VmxExitReason.Wrmsr:
                VmExit.FromMsrWrite(site, numbers, (uint)raw.Rcx, (raw.Rdx << 32) | (uint)raw.Rax, out exit);
                return;
            case VmxExitReason.Cpuid:
                VmExit.FromCpuid(site, numbers, (uint)raw.Rax, (uint)raw.Rcx, out exit);
                return;
            case VmxExitReason.Hlt:
                VmExit.Plain(ExitReason.Halt, site with { Rip = After(site) }, numbers, out exit);
                return;
            case VmxExitReason.EptViolation:
                VmExit.FromMemory(site, numbers with { Info2 = raw.GuestPhysicalAddress }, Memory(raw), out exit);
                return;
            case VmxExitReason.ExceptionOrNmi:
                Exception(raw, site, numbers with { Info2 = raw.InterruptionInfo }, out exit);
                return;
            case VmxExitReason.ExternalInterrupt:
                VmExit.Plain(ExitReason.Cancelled, site, numbers, out exit);
                return;
            case VmxExitReason.PreemptionTimer:
                VmExit.Plain(ExitReason.BudgetExpired, site, numbers, out exit);
                return;
            case VmxExitReason.InterruptWindow:
                VmExit.Plain(ExitReason.InterruptWindow, site, numbers, out exit);
                return;
            case VmxExitReason.TripleFault:
                VmExit.Plain(ExitReason.Shutdown, site, numbers, out exit);
                return;
            case VmxExitReason.EptMisconfiguration:
                VmExit.Plain(ExitReason.InternalError, site, numbers with { Info2 = raw.GuestPhysicalAddress }, out exit);
                return;
            default:
                VmExit.Plain(ExitReason.Unknown, site, numbers, out exit);
                return;
        }
    }

    /// <summary>Where the guest is.</summary>
    public static ExitSite Site<TFields>(TFields raw) where TFields : struct, IVmxExitFields
    {
        // Each bit moved to its place: CR0.PE to Protected, the entry control to LongModeActive, CS.L, CS.D, RFLAGS.VM.
        uint cs = raw.CsAccessRights;
        uint longMode = raw.EntryControls >> 9 & 1;
        uint virtualMode = (uint)raw.Rflags >> 17 & 1;
        var mode = (GuestMode)((uint)raw.Cr0 & 1 | longMode << 1 | (cs >> 13 & longMode) << 2 | (cs >> 14 & 1) << 3 | virtualMode << 4);
        // CPL is the DPL of SS (SDM 3C 25.4.1).
        return new ExitSite(raw.Rip, (byte)raw.InstructionLength, mode, (byte)((raw.SsAccessRights >> 5) & 3));
    }

    // SDM 3C table 28-5.
    private static PortIoExit PortIo<TFields>(TFields raw) where TFields : struct, IVmxExitFields
    {
        ulong qualification = raw.Qualification;
        byte size = (byte)((qualification & 7) + 1);
        bool isWrite = (qualification & (1 << 3)) == 0, isString = (qualification & (1 << 4)) != 0;
        ulong value = !isWrite ? 0 : (isString ? raw.OperandValue : raw.Rax) & (ulong.MaxValue >> (64 - (8 * size)));
        return new PortIoExit((ushort)(qualification >> 16), size, isWrite, (uint)value, isString);
    }

    private static ulong After(ExitSite site)
    {
        ulong next = site.Rip + site.InstructionLength;
        bool is64 = (site.Mode & GuestMode.Code64) != 0;
        return is64 ? next : (site.Mode & GuestMode.Code32) != 0 ? (uint)next : (ushort)next;
    }

    // SDM 3C table 28-7: bit 0 read, 1 write, 2 fetch; a read-modify-write access sets 0 and 1.
    private static MemoryExit Memory<TFields>(TFields raw) where TFields : struct, IVmxExitFields
    {
        ulong qualification = raw.Qualification;
        bool isFetch = (qualification & 4) != 0;
        bool isWrite = (qualification & 3) == 3 ? raw.OperandIsStore : (qualification & 2) != 0;
        return new MemoryExit(new Gpa(raw.GuestPhysicalAddress), raw.OperandSize, isWrite, isFetch, isWrite ? raw.OperandValue : 0);
    }

    // SDM 3C table 25-19. An NMI is the host's, which nothing here raises.
    private static void Exception<TFields>(TFields raw, ExitSite site, RawExit numbers, out VmExit exit)
        where TFields : struct, IVmxExitFields
    {
        var info = new InterruptionInfo(raw.InterruptionInfo);
        bool isException = info.Type is InterruptionType.HardwareException or InterruptionType.SoftwareException
            or InterruptionType.PrivilegedSoftwareException;
        if (!info.IsValid || !isException)
        {
            VmExit.Plain(ExitReason.Unknown, site, numbers, out exit);
            return;
        }

        VmExit.FromException(site, numbers,
            new ExceptionExit(info.Vector, info.HasErrorCode, info.HasErrorCode ? raw.InterruptionErrorCode : 0,
                info.Vector == PageFault ? raw.Qualification : 0), out exit);
    }
}
