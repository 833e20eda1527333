using System.Runtime.CompilerServices;
using Hv.Core.Cpuid;
using Hv.Core.Registers;
using Hv.Cpu.Decode;
using Hv.Cpu.Execute;
using Hv.Cpu.State;
using Hv.Cpu.Virtualization;

namespace Hv.Cpu.System;

/// <summary>Instructions that are little more than their event: CPUID, HLT, RDMSR, WRMSR, RDTSC, INVLPG, INT, IRET and their kind. Checks that both
/// manuals place before an exit are here.</summary>
internal static class EventInstructions
{
    [MethodImpl(Threading.Handler)]
    public static void Cpuid(ref CpuState s, ref Op op, Processor p)
    {
        p.Describe(ref s, ref op, CpuEventKind.Cpuid);
        Threading.Answer(ref s, ref op, p);
    }

    public static void Pause(ref CpuState s, ref Op op, Processor p) => p.Leave(ref s, ref op, CpuEventKind.Pause);

    public static void Rsm(ref CpuState s, ref Op op, Processor p) => p.Leave(ref s, ref op, CpuEventKind.Rsm);

    public static void Hlt(ref CpuState s, ref Op op, Processor p) => Privileged(ref s, ref op, p, CpuEventKind.Hlt);

    public static void Invd(ref CpuState s, ref Op op, Processor p) => Privileged(ref s, ref op, p, CpuEventKind.Invd);

    public static void Wbinvd(ref CpuState s, ref Op op, Processor p) => Privileged(ref s, ref op, p, CpuEventKind.Wbinvd);

    [MethodImpl(Threading.Handler)]
    public static void Rdmsr(ref CpuState s, ref Op op, Processor p)
    {
        if (s.Sys.Cpl != 0)
        {
            Refuse(ref s, ref op);
            return;
        }

        p.Describe(ref s, ref op, CpuEventKind.Rdmsr);
        p.Event.Index = (uint)s.Gpr.Rcx;
        Threading.Answer(ref s, ref op, p);
    }

    [MethodImpl(Threading.Handler)]
    public static void Wrmsr(ref CpuState s, ref Op op, Processor p)
    {
        if (s.Sys.Cpl != 0)
        {
            Refuse(ref s, ref op);
            return;
        }

        p.Describe(ref s, ref op, CpuEventKind.Wrmsr);
        p.Event.Index = (uint)s.Gpr.Rcx;
        p.Event.Value = s.Gpr.Rdx << 32 | (uint)s.Gpr.Rax;
        Threading.Answer(ref s, ref op, p);
    }

    public static void Invlpg(ref CpuState s, ref Op op, Processor p)
    {
        ulong linear = OperandEvents.Linear(ref s, (SegmentNumber)op.Segment, p.EffectiveAddress(ref s, ref op));
        if (Privileged(ref s, ref op, p, CpuEventKind.Invlpg))
            p.Event.Address = linear;
    }

    public static void Rdtsc(ref CpuState s, ref Op op, Processor p) => TimeStampRead(ref s, ref op, p, CpuEventKind.Rdtsc);

    public static void Rdtscp(ref CpuState s, ref Op op, Processor p)
    {
        Faults.Begin(ref s, ref op);
        if (ProcessorFeatures.HasRdtscp(p.Cpuid))
            TimeStampRead(ref s, ref op, p, CpuEventKind.Rdtscp);
        else
            Faults.Undefined(ref s);
    }

    public static void Rdpmc(ref CpuState s, ref Op op, Processor p)
    {
        Faults.Begin(ref s, ref op);
        if (s.Sys.Cpl != 0 && (s.Sys.Cr4 & ControlBits.Pce) == 0)
        {
            Faults.GeneralProtection(ref s);
            return;
        }

        p.Leave(ref s, ref op, CpuEventKind.Rdpmc);
        p.Event.Index = (uint)s.Gpr.Rcx;
    }

    public static void Monitor(ref CpuState s, ref Op op, Processor p) => MonitorOrWait(ref s, ref op, p, CpuEventKind.Monitor, 0);

    /// <summary>ECX bit 0 (interrupts break the wait even if masked) is the only extension (SDM 2B MWAIT).</summary>
    public static void Mwait(ref CpuState s, ref Op op, Processor p) => MonitorOrWait(ref s, ref op, p, CpuEventKind.Mwait, 1);

    [MethodImpl(Threading.Handler)]
    public static void Vendor(ref CpuState s, ref Op op, Processor p)
    {
        OperandEvents.Describe(ref s, ref op, p, CpuEventKind.VendorInstruction);
        p.Event.Instruction = (VendorInstruction)op.Immediate;
        p.Event.Index = (uint)OpAccess.Number(ref op);
        Threading.Answer(ref s, ref op, p);
    }

    public static void Iret(ref CpuState s, ref Op op, Processor p)
    {
        p.Leave(ref s, ref op, CpuEventKind.Iret);
        p.Event.Size = (byte)OpAccess.Size(ref op);
    }

    /// <summary>INT n is IOPL-sensitive in virtual-8086 mode (SDM 3B 21.3).</summary>
    public static void Int(ref CpuState s, ref Op op, Processor p)
    {
        Faults.Begin(ref s, ref op);
        if (Modes.IsVm86(ref s) && Modes.Iopl(ref s) != 3)
        {
            Faults.GeneralProtection(ref s);
            return;
        }

        p.Leave(ref s, ref op, CpuEventKind.SoftwareInterrupt);
        p.Event.Index = (byte)op.Immediate;
    }

    public static void Int1(ref CpuState s, ref Op op, Processor p) => SoftwareException(ref s, ref op, p, ExceptionVector.Debug);

    public static void Int3(ref CpuState s, ref Op op, Processor p) => SoftwareException(ref s, ref op, p, ExceptionVector.Breakpoint);

    public static void Into(ref CpuState s, ref Op op, Processor p)
    {
        if ((FlagWrite.Read(ref s) & Rflags.Of) != 0)
            SoftwareException(ref s, ref op, p, ExceptionVector.Overflow);
        else
            p.Finish(ref s, ref op);
    }

    /// <summary>The native CPUID: the host's table.</summary>
    public static CpuidResult Query(ref CpuState s, Processor p) =>
        p.Cpuid.Query((uint)s.Gpr.Rax, (uint)s.Gpr.Rcx, 0, s.Sys.Cr4, s.Sys.Xcr0);

    /// <summary>An exception event with a length is one that an instruction asked for: it returns past it.</summary>
    private static void SoftwareException(ref CpuState s, ref Op op, Processor p, byte vector)
    {
        p.Leave(ref s, ref op, CpuEventKind.Exception);
        p.Event.Index = vector;
    }

    private static void TimeStampRead(ref CpuState s, ref Op op, Processor p, CpuEventKind kind)
    {
        Faults.Begin(ref s, ref op);
        if (s.Sys.Cpl != 0 && (s.Sys.Cr4 & ControlBits.Tsd) != 0)
        {
            Faults.GeneralProtection(ref s);
            return;
        }

        p.Leave(ref s, ref op, kind);
        p.Event.Value = TimeStamp.Read(p);
    }

    private static void MonitorOrWait(ref CpuState s, ref Op op, Processor p, CpuEventKind kind, uint allowed)
    {
        Faults.Begin(ref s, ref op);
        if (s.Sys.Cpl != 0 || !ProcessorFeatures.HasMonitor(p.Cpuid))
            Faults.Undefined(ref s);
        else if (((uint)s.Gpr.Rcx & ~allowed) != 0)
            Faults.GeneralProtection(ref s);
        else
            p.Leave(ref s, ref op, kind);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void Refuse(ref CpuState s, ref Op op)
    {
        Faults.Begin(ref s, ref op);
        Faults.GeneralProtection(ref s);
    }

    private static bool Privileged(ref CpuState s, ref Op op, Processor p, CpuEventKind kind)
    {
        Faults.Begin(ref s, ref op);
        if (!ControlRegisterInstructions.Privileged(ref s))
            return false;
        p.Leave(ref s, ref op, kind);
        return true;
    }
}
