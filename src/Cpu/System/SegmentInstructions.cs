using Hv.Core.Registers;
using Hv.Cpu.Decode;
using Hv.Cpu.State;

namespace Hv.Cpu.System;

/// <summary>MOV to and from segment registers, PUSH and POP of them, LDS LES LFS LGS LSS (SDM 2B MOV, PUSH, POP; SDM 2A LDS).</summary>
internal static class SegmentInstructions
{
    public static void MovTo(ref CpuState s, ref Op op, Processor p)
    {
        Faults.Begin(ref s, ref op);
        var number = (SegmentNumber)OpAccess.Number(ref op);
        if (!OpAccess.TryRead16(ref s, ref op, p, out ushort selector))
            return;
        ulong next = p.NextRip(ref s, ref op);
        if (!SegmentLoad.TryLoad(ref s, p, number, selector))
            return;
        s.Gpr.Rip = next;
        Shadow(ref s, number);
    }

    public static void MovFrom(ref CpuState s, ref Op op, Processor p)
    {
        Faults.Begin(ref s, ref op);
        ushort selector = Segments.Register(ref s, (SegmentNumber)OpAccess.Number(ref op)).Selector;
        if (OpAccess.TryWrite16(ref s, ref op, p, selector))
            p.Finish(ref s, ref op);
    }

    public static void Push(ref CpuState s, ref Op op, Processor p)
    {
        Faults.Begin(ref s, ref op);
        ushort selector = Segments.Register(ref s, (SegmentNumber)op.Immediate).Selector;
        int size = OpAccess.Size(ref op);
        ulong top = Stacks.Moved(ref s, (ulong)-size);

        // SDM 2B PUSH: with an operand size of 32 bits "all recent Intel Core and Intel Atom processors perform a 16-bit move"; APM 3 PUSH zero-extends.
        if (!p.TryWrite(ref s, SegmentNumber.Ss, top & Modes.StackMask(ref s), size == 4 ? 2 : size, selector))
            return;
        s.Gpr.Rsp = top;
        p.Finish(ref s, ref op);
    }

    public static void Pop(ref CpuState s, ref Op op, Processor p)
    {
        Faults.Begin(ref s, ref op);
        var number = (SegmentNumber)op.Immediate;

        // Two bytes are read whatever the operand size, as on Intel's processors: the rest of the slot may lie in a missing page.
        if (!p.TryRead(ref s, SegmentNumber.Ss, s.Gpr.Rsp & Modes.StackMask(ref s), 2, out ulong selector))
            return;
        ulong top = Stacks.Moved(ref s, (ulong)OpAccess.Size(ref op)), next = p.NextRip(ref s, ref op);
        if (!SegmentLoad.TryLoad(ref s, p, number, (ushort)selector))
            return;
        s.Gpr.Rsp = top;
        s.Gpr.Rip = next;
        Shadow(ref s, number);
    }

    /// <summary>The offset first, then the selector; the register is written only when the segment is loaded.</summary>
    public static void LoadFarPointer(ref CpuState s, ref Op op, Processor p)
    {
        Faults.Begin(ref s, ref op);
        int size = OpAccess.Size(ref op);
        ulong address = p.EffectiveAddress(ref s, ref op);
        if (!p.TryRead(ref s, (SegmentNumber)op.Segment, address, size, out ulong offset)
            || !p.TryRead(ref s, (SegmentNumber)op.Segment, OpAccess.Advance(ref op, address, size), 2, out ulong selector))
            return;
        ulong next = p.NextRip(ref s, ref op);
        if (!SegmentLoad.TryLoad(ref s, p, (SegmentNumber)op.Immediate, (ushort)selector))
            return;
        OpAccess.SetRegister(ref s, op.Reg, size, offset);
        s.Gpr.Rip = next;
    }

    /// <summary>MOV and POP of SS hold interrupts off for one instruction, so that the stack pointer can follow; LSS need not (SDM 3A
    /// 6.8.3).</summary>
    private static void Shadow(ref CpuState s, SegmentNumber number)
    {
        if (number == SegmentNumber.Ss)
            s.Sys.Shadow |= InterruptShadow.MovSs;
    }
}
