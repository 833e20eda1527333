using System.Runtime.CompilerServices;
using Hv.Cpu.State;
using Hv.Cpu.Virtualization;

namespace Hv.Backends.Svm.Silicon;

/// <summary>What a #VMEXIT will write: the code, its two words, and whether nRIP is saved.</summary>
/// <param name="Code">EXITCODE.</param>
/// <param name="Info1">EXITINFO1.</param>
/// <param name="Info2">EXITINFO2.</param>
/// <param name="SavesNextRip">Whether the exit is an instruction's, so that nRIP is its end and not 0 (APM 2 15.7.1).</param>
[method: MethodImpl(MethodImplOptions.AggressiveInlining)]
public readonly record struct ExitRecord(SvmExitCode Code, ulong Info1, ulong Info2, bool SavesNextRip);

/// <summary>Decides from the VMCB's control area which events leave the guest, and with what words. Reads only; the rules are APM 2 15.7 to
/// 15.14.</summary>
[SkipLocalsInit]
public static class Interception
{
    private const ulong CrTsMp = 0b1010;
    private const ulong MovBit = 1ul << 63;

    /// <summary>Whether <paramref name="e"/> leaves the guest. Nested page faults are not decided here: <see cref="NestedFaultRecord"/>.</summary>
    /// <param name="control">The control area.</param>
    /// <param name="s">The guest's state, RIP on the instruction.</param>
    /// <param name="e">The event.</param>
    /// <param name="memory">Where the permission maps lie.</param>
    /// <param name="decodeAssists">Whether the processor fills in operands (CPUID 8000_000AH:EDX[7]).</param>
    /// <param name="exit">The exit, when it does.</param>
    public static bool Decide(in VmcbControl control, in CpuState s, in CpuEvent e, HostMemory memory, bool decodeAssists, out ExitRecord exit)
    {
        ref readonly InstructionIntercept row = ref InstructionIntercepts.Of(e);
        if (row.Code != 0)
        {
            exit = new ExitRecord(row.Code, decodeAssists ? Operand(e) : 0, 0, true);
            return row.IsSet(control);
        }

        switch (e.Kind)
        {
            case CpuEventKind.Rdmsr or CpuEventKind.Wrmsr:
                bool isWrite = e.Kind == CpuEventKind.Wrmsr;
                exit = new ExitRecord(SvmExitCode.MSR, isWrite ? 1u : 0, 0, true);
                return (control.Intercepts1 & Intercepts1.MsrProt) != 0
                    && MsrPermissionMap.Intercepts(memory, new Hpa(control.MsrpmBasePa), e.Index, isWrite);

            case CpuEventKind.PortIo or CpuEventKind.StringIo:
                exit = new ExitRecord(SvmExitCode.IOIO, IoInfo(s, e).Value, NextRip.Of(s, e.Length), true);
                return (control.Intercepts1 & Intercepts1.IoioProt) != 0
                    && IoPermissionMap.Intercepts(memory, new Hpa(control.IopmBasePa), e.Port.Port, e.Port.Size);

            case CpuEventKind.CrRead or CpuEventKind.CrWrite or CpuEventKind.Smsw or CpuEventKind.Lmsw or CpuEventKind.Clts:
                return Control(control, s, e, decodeAssists, out exit);

            case CpuEventKind.DrRead:
                exit = new ExitRecord(SvmExitCode.DR0_READ + (e.Index & 0xF), decodeAssists ? e.Register : 0u, 0, true);
                return (control.InterceptDrReads >> (int)(e.Index & 0xF) & 1) != 0;

            case CpuEventKind.DrWrite:
                exit = new ExitRecord(SvmExitCode.DR0_WRITE + (e.Index & 0xF), decodeAssists ? e.Register : 0u, 0, true);
                return (control.InterceptDrWrites >> (int)(e.Index & 0xF) & 1) != 0;

            case CpuEventKind.Exception:
                return Exception(control, e, out exit);

            case CpuEventKind.TaskSwitch:
                exit = new ExitRecord(SvmExitCode.TASK_SWITCH, e.Index & 0xFFFF, TaskSwitchInfo(s, e), false);
                return (control.Intercepts1 & Intercepts1.TaskSwitch) != 0;

            case CpuEventKind.TripleFault:
                exit = new ExitRecord(SvmExitCode.SHUTDOWN, 0, 0, false);
                return (control.Intercepts1 & Intercepts1.Shutdown) != 0;

            case CpuEventKind.Pause:
                exit = new ExitRecord(SvmExitCode.PAUSE, 0, 0, true);
                return (control.Intercepts1 & Intercepts1.Pause) != 0;

            default:
                exit = default;
                return false;
        }
    }

    /// <summary>The exit of a refused nested translation (APM 2 15.25.6). Which walk it was is added to the walker's bits here.</summary>
    public static ExitRecord NestedFaultRecord(NestedFault fault, bool isGuestTable, ulong guestPhysical) =>
        new(SvmExitCode.NPF, (ulong)(fault | (isGuestTable ? NestedFault.GuestTable : NestedFault.FinalAddress)), guestPhysical, false);

    // APM 2 15.33.1 (decode assists): INTn's vector, INVLPG's and INVLPGA's address.
    private static ulong Operand(in CpuEvent e) => e.Kind switch
    {
        CpuEventKind.SoftwareInterrupt => e.Index & 0xFF,
        CpuEventKind.Invlpg => e.Address,
        _ => 0,
    };

    private static IoInformation IoInfo(in CpuState s, in CpuEvent e)
    {
        bool isString = e.Kind == CpuEventKind.StringIo;
        byte addressSize = isString ? e.AddressSize : (byte)(NextRip.CodeBits(s) / 8);
        return IoInformation.Of(e.Port.Port, !e.Port.IsWrite, e.Port.Size, addressSize, isString, isString && e.IsRep, isString ? e.Segment : (byte)0);
    }

    // APM 2 15.8: MOV, LMSW, CLTS and SMSW meet the CR0 bits; only MOV names its register. A selective write intercept asks what changes besides
    // TS and MP; LMSW counts, CLTS cannot.
    private static bool Control(in VmcbControl control, in CpuState s, in CpuEvent e, bool decodeAssists, out ExitRecord exit)
    {
        bool isMov = e.Kind is CpuEventKind.CrRead or CpuEventKind.CrWrite;
        int number = isMov ? (int)e.Index & 0xF : 0;
        ulong operand = isMov && decodeAssists ? MovBit | e.Register : 0;
        if (e.Kind is CpuEventKind.CrRead or CpuEventKind.Smsw)
        {
            exit = new ExitRecord(SvmExitCode.CR0_READ + number, operand, 0, true);
            return (control.InterceptCrReads >> number & 1) != 0;
        }

        bool selective = (control.Intercepts1 & Intercepts1.Cr0SelectiveWrite) != 0 && number == 0 && ChangesMoreThanTsAndMp(s.Sys.Cr0, e);
        exit = new ExitRecord(selective ? SvmExitCode.CR0_SEL_WRITE : SvmExitCode.CR0_WRITE + number, operand, 0, true);
        return selective || (control.InterceptCrWrites >> number & 1) != 0;
    }

    private static bool ChangesMoreThanTsAndMp(ulong cr0, in CpuEvent e) => e.Kind switch
    {
        CpuEventKind.CrWrite => ((cr0 ^ e.Value) & ~CrTsMp) != 0,
        // LMSW writes bits 3:0 and cannot clear PE (APM 3 LMSW).
        CpuEventKind.Lmsw => ((cr0 ^ (e.Value | cr0 & 1)) & 0xF & ~CrTsMp) != 0,
        _ => false,
    };

    // APM 2 15.12: INT3 and INTO are exceptions 3 and 4, of which alone nRIP is saved; INT1 has an intercept of its own, which comes before that
    // of #DB.
    private static bool Exception(in VmcbControl control, in CpuEvent e, out ExitRecord exit)
    {
        bool isInt1 = e.Index == ExceptionVectors.Debug && e.Length != 0;
        if (isInt1 && (control.Intercepts2 & Intercepts2.Icebp) != 0)
        {
            exit = new ExitRecord(SvmExitCode.ICEBP, 0, 0, true);
            return true;
        }

        byte vector = (byte)(e.Index & 31);
        ulong info2 = vector == ExceptionVectors.PageFault ? e.Address : 0;
        exit = new ExitRecord(SvmExitCode.EXCP0 + vector, e.HasErrorCode ? e.Value : 0, info2, e.Length != 0);
        return (control.InterceptExceptions >> vector & 1) != 0;
    }

    // APM 2 15.14.1: bit 36 IRET, bit 38 far jump, bit 44 an error code is to be pushed, bit 48 RF.
    private static ulong TaskSwitchInfo(in CpuState s, in CpuEvent e) =>
        (e.HasErrorCode ? 1ul << 44 | (uint)e.Address : 0)
        | (e.Value == 1 ? 1ul << 36 : 0) | (e.Value == 2 ? 1ul << 38 : 0) | (s.Gpr.Rflags >> 16 & 1) << 48;
}
