using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Hv.Cpu.Simd;

/// <summary>The selectors in an immediate, as vectors of element numbers.</summary>
internal static class Selectors
{
    /// <summary>Four numbers of two bits.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static Vector128<int> Pairs(byte imm) => Vector128.Create(imm & 3, imm >> 2 & 3, imm >> 4 & 3, imm >> 6);

    /// <summary>The bytes of the four words that the immediate chooses, as numbers of bytes, in both halves.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static Vector128<byte> WordBytes(byte imm)
    {
        // A word's number i in each half of a 16-bit element becomes its bytes 2i and 2i+1.
        Vector128<uint> pairs = Pairs(imm).AsUInt32();
        return (Vector128.Narrow(pairs, pairs) * 0x0202 + Vector128.Create((ushort)0x0100)).AsByte();
    }

    /// <summary>All ones in each element whose bit of the immediate is set.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static Vector128<byte> Mask<T>(byte imm, Vector128<T> bits) => Vector128.Equals(Bits<T>(imm) & bits, bits).AsByte();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<T> Bits<T>(byte imm) =>
        Vector128<T>.Count == 8 ? Vector128.Create((ushort)imm).As<ushort, T>()
        : Vector128<T>.Count == 4 ? Vector128.Create((uint)imm).As<uint, T>() : Vector128.Create((ulong)imm).As<ulong, T>();
}

/// <summary>PSHUFD; VPERMILPS with an immediate (SDM 2B, 2C).</summary>
internal readonly struct ShuffleDoublewords : IVectorUnaryImmediate<ShuffleDoublewords>
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<byte> Apply(Vector128<byte> a, byte imm) => Vector128.ShuffleNative(a.AsInt32(), Selectors.Pairs(imm)).AsByte();
}

/// <summary>PSHUFLW: the low quadword's words; the high quadword is kept. PSHUFW on MMX registers.</summary>
internal readonly struct ShuffleLowWords : IVectorUnaryImmediate<ShuffleLowWords>
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<byte> Apply(Vector128<byte> a, byte imm) =>
        Vector128.ShuffleNative(a, Vector128.Create(Selectors.WordBytes(imm).GetLower(), Vector128.CreateSequence<byte>(0, 1).GetUpper()));
}

/// <summary>PSHUFHW: the high quadword's words; the low quadword is kept.</summary>
internal readonly struct ShuffleHighWords : IVectorUnaryImmediate<ShuffleHighWords>
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<byte> Apply(Vector128<byte> a, byte imm) => Vector128.ShuffleNative(a,
        Vector128.Create(Vector128.CreateSequence<byte>(0, 1).GetLower(), (Selectors.WordBytes(imm) + Vector128.Create((byte)8)).GetUpper()));
}

/// <summary>SHUFPS: two elements of the first operand, then two of the second.</summary>
internal readonly struct ShuffleSingles : IVectorBinaryImmediate<ShuffleSingles>
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<byte> Apply(Vector128<byte> a, Vector128<byte> b, byte imm)
    {
        Vector128<int> selected = Selectors.Pairs(imm);
        Vector128<int> low = Vector128.ShuffleNative(a.AsInt32(), selected), high = Vector128.ShuffleNative(b.AsInt32(), selected);
        return Vector128.Create(low.GetLower(), high.GetUpper()).AsByte();
    }
}

/// <summary>SHUFPD: an element of the first operand, then one of the second; the upper half has its own two bits.</summary>
internal readonly struct ShuffleDoubles : IVectorBinaryImmediate<ShuffleDoubles>
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<byte> Apply(Vector128<byte> a, Vector128<byte> b, byte imm) =>
        Vector128.Create((imm & 1) == 0 ? a.GetLower() : a.GetUpper(), (imm & 2) == 0 ? b.GetLower() : b.GetUpper());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<byte> Apply(Vector256<byte> a, Vector256<byte> b, byte imm) =>
        Vector256.Create(Apply(a.GetLower(), b.GetLower(), imm), Apply(a.GetUpper(), b.GetUpper(), (byte)(imm >> 2)));
}

/// <summary>VPERMILPD with an immediate: one bit for each element.</summary>
internal readonly struct PermuteDoubles : IVectorUnaryImmediate<PermuteDoubles>
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<byte> Apply(Vector128<byte> a, byte imm) => ShuffleDoubles.Apply(a, a, imm);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<byte> Apply(Vector256<byte> a, byte imm) => ShuffleDoubles.Apply(a, a, imm);
}

/// <summary>VPERMILPS: the elements of the first operand that the second's low two bits choose.</summary>
internal readonly struct PermuteSinglesBy : IVectorBinary<PermuteSinglesBy>
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<byte> Apply(Vector128<byte> a, Vector128<byte> b) =>
        Vector128.ShuffleNative(a.AsInt32(), b.AsInt32() & Vector128.Create(3)).AsByte();
}

/// <summary>VPERMILPD: bit 1 of each control element chooses.</summary>
internal readonly struct PermuteDoublesBy : IVectorBinary<PermuteDoublesBy>
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<byte> Apply(Vector128<byte> a, Vector128<byte> b) =>
        Vector128.ShuffleNative(a.AsInt64(), b.AsInt64() >>> 1 & Vector128<long>.One).AsByte();
}

/// <summary>PSHUFB: bytes of the first operand by the second's low four bits; zero where its bit 7 is set.</summary>
internal readonly struct ShuffleBytes : IVectorBinary<ShuffleBytes>
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<byte> Apply(Vector128<byte> a, Vector128<byte> b) =>
        Ssse3.IsSupported ? Ssse3.Shuffle(a, b) : Vector128.Shuffle(a, b & Vector128.Create((byte)0x8F));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<byte> Apply(Vector256<byte> a, Vector256<byte> b) =>
        Avx2.IsSupported ? Avx2.Shuffle(a, b) : Halves.Each<ShuffleBytes>(a, b);
}

/// <summary>PSHUFB on MMX registers: three bits choose.</summary>
internal readonly struct ShuffleBytesMmx : IVectorBinary<ShuffleBytesMmx>
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<byte> Apply(Vector128<byte> a, Vector128<byte> b) => ShuffleBytes.Apply(a, b & Vector128.Create((byte)0x87));
}

/// <summary>MOVDDUP.</summary>
internal readonly struct DuplicateDoubles : IVectorUnary<DuplicateDoubles>
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<byte> Apply(Vector128<byte> a) => Vector128.Create(a.GetLower(), a.GetLower());
}

/// <summary>MOVSLDUP.</summary>
internal readonly struct DuplicateEvenSingles : IVectorUnary<DuplicateEvenSingles>
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<byte> Apply(Vector128<byte> a) => Vector128.ShuffleNative(a.AsInt32(), Vector128.Create(0, 0, 2, 2)).AsByte();
}

/// <summary>MOVSHDUP.</summary>
internal readonly struct DuplicateOddSingles : IVectorUnary<DuplicateOddSingles>
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<byte> Apply(Vector128<byte> a) => Vector128.ShuffleNative(a.AsInt32(), Vector128.Create(1, 1, 3, 3)).AsByte();
}

/// <summary>VBROADCASTSS, VBROADCASTSD, VPBROADCASTB/W/D/Q: the lowest element everywhere.</summary>
internal readonly struct Broadcast<T> : IVectorUnary<Broadcast<T>>
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<byte> Apply(Vector128<byte> a) => Vector128.Create(a.As<byte, T>().ToScalar()).AsByte();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<byte> Apply(Vector256<byte> a) => Vector256.Create(a.As<byte, T>().ToScalar()).AsByte();
}

/// <summary>VBROADCASTF128, VBROADCASTI128.</summary>
internal readonly struct BroadcastHalf : IVectorUnary<BroadcastHalf>
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<byte> Apply(Vector128<byte> a) => a;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<byte> Apply(Vector256<byte> a) => Vector256.Create(a.GetLower(), a.GetLower());
}

/// <summary>INSERTPS: element imm[7:6] of the second operand goes to element imm[5:4]; then elements are cleared by imm[3:0]. A memory operand is
/// one element, and imm[7:6] is ignored.</summary>
internal readonly struct InsertSingle : IVectorBinaryImmediate<InsertSingle>
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<byte> Apply(Vector128<byte> a, Vector128<byte> b, byte imm)
    {
        Vector128<uint> source = Vector128.ShuffleNative(b.AsUInt32(), Vector128.Create((uint)imm >> 6));
        Vector128<byte> chosen = Vector128.Equals(Vector128.CreateSequence(0u, 1u), Vector128.Create((uint)imm >> 4 & 3)).AsByte();
        return Vector128.AndNot(Vector128.ConditionalSelect(chosen, source.AsByte(), a), Selectors.Mask(imm, Vector128.Create(1u, 2, 4, 8)));
    }
}
