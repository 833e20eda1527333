using Hv.Core.Registers;
using Hv.Cpu.State;

namespace Hv.Cpu.System;

/// <summary>A stack that a transfer is about to push to: the present one, or one that a TSS named and that is not loaded yet.</summary>
internal struct StackTarget
{
    public SegmentRegister Segment;
    public ulong Pointer, Mask;

    /// <summary>IA-32e stacks have no limit, only canonical addresses.</summary>
    public bool Is64;

    /// <summary>The present SS:RSP at the present privilege, so that ordinary accesses serve; otherwise an inner stack, reached as
    /// supervisor.</summary>
    public bool IsCurrent;

    /// <summary>What #SS reports when the stack has no room: 0, or the new SS selector (SDM 2A CALL, INT n).</summary>
    public ushort ErrorSelector;

    public static StackTarget Current(ref CpuState s) => new()
    {
        Segment = s.Sys.Ss,
        Pointer = s.Gpr.Rsp,
        Mask = Modes.StackMask(ref s),
        Is64 = Modes.Is64(ref s),
        IsCurrent = true,
    };

    /// <summary>RSP with the stack's own bits replaced.</summary>
    public readonly ulong Merge(ulong pointer) => Mask == 0xFFFF ? (Pointer & ~Mask) | (pointer & Mask) : pointer & Mask;
}

/// <summary>Stack accesses of transfers. A frame is pushed all or nothing: every slot is checked and probed before the first is written.</summary>
internal static class Stacks
{
    /// <summary>Pushes <paramref name="values"/> in order, <paramref name="size"/> bytes each, and gives the new RSP.</summary>
    public static bool TryPushFrame(ref CpuState s, Processor p, in StackTarget stack, ReadOnlySpan<ulong> values, int size, out ulong pointer)
    {
        int cpl = stack.IsCurrent ? s.Sys.Cpl : stack.Segment.Dpl;
        ulong offset = stack.Pointer;
        pointer = 0;
        for (int i = 0; i < values.Length; i++)
        {
            offset = (offset - (uint)size) & stack.Mask;
            if (!HasRoom(in stack, offset, (uint)size))
                return Faults.Raise(ref s, ExceptionVector.StackFault, stack.ErrorSelector);
            if (!p.TryProbeWrite(ref s, Linear(in stack, offset), size, cpl))
                return false;
        }

        offset = stack.Pointer;
        foreach (ulong value in values)
        {
            offset = (offset - (uint)size) & stack.Mask;
            bool written = stack.IsCurrent ? p.TryWrite(ref s, SegmentNumber.Ss, offset, size, value)
                : p.TryWriteSystem(ref s, Linear(in stack, offset), size, value);
            if (!written)
                return false;
        }

        pointer = stack.Merge(offset);
        return true;
    }

    /// <summary>Reads the slot <paramref name="distance"/> bytes above the present top without moving it.</summary>
    public static bool TryPeek(ref CpuState s, Processor p, ulong distance, int size, out ulong value)
    {
        return p.TryRead(ref s, SegmentNumber.Ss, (s.Gpr.Rsp + distance) & Modes.StackMask(ref s), size, out value);
    }

    /// <summary>RSP moved by <paramref name="delta"/> under the stack's width.</summary>
    public static ulong Moved(ref CpuState s, ulong delta)
    {
        ulong mask = Modes.StackMask(ref s), moved = (s.Gpr.Rsp + delta) & mask;
        return mask == 0xFFFF ? (s.Gpr.Rsp & ~mask) | moved : moved;
    }

    private static bool HasRoom(in StackTarget stack, ulong offset, uint size) =>
        stack.Is64 ? Modes.IsCanonical(offset) && Modes.IsCanonical(offset + size - 1) : Segments.Contains(in stack.Segment, offset, size);

    private static ulong Linear(in StackTarget stack, ulong offset) => stack.Is64 ? offset : (uint)(stack.Segment.Base + offset);
}
