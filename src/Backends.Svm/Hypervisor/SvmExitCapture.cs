using System.Runtime.CompilerServices;
using Hv.Backends.Svm.Silicon;
using Hv.Core;
using Hv.Core.Exits;

namespace Hv.Backends.Svm.Hypervisor;

/// <summary>Turns a VMCB after #VMEXIT into the neutral exit. Pure and total: a code that has no neutral meaning is
/// <see cref="ExitReason.Unknown"/>.</summary>
[SkipLocalsInit]
public sealed class SvmExitCapture : IExitCapture<SvmRawExit>
{
    private SvmExitCapture() { }

    /// <inheritdoc/>
    public static void Capture(in SvmRawExit raw, out VmExit exit)
    {
        ref readonly VmcbControl control = ref raw.Vmcb.Control;
        var numbers = new RawExit((ulong)control.ExitCode, control.ExitInfo1, control.ExitInfo2);
        ExitSite site = SiteOf(raw.Vmcb);
        switch (control.ExitCode)
        {
            case SvmExitCode.VMMCALL:
                VmExit.Plain(ExitReason.Hypercall, site, numbers, out exit);
                return;
            case SvmExitCode.IOIO:
                FromIo(raw, site, numbers, out exit);
                return;
            case SvmExitCode.MSR:
                FromMsr(raw, site, numbers, out exit);
                return;
            case SvmExitCode.CPUID:
                VmExit.FromCpuid(site, numbers, (uint)raw.Vmcb.Save.Rax, (uint)raw.Registers.Rcx, out exit);
                return;
            case SvmExitCode.NPF:
                FromNestedFault(raw, site, numbers, out exit);
                return;
            case SvmExitCode.HLT:
                VmExit.Plain(ExitReason.Halt, site with { Rip = AfterInstruction(raw.Vmcb, site) }, numbers, out exit);
                return;
            case SvmExitCode.SHUTDOWN:
                VmExit.Plain(ExitReason.Shutdown, site, numbers, out exit);
                return;
            case SvmExitCode.INTR:
                VmExit.Plain(ExitReason.Cancelled, site, numbers, out exit);
                return;
            case SvmExitCode.VINTR:
                VmExit.Plain(ExitReason.InterruptWindow, site, numbers, out exit);
                return;
            case SvmExitCode.INVALID:
                VmExit.Plain(ExitReason.EntryFailed, site, numbers, out exit);
                return;
            case >= SvmExitCode.EXCP0 and < SvmExitCode.EXCP0 + 32:
                FromException(raw, site, numbers, out exit);
                return;
            default:
                VmExit.Plain(ExitReason.Unknown, site, numbers, out exit);
                return;
        }
    }

    /// <summary>Where the guest is.</summary>
    public static ExitSite SiteOf(in Vmcb vmcb) =>
        new(vmcb.Save.Rip, InstructionLength(vmcb.Control, vmcb.Save.Rip), ModeOf(vmcb.Save), (byte)(vmcb.Save.Cpl & 3));

    /// <summary>RIP past the instruction that exited: nRIP, or where the processor saves none, RIP and the length that is known from the
    /// code.</summary>
    public static ulong AfterInstruction(in Vmcb vmcb, ExitSite site)
    {
        if (vmcb.Control.NextRip != 0)
            return vmcb.Control.NextRip;
        ulong next = site.Rip + site.InstructionLength;
        return (site.Mode & GuestMode.Code64) != 0 ? next : (uint)next;
    }

    // Without nRIP the length is fixed for instructions that take no prefix in practice (APM 2 15.7.1 tells hypervisors to decode otherwise);
    // EXITINFO2 of IOIO is the next RIP in any case. nRIP is 0 for exits that are not an instruction's.
    private static byte InstructionLength(in VmcbControl control, ulong rip)
    {
        ulong next = control.ExitCode == SvmExitCode.IOIO ? control.ExitInfo2 : control.NextRip;
        if (next != 0)
            return (byte)((next - rip) & 0xF);
        return control.ExitCode switch
        {
            SvmExitCode.VMMCALL => 3,
            SvmExitCode.CPUID or SvmExitCode.MSR => 2,
            SvmExitCode.HLT => 1,
            _ => 0,
        };
    }

    private static GuestMode ModeOf(in VmcbSave save)
    {
        // Each bit moved to its place: CR0.PE to Protected, EFER.LMA to LongModeActive, CS.L, CS.D, RFLAGS.VM.
        uint cs = save.Cs.Attributes;
        uint longMode = (uint)save.Efer >> 10 & 1;
        return (GuestMode)((uint)save.Cr0 & 1 | longMode << 1 | (cs >> 9 & longMode) << 2 | (cs >> 10 & 1) << 3 | ((uint)save.Rflags >> 17 & 1) << 4);
    }

    private static void FromIo(in SvmRawExit raw, ExitSite site, RawExit numbers, out VmExit exit)
    {
        var io = new IoInformation(numbers.Info1);
        if (io.Size is not (1 or 2 or 4))
        {
            VmExit.Plain(ExitReason.Unknown, site, numbers, out exit);
            return;
        }

        ulong value = io.IsIn ? 0 : io.IsString ? raw.Operand.Value : raw.Vmcb.Save.Rax;
        uint mask = uint.MaxValue >> (32 - 8 * io.Size);
        VmExit.FromPortIo(site, numbers, new PortIoExit(io.Port, io.Size, !io.IsIn, (uint)value & mask, io.IsString), out exit);
    }

    private static void FromMsr(in SvmRawExit raw, ExitSite site, RawExit numbers, out VmExit exit)
    {
        uint index = (uint)raw.Registers.Rcx;
        if (numbers.Info1 == 0)
            VmExit.FromMsrRead(site, numbers, index, out exit);
        else if (numbers.Info1 == 1)
            VmExit.FromMsrWrite(site, numbers, index, raw.Registers.Rdx << 32 | (uint)raw.Vmcb.Save.Rax, out exit);
        else
            VmExit.Plain(ExitReason.Unknown, site, numbers, out exit);
    }

    private static void FromNestedFault(in SvmRawExit raw, ExitSite site, RawExit numbers, out VmExit exit)
    {
        var fault = (NestedFault)numbers.Info1;
        bool isFetch = (fault & NestedFault.Fetch) != 0;
        bool isWrite = (fault & NestedFault.Write) != 0 && !isFetch && raw.Operand.IsWrite;
        ulong value = isWrite ? raw.Operand.Value : 0;
        VmExit.FromMemory(site, numbers, new MemoryExit(new Gpa(numbers.Info2), raw.Operand.Size, isWrite, isFetch, value), out exit);
    }

    private static void FromException(in SvmRawExit raw, ExitSite site, RawExit numbers, out VmExit exit)
    {
        byte vector = (byte)(numbers.Code - (ulong)SvmExitCode.EXCP0);
        bool hasErrorCode = ExceptionVectors.PushErrorCode(vector);
        uint errorCode = hasErrorCode ? (uint)numbers.Info1 : 0;
        ulong address = vector == ExceptionVectors.PageFault ? numbers.Info2 : 0;
        VmExit.FromException(site, numbers, new ExceptionExit(vector, hasErrorCode, errorCode, address), out exit);
    }
}
