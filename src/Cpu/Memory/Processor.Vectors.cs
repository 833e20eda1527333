using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Hv.Cpu.Decode;
using Hv.Cpu.Execute;
using Hv.Cpu.Memory;
using Hv.Cpu.State;

namespace Hv.Cpu;

/// <summary>Memory operands of 16 and 32 bytes off the fast path: misaligned, across pages, in holes, watched, in pages with decoded code.</summary>
// SAFETY: the state block, and with it its staging room, is pinned for the processor's life.
public abstract unsafe partial class Processor
{
    /// <summary>Copies an operand to the staging room. Bytes beyond <paramref name="size"/> are left as they were.</summary>
    /// <param name="s">The state.</param>
    /// <param name="op">The operation.</param>
    /// <param name="linear">Its linear address.</param>
    /// <param name="size">Bytes: a multiple of 8, at most 32.</param>
    /// <param name="aligned">Misalignment is #GP(0), before any page fault.</param>
    /// <returns>The staging room's address; 0 when the fault or event is recorded.</returns>
    [MethodImpl(MethodImplOptions.NoInlining)]
    internal nint LoadVectorSlow(ref CpuState s, ref Op op, ulong linear, int size, bool aligned)
    {
        if (!CheckVector(ref s, ref op, linear, size, aligned))
            return 0;
        Span<ulong> staging = Staging(ref s);
        bool ok = TryProbe(ref s, linear, size, AccessKind.Read, IsUser);
        for (int i = 0; ok && i < size; i += 8)
            ok = LoadLinear(ref s, Wrap(ref s, linear + (ulong)i), 8, AccessKind.Read, IsUser, false, ref staging[i / 8]);
        if (ok)
            return (nint)Unsafe.AsPointer(ref s.Staging);
        Abort(ref s, ref op);
        return 0;
    }

    /// <summary>Writes the staging room's first <paramref name="size"/> bytes to an operand, all or nothing as <see cref="LoadVectorSlow"/> reads.
    /// False: the fault or event is recorded.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    internal bool StoreVectorSlow(ref CpuState s, ref Op op, ulong linear, int size, bool aligned)
    {
        if (!CheckVector(ref s, ref op, linear, size, aligned))
            return false;
        Span<ulong> staging = Staging(ref s);
        bool ok = TryProbe(ref s, linear, size, AccessKind.Write, IsUser);
        for (int i = 0; ok && i < size; i += 8)
            ok = StoreLinear(ref s, Wrap(ref s, linear + (ulong)i), 8, IsUser, false, staging[i / 8]);
        if (!ok)
            Abort(ref s, ref op);
        return ok;
    }

    /// <summary>The linear address of an operand that must be aligned. Misalignment is found before anything that is wrong with the
    /// segment.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    internal ulong AlignedLinearOrPoison(ref CpuState s, ref Op op, int size, bool write)
    {
        ulong offset = EffectiveAddress(ref s, ref op);
        if (((s.SegmentBase[op.Segment] + offset) & (ulong)(size - 1)) == 0)
            return LinearOrPoison(ref s, ref op, (SegmentNumber)op.Segment, offset, size, write);
        Raise(ref s, ref op, ExceptionVector.GeneralProtection, 0);
        return IAddress.Poison;
    }

    /// <summary>Operands of 16 bytes or more never raise #AC (SDM 3A 6.15, interrupt 17, leaves that to the processor).</summary>
    private bool CheckVector(ref CpuState s, ref Op op, ulong linear, int size, bool aligned)
    {
        if (s.Attention != 0)
            return false;
        bool misaligned = aligned && (linear & (ulong)(size - 1)) != 0;
        if (!misaligned && IsReachable(ref s, (SegmentNumber)op.Segment, linear, size))
            return true;
        bool stack = !misaligned && op.Segment == (byte)SegmentNumber.Ss;
        Raise(ref s, ref op, stack ? ExceptionVector.StackFault : ExceptionVector.GeneralProtection, 0);
        return false;
    }

    private static Span<ulong> Staging(ref CpuState s) =>
        MemoryMarshal.Cast<byte, ulong>(MemoryMarshal.AsBytes(MemoryMarshal.CreateSpan(ref s.Staging, 1)));
}
