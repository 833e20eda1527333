using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Hv.Cpu.Decode;
using Hv.Cpu.Execute;
using Hv.Cpu.Memory;
using Hv.Cpu.State;

namespace Hv.Cpu.Simd;

/// <summary>Memory operands of 16 and 32 bytes (smaller ones are <see cref="Operand"/>'s). Everything is by value or by address, so that handlers
/// have no local whose address is taken (docs/adr/0021-tail-threaded-handlers.md).</summary>
// SAFETY: an address is the host's for a translation-cache hit that covers the operand, or that of the state block's staging room.
internal static unsafe class VectorMemory
{
    /// <summary>Where the rm operand of <paramref name="size"/> bytes can be read: guest memory, or a copy of it. 0: the fault or event is recorded,
    /// return at once.</summary>
    /// <param name="s">The state.</param>
    /// <param name="op">The operation.</param>
    /// <param name="p">The processor.</param>
    /// <param name="size">16 or 32.</param>
    /// <param name="aligned">A misaligned operand is #GP(0) (SDM 3A 6.15, interrupt 13).</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static nint Read(ref CpuState s, ref Op op, Processor p, int size, bool aligned)
    {
        ulong at = Linear(ref s, ref op, p, size, false, aligned);
        ref TlbEntry entry = ref TranslationCache.Entry(s.ReadTlb, at);
        bool hit = entry.Tag == ((at + (ulong)(size - 1)) & ~0xFFFUL) && (!aligned || (at & (ulong)(size - 1)) == 0);
        return hit ? (nint)at + entry.Addend : p.LoadVectorSlow(ref s, ref op, at, size, aligned);
    }

    /// <summary>As <see cref="Read"/>, for a flat 64-bit address that the translation cache knows; 0 where that is not so, and then nothing has
    /// happened.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static nint Hit(ref CpuState s, ref Op op, int size, bool aligned)
    {
        if ((op.Form & OpForm.AddressMask) != OpForm.Address64 || op.Segment >= (byte)SegmentNumber.Fs)
            return 0;
        ulong at = Registers.At(ref s, op.Base) + (Registers.At(ref s, op.Index) << op.Scale) + (ulong)op.Displacement;
        ref TlbEntry entry = ref TranslationCache.Entry(s.ReadTlb, at);
        bool hit = entry.Tag == ((at + (ulong)(size - 1)) & ~0xFFFUL) && (!aligned || (at & (ulong)(size - 1)) == 0);
        return hit ? (nint)at + entry.Addend : 0;
    }

    /// <summary>Reads 16 bytes at an address that <see cref="Read"/> gave.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static Vector128<byte> Load128(nint address) => Unsafe.ReadUnaligned<Vector128<byte>>((void*)address);

    /// <summary>Reads 32 bytes at an address that <see cref="Read"/> gave.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static Vector256<byte> Load256(nint address) => Unsafe.ReadUnaligned<Vector256<byte>>((void*)address);

    /// <summary>Writes a vector to an address that a translation-cache hit for all of it gave.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static void Store<TVector>(nint address, TVector value) where TVector : unmanaged => Unsafe.WriteUnaligned((void*)address, value);

    /// <summary>Writes 16 bytes, all or nothing. False: the fault or event is recorded, return at once.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static bool Write128(ref CpuState s, ref Op op, Processor p, Vector128<byte> value, bool aligned)
    {
        ulong at = Linear(ref s, ref op, p, 16, true, aligned);
        ref TlbEntry entry = ref TranslationCache.Entry(s.WriteTlb, at);
        if (entry.Tag == ((at + 15) & ~0xFFFUL) && (!aligned || (at & 15) == 0))
        {
            Unsafe.WriteUnaligned((void*)((nint)at + entry.Addend), value);
            return true;
        }

        s.Staging = value.ToVector256Unsafe();
        return p.StoreVectorSlow(ref s, ref op, at, 16, aligned);
    }

    /// <summary>Writes 32 bytes, all or nothing. False: the fault or event is recorded, return at once.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static bool Write256(ref CpuState s, ref Op op, Processor p, Vector256<byte> value, bool aligned)
    {
        ulong at = Linear(ref s, ref op, p, 32, true, aligned);
        ref TlbEntry entry = ref TranslationCache.Entry(s.WriteTlb, at);
        if (entry.Tag == ((at + 31) & ~0xFFFUL) && (!aligned || (at & 31) == 0))
        {
            Unsafe.WriteUnaligned((void*)((nint)at + entry.Addend), value);
            return true;
        }

        s.Staging = value;
        return p.StoreVectorSlow(ref s, ref op, at, 32, aligned);
    }

    /// <summary>The operand's linear address. 64-bit code has no segment base outside FS and GS, and only it has 64-bit addresses; a non-canonical
    /// address misses the translation cache.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static ulong Linear(ref CpuState s, ref Op op, Processor p, int size, bool write, bool aligned = false) =>
        (op.Form & OpForm.AddressMask) == OpForm.Address64 && op.Segment < (byte)SegmentNumber.Fs
            ? Registers.At(ref s, op.Base) + (Registers.At(ref s, op.Index) << op.Scale) + (ulong)op.Displacement
            : aligned ? p.AlignedLinearOrPoison(ref s, ref op, size, write)
            : p.LinearOrPoison(ref s, ref op, (SegmentNumber)op.Segment, p.EffectiveAddress(ref s, ref op), size, write);
}
