using Hv.Cpu.State;

namespace Hv.Cpu.System;

/// <summary>Interrupts through the real-mode vector table: four-byte far pointers at IDTR.base, no error codes (SDM 3B 21.1.4; SDM 2A INT n,
/// real-address mode).</summary>
internal static class RealModeDelivery
{
    private const ulong Cleared = Rflags.If | Rflags.Tf | Rflags.Ac | Rflags.Rf;

    public static bool TryDeliver(ref CpuState s, Processor p, in EventDelivery d)
    {
        uint entry = d.Vector * 4u;
        if (entry + 3 > s.Sys.Idtr.Limit)
            return Faults.RaiseIdt(ref s, ExceptionVector.GeneralProtection, d.Vector);
        if (!p.TryReadSystem(ref s, (uint)(s.Sys.Idtr.Base + entry), 4, out ulong pointer))
            return false;
        ulong offset = pointer & 0xFFFF;
        if (offset > s.Sys.Cs.Limit)
            return Faults.GeneralProtection(ref s);
        StackTarget stack = StackTarget.Current(ref s);
        if (!Stacks.TryPushFrame(ref s, p, in stack, [s.Gpr.Rflags, s.Sys.Cs.Selector, Exceptions.ReturnRip(ref s, in d)], 2, out ulong top))
            return false;
        s.Gpr.Rsp = top;
        s.Gpr.Rflags &= ~Cleared;
        return CodeTransfer.TryCommitFlat(ref s, p, (ushort)(pointer >> 16), offset);
    }
}
