using System.Runtime.CompilerServices;
using Hv.Cpu.Decode;
using Hv.Cpu.Memory;
using Hv.Cpu.State;

namespace Hv.Cpu;

/// <summary>Accesses to selected elements of a vector.</summary>
public abstract partial class Processor
{
    /// <summary>Writes elements of the staging room, all or nothing. Elements that are not selected are not accessed, nor is a misaligned element
    /// #AC. A second page that is missing is found at the last byte, as on Intel's processors.</summary>
    /// <param name="s">The state.</param>
    /// <param name="op">The operation, whose segment counts.</param>
    /// <param name="offset">The first element's offset in the segment.</param>
    /// <param name="size">Bytes of an element: 1, 4 or 8.</param>
    /// <param name="selected">A bit for each element.</param>
    /// <returns>False: the fault or event is recorded.</returns>
    [MethodImpl(MethodImplOptions.NoInlining)]
    internal bool StoreSelected(ref CpuState s, ref Op op, ulong offset, int size, uint selected)
    {
        if (selected == 0)
            return true;
        int first = (int)uint.TrailingZeroCount(selected) * size, end = ((int)uint.Log2(selected) + 1) * size;
        ulong linear = LinearOrPoison(ref s, ref op, (SegmentNumber)op.Segment, offset + (ulong)first, end - first, true);
        if (!CheckVector(ref s, ref op, linear, end - first, false))
            return false;
        ulong last = Wrap(ref s, linear + (ulong)(end - first - 1));
        if (!TryProbe(ref s, linear, 1, AccessKind.Write, IsUser) || ((linear ^ last) >= 4096 && !TryProbe(ref s, last, 1, AccessKind.Write, IsUser)))
        {
            Abort(ref s, ref op);
            return false;
        }

        Span<ulong> staging = Staging(ref s);
        for (; selected != 0; selected &= selected - 1)
        {
            int at = (int)uint.TrailingZeroCount(selected) * size;
            if (StoreLinear(ref s, Wrap(ref s, linear + (ulong)(at - first)), size, IsUser, false, staging[at / 8] >> (at % 8 * 8)))
                continue;
            Abort(ref s, ref op);
            return false;
        }

        return true;
    }

    /// <summary>Reads an element of 4 or 8 bytes for a masked load or a gather, for which there is no #AC. On failure the fault or event is
    /// recorded.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    internal ulong LoadElement(ref CpuState s, ref Op op, ulong offset, int size)
    {
        ulong linear = LinearOrPoison(ref s, ref op, (SegmentNumber)op.Segment, offset, size, false), value = 0;
        ref TlbEntry entry = ref TranslationCache.Entry(s.ReadTlb, linear);
        if (entry.Tag == ((linear + (ulong)(size - 1)) & ~0xFFFUL))
            return ReadHost((nint)linear + entry.Addend, size);
        if (CheckVector(ref s, ref op, linear, size, false) && !LoadLinear(ref s, linear, size, AccessKind.Read, IsUser, false, ref value))
            Abort(ref s, ref op);
        return value;
    }

    /// <summary>Checks that a quadword could be written, as MASKMOVQ and MASKMOVDQU do whatever their mask. False: the fault or event is
    /// recorded.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    internal bool TryProbeQuadword(ref CpuState s, ref Op op, ulong offset)
    {
        ulong linear = LinearOrPoison(ref s, ref op, (SegmentNumber)op.Segment, offset, 8, true);
        if (s.Attention != 0 || !CheckCanonical(ref s, ref op, linear, 8))
            return false;
        if (TryProbe(ref s, linear, 8, AccessKind.Write, IsUser))
            return true;
        Abort(ref s, ref op);
        return false;
    }
}
