using Hv.Cpu.State;

namespace Hv.Cpu.System;

/// <summary>What the processor reads from the current TSS outside task switches: stacks for inner levels and the interrupt stack table (SDM 3A 8.2.1,
/// 8.6, 8.7).</summary>
internal static class TaskState
{
    private const uint LongIstBase = 0x24;

    /// <summary>Whether the current TSS has the 32-bit layout; false for the 16-bit one.</summary>
    public static bool Is32(ref CpuState s) => (s.Sys.Tr.Type & SystemType.WideBit) != 0;

    /// <summary>The stack that the TSS holds for <paramref name="cpl"/> (0..2), with all checks of SS; errors are #TS with the TSS's or the stack's
    /// selector.</summary>
    public static bool TryInnerStack(ref CpuState s, Processor p, int cpl, out StackTarget stack)
    {
        if (Modes.IsLong(ref s))
            return TryLongStack(ref s, p, 4 + 8 * (uint)cpl, cpl, out stack);

        stack = default;
        bool wide = Is32(ref s);
        int size = wide ? 4 : 2;
        uint offset = wide ? 4 + 8 * (uint)cpl : 2 + 4 * (uint)cpl;
        if (offset + (uint)size + 1 > s.Sys.Tr.Limit)
            return Faults.Raise(ref s, ExceptionVector.InvalidTss, s.Sys.Tr.Selector);
        if (!TryRead(ref s, p, offset, size, out ulong pointer) || !TryRead(ref s, p, offset + (uint)size, 2, out ulong selector))
            return false;
        ushort ss = (ushort)selector;
        if (DescriptorTables.IsNull(ss))
            return Faults.Raise(ref s, ExceptionVector.InvalidTss, ss);
        if (!SegmentLoad.TryCheckStack(ref s, p, ss, cpl, ExceptionVector.InvalidTss, out stack.Segment))
            return false;
        stack.Pointer = pointer;
        stack.Mask = Segments.StackMask(in stack.Segment);
        stack.ErrorSelector = ss;
        return true;
    }

    /// <summary>Stack <paramref name="index"/> (1..7) of the interrupt stack table (SDM 3A 6.14.5).</summary>
    public static bool TryInterruptStack(ref CpuState s, Processor p, int index, int cpl, out StackTarget stack) =>
        TryLongStack(ref s, p, LongIstBase + 8 * (uint)(index - 1), cpl, out stack);

    /// <summary>Reads a field of the current TSS.</summary>
    public static bool TryRead(ref CpuState s, Processor p, uint offset, int size, out ulong value)
    {
        ulong linear = s.Sys.Tr.Base + offset;
        return p.TryReadSystem(ref s, Modes.IsLong(ref s) ? linear : (uint)linear, size, out value);
    }

    private static bool TryLongStack(ref CpuState s, Processor p, uint offset, int cpl, out StackTarget stack)
    {
        stack = default;
        if (offset + 7 > s.Sys.Tr.Limit)
            return Faults.Raise(ref s, ExceptionVector.InvalidTss, s.Sys.Tr.Selector);
        if (!TryRead(ref s, p, offset, 8, out ulong pointer))
            return false;
        stack = new StackTarget { Segment = Segments.NullStack(cpl), Pointer = pointer, Mask = ulong.MaxValue, Is64 = true };
        return true;
    }
}
