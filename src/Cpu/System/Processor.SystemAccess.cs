using Hv.Cpu.Memory;
using Hv.Cpu.State;
using Hv.Cpu.System;

namespace Hv.Cpu;

/// <summary>
/// Operand accesses of system instructions, which are made inside a block and from the run loop alike and so name no operation: a failure records the
/// fault, and whoever runs the
/// instruction places it.
/// </summary>
public abstract partial class Processor
{
    /// <summary>Reads 1..8 bytes at an offset in a segment, with the segment's checks and at the current privilege. False: the fault or event is
    /// recorded.</summary>
    internal bool TryRead(ref CpuState s, SegmentNumber segment, ulong offset, int size, out ulong value)
    {
        value = 0;
        return TryAddress(ref s, segment, offset, size, false, out ulong linear)
            && LoadLinear(ref s, linear, size, AccessKind.Read, IsUser, false, ref value);
    }

    /// <summary>Writes 1..8 bytes, as <see cref="TryRead(ref CpuState, SegmentNumber, ulong, int, out ulong)"/>.</summary>
    internal bool TryWrite(ref CpuState s, SegmentNumber segment, ulong offset, int size, ulong value) =>
        TryAddress(ref s, segment, offset, size, true, out ulong linear) && StoreLinear(ref s, linear, size, IsUser, false, value);

    /// <summary>The linear address of an offset that may be accessed: limit and type outside 64-bit mode, canonical form in it, alignment where
    /// it is checked. #SS(0) for the stack segment, else #GP(0); #AC(0).</summary>
    internal bool TryAddress(ref CpuState s, SegmentNumber segment, ulong offset, int size, bool write, out ulong linear)
    {
        bool allowed;
        if (segment == SegmentNumber.Flat || _key.Is64)
        {
            linear = s.SegmentBase[(int)segment] + offset;
            allowed = IsCanonical(linear) && IsCanonical(linear + (uint)size - 1);
        }
        else
        {
            linear = (uint)(SegmentOf(ref s, segment).Base + offset);
            allowed = IsAllowed(ref s, in SegmentOf(ref s, segment), (uint)offset, size, write);
        }

        if (!allowed)
            return Faults.Raise(ref s, segment == SegmentNumber.Ss ? ExceptionVector.StackFault : ExceptionVector.GeneralProtection, 0);

        // Larger images have rules of their own (SDM 2A FXSAVE).
        return !ChecksAlignment || size > 8 || (linear & (uint)(size - 1)) == 0 || Faults.Raise(ref s, ExceptionVector.AlignmentCheck, 0);
    }
}
