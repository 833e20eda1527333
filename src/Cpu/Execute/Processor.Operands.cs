using System.Runtime.CompilerServices;
using Hv.Cpu.Decode;
using Hv.Cpu.Execute;
using Hv.Cpu.Memory;
using Hv.Cpu.State;

namespace Hv.Cpu;

/// <summary>Services for the handlers of <c>Execute</c>: stack accesses, probes, operands of more than eight bytes. What has locals whose address is
/// taken is never
/// inlined, because a handler with such a local could not jump to the next (docs/adr/0021-tail-threaded-handlers.md).</summary>
public abstract partial class Processor
{
    /// <summary>As <see cref="TryLinear"/>, but the answer to a failed check is <see cref="IAddress.Poison"/>.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    internal ulong LinearOrPoison(ref CpuState s, ref Op op, SegmentNumber segment, ulong offset, int size, bool write) =>
        TryLinear(ref s, ref op, segment, offset, size, write, out ulong linear) ? linear : IAddress.Poison;

    /// <summary>Reads from the stack at a linear address; a non-canonical one is #SS(0).</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    internal ulong LoadStackSlow(ref CpuState s, ref Op op, ulong linear, int size)
    {
        if (s.Attention != 0)
            return 0;
        if (IsReachable(ref s, SegmentNumber.Ss, linear, size))
            return LoadChecked(ref s, ref op, linear, size, AccessKind.Read);
        Raise(ref s, ref op, ExceptionVector.StackFault, 0);
        return 0;
    }

    /// <summary>Writes to the stack at a linear address; a non-canonical one is #SS(0). False: the fault or event is recorded.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    internal bool StoreStackSlow(ref CpuState s, ref Op op, ulong linear, int size, ulong value)
    {
        if (s.Attention != 0)
            return false;
        if (IsReachable(ref s, SegmentNumber.Ss, linear, size))
            return StoreSlow(ref s, ref op, linear, size, value);
        Raise(ref s, ref op, ExceptionVector.StackFault, 0);
        return false;
    }

    /// <summary>Checks that a range of the stack could be written, or else read. False: the fault is recorded.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    internal bool TryProbeStack<TStack>(ref CpuState s, ref Op op, ulong offset, int size, AccessKind access = AccessKind.Write)
        where TStack : struct, IStack
    {
        ulong at = TStack.Linear(ref s, ref op, this, offset, size, access == AccessKind.Write);
        if (s.Attention != 0)
            return false;
        if (!IsReachable(ref s, SegmentNumber.Ss, at, size))
        {
            Raise(ref s, ref op, ExceptionVector.StackFault, 0);
            return false;
        }

        if (ChecksAlignment && (at & (ulong)(size - 1)) != 0)
        {
            Raise(ref s, ref op, ExceptionVector.AlignmentCheck, 0);
            return false;
        }

        if (TryProbe(ref s, at, size, access, IsUser))
            return true;
        Abort(ref s, ref op);
        return false;
    }

    /// <summary>Reads one half of a double operand that will be written.</summary>
    internal ulong ReadPairHalf(ref CpuState s, ref Op op, ulong at, int offset, int bytes)
    {
        // The pair is one operand: the whole of it must be aligned where alignment is checked.
        if (ChecksAlignment && (at & (ulong)(2 * bytes - 1)) != 0 && s.Attention == 0 && IsReachable(ref s, (SegmentNumber)op.Segment, at, 2 * bytes))
        {
            Raise(ref s, ref op, ExceptionVector.AlignmentCheck, 0);
            return 0;
        }

        return LoadForWriteSlow(ref s, ref op, at + (ulong)offset, bytes);
    }


    /// <summary>Writes both halves of a double operand, all or nothing: <see cref="ReadPairHalf"/> has shown that both can be written.</summary>
    internal bool StorePair(ref CpuState s, ref Op op, ulong at, int bytes, ulong low, ulong high) =>
        StoreSlow(ref s, ref op, at, bytes, low) && StoreSlow(ref s, ref op, at + (ulong)bytes, bytes, high);
}
