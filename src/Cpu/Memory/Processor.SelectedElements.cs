using System.Runtime.CompilerServices;
using Hv.Cpu.Decode;
using Hv.Cpu.Execute;
using Hv.Cpu.Memory;
using Hv.Cpu.State;

namespace Hv.Cpu;

/// <summary>Stores of selected elements of a vector.</summary>
public abstract partial class Processor
{
    /// <summary>Writes elements of the staging room, all or nothing; those that are not selected are not accessed.</summary>
    /// <param name="s">The state.</param>
    /// <param name="op">The operation, whose segment counts.</param>
    /// <param name="offset">The first element's offset in the segment.</param>
    /// <param name="size">Bytes of an element: 1, 4 or 8.</param>
    /// <param name="selected">A bit for each element.</param>
    /// <returns>False: the fault or event is recorded.</returns>
    [MethodImpl(MethodImplOptions.NoInlining)]
    internal bool StoreSelected(ref CpuState s, ref Op op, ulong offset, int size, uint selected)
    {
        for (uint left = selected; left != 0; left &= left - 1)
        {
            ulong linear = SelectedAddress(ref s, ref op, offset, size, left);
            if (s.Attention != 0)
                return false;
            if (IsWritable(ref s, linear, size))
                continue;
            if (!CheckCanonical(ref s, ref op, linear, size))
                return false;
            if (TryProbe(ref s, linear, size, AccessKind.Write, IsUser))
                continue;
            Abort(ref s, ref op);
            return false;
        }

        Span<ulong> staging = Staging(ref s);
        for (uint left = selected; left != 0; left &= left - 1)
        {
            int at = (int)uint.TrailingZeroCount(left) * size;
            ulong value = staging[at / 8] >> (at % 8 * 8);
            ulong linear = SelectedAddress(ref s, ref op, offset, size, left);
            if (IsWritable(ref s, linear, size))
            {
                // The translation cache has the page for writes, and all bytes of the element are in it.
                WriteHost((nint)linear + TranslationCache.Entry(s.WriteTlb, linear).Addend, size, value);
            }
            else if (!StoreLinear(ref s, linear, size, IsUser, false, value))
            {
                Abort(ref s, ref op);
                return false;
            }
        }

        return true;
    }

    private ulong SelectedAddress(ref CpuState s, ref Op op, ulong offset, int size, uint selected) =>
        LinearOrPoison(ref s, ref op, (SegmentNumber)op.Segment, offset + uint.TrailingZeroCount(selected) * (uint)size, size, true);

    private static bool IsWritable(ref CpuState s, ulong linear, int size) =>
        TranslationCache.Entry(s.WriteTlb, linear).Tag == ((linear + (ulong)(size - 1)) & ~0xFFFUL);
}
