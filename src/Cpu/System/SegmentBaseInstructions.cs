using Hv.Cpu.Decode;
using Hv.Cpu.State;

namespace Hv.Cpu.System;

/// <summary>RDFSBASE, RDGSBASE, WRFSBASE, WRGSBASE, SWAPGS: 64-bit mode only (SDM 2B RDFSBASE; SDM 2B SWAPGS).</summary>
internal static class SegmentBaseInstructions
{
    public static void Read(ref CpuState s, ref Op op, Processor p)
    {
        if (!TryBegin(ref s, ref op))
            return;
        OpAccess.SetRegister(ref s, op.Rm, OpAccess.Size(ref op), IsGs(ref op) ? s.Sys.Gs.Base : s.Sys.Fs.Base);
        p.Finish(ref s, ref op);
    }

    public static void Write(ref CpuState s, ref Op op, Processor p)
    {
        if (!TryBegin(ref s, ref op))
            return;
        ulong value = OpAccess.Register(ref s, op.Rm) & OpAccess.Mask(OpAccess.Size(ref op));
        if (!Modes.IsCanonical(value))
        {
            Faults.GeneralProtection(ref s);
            return;
        }

        if (IsGs(ref op))
            s.Sys.Gs.Base = value;
        else
            s.Sys.Fs.Base = value;
        p.Finish(ref s, ref op);
        p.ModeChanged(ref s);
    }

    public static void Swapgs(ref CpuState s, ref Op op, Processor p)
    {
        Faults.Begin(ref s, ref op);
        if (!Modes.Is64(ref s))
        {
            Faults.Undefined(ref s);
        }
        else if (ControlRegisterInstructions.Privileged(ref s))
        {
            (s.Sys.Gs.Base, s.Sys.KernelGsBase) = (s.Sys.KernelGsBase, s.Sys.Gs.Base);
            p.Finish(ref s, ref op);
            p.ModeChanged(ref s);
        }
    }

    private static bool TryBegin(ref CpuState s, ref Op op)
    {
        Faults.Begin(ref s, ref op);
        return (Modes.Is64(ref s) && (s.Sys.Cr4 & ControlBits.Fsgsbase) != 0) || Faults.Undefined(ref s);
    }

    private static bool IsGs(ref Op op) => op.Immediate == (ulong)SegmentNumber.Gs;
}
