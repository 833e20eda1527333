using Hv.Core.Registers;
using Hv.Cpu.Decode;
using Hv.Cpu.State;

namespace Hv.Cpu.System;

/// <summary>CLI, STI, PUSHF, POPF, CLAC, STAC: the flag instructions whose effect depends on privilege (SDM 2A CLI, 2B POPF, PUSHF, STI,
/// STAC).</summary>
internal static class FlagInstructions
{
    public static void Cli(ref CpuState s, ref Op op, Processor p)
    {
        if (!TryInterruptFlag(ref s, ref op))
            return;
        p.Finish(ref s, ref op);
        FlagWrite.Change(ref s, p, FlagWrite.Read(ref s) & ~Rflags.If);
    }

    public static void Sti(ref CpuState s, ref Op op, Processor p)
    {
        if (!TryInterruptFlag(ref s, ref op))
            return;
        p.Finish(ref s, ref op);
        ulong flags = FlagWrite.Read(ref s);
        // Only a change from 0 holds interrupts off for one more instruction (SDM 3A 6.8.1), so that STI; RET and STI; HLT are safe.
        if ((flags & Rflags.If) == 0)
            s.Sys.Shadow |= InterruptShadow.Sti;
        FlagWrite.Change(ref s, p, flags | Rflags.If);
    }

    public static void Pushf(ref CpuState s, ref Op op, Processor p)
    {
        if (!TryVm86(ref s, ref op))
            return;
        int size = OpAccess.Size(ref op);
        ulong top = Stacks.Moved(ref s, (ulong)-size), image = FlagWrite.Read(ref s) & ~(Rflags.Vm | Rflags.Rf) & OpAccess.Mask(size);
        if (!p.TryWrite(ref s, SegmentNumber.Ss, top & Modes.StackMask(ref s), size, image))
            return;
        s.Gpr.Rsp = top;
        p.Finish(ref s, ref op);
    }

    public static void Popf(ref CpuState s, ref Op op, Processor p)
    {
        if (!TryVm86(ref s, ref op))
            return;
        int size = OpAccess.Size(ref op);
        if (!p.TryRead(ref s, SegmentNumber.Ss, s.Gpr.Rsp & Modes.StackMask(ref s), size, out ulong value))
            return;
        ulong mask = (Rflags.Arithmetic | Rflags.Tf | Rflags.Df | Rflags.Nt | Rflags.Ac | Rflags.Id | Rflags.Rf) & OpAccess.Mask(size);
        if (s.Sys.Cpl == 0)
            mask |= Rflags.Iopl;
        if (s.Sys.Cpl <= Modes.Iopl(ref s))
            mask |= Rflags.If;
        s.Gpr.Rsp = Stacks.Moved(ref s, (ulong)size);
        p.Finish(ref s, ref op);
        // A popped RF is dropped: it would suppress the next instruction's breakpoint (SDM 2B POPF).
        FlagWrite.Change(ref s, p, FlagWrite.Read(ref s) & ~mask | value & mask & ~Rflags.Rf);
    }

    public static void Clac(ref CpuState s, ref Op op, Processor p) => AlignmentFlag(ref s, ref op, p, 0);

    public static void Stac(ref CpuState s, ref Op op, Processor p) => AlignmentFlag(ref s, ref op, p, Rflags.Ac);

    private static void AlignmentFlag(ref CpuState s, ref Op op, Processor p, ulong value)
    {
        Faults.Begin(ref s, ref op);
        if (s.Sys.Cpl != 0)
        {
            Faults.Undefined(ref s);
            return;
        }

        p.Finish(ref s, ref op);
        FlagWrite.Change(ref s, p, FlagWrite.Read(ref s) & ~Rflags.Ac | value);
    }

    /// <summary>CLI and STI need CPL at most IOPL; virtual-8086 code, at CPL 3, thus needs IOPL 3. (VME and PVI are not offered.)</summary>
    private static bool TryInterruptFlag(ref CpuState s, ref Op op)
    {
        Faults.Begin(ref s, ref op);
        return Modes.IsReal(ref s) || s.Sys.Cpl <= Modes.Iopl(ref s) || Faults.GeneralProtection(ref s);
    }

    /// <summary>PUSHF and POPF are IOPL-sensitive in virtual-8086 mode only (SDM 3B 21.2.7).</summary>
    private static bool TryVm86(ref CpuState s, ref Op op)
    {
        Faults.Begin(ref s, ref op);
        return !Modes.IsVm86(ref s) || Modes.Iopl(ref s) == 3 || Faults.GeneralProtection(ref s);
    }
}
