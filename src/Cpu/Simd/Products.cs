using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Hv.Cpu.Simd;

/// <summary>PMULLW, PMULLD: the low half of each product (SDM 2B).</summary>
internal readonly struct MultiplyLow<T> : IVectorBinary<MultiplyLow<T>>
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<byte> Apply(Vector128<byte> a, Vector128<byte> b) => (a.As<byte, T>() * b.As<byte, T>()).AsByte();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<byte> Apply(Vector256<byte> a, Vector256<byte> b) => (a.As<byte, T>() * b.As<byte, T>()).AsByte();
}

/// <summary>PMULHW: the high half of each signed product.</summary>
internal readonly struct MultiplyHigh : IVectorBinary<MultiplyHigh>
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<byte> Apply(Vector128<byte> a, Vector128<byte> b)
    {
        if (Sse2.IsSupported)
            return Sse2.MultiplyHigh(a.AsInt16(), b.AsInt16()).AsByte();
        (Vector128<int> low, Vector128<int> high) = WordProducts.Signed(a, b);
        return Vector128.Narrow(low >> 16, high >> 16).AsByte();
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<byte> Apply(Vector256<byte> a, Vector256<byte> b) =>
        Avx2.IsSupported ? Avx2.MultiplyHigh(a.AsInt16(), b.AsInt16()).AsByte() : Halves.Each<MultiplyHigh>(a, b);
}

/// <summary>PMULHUW: the high half of each unsigned product.</summary>
internal readonly struct MultiplyHighUnsigned : IVectorBinary<MultiplyHighUnsigned>
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<byte> Apply(Vector128<byte> a, Vector128<byte> b)
    {
        if (Sse2.IsSupported)
            return Sse2.MultiplyHigh(a.AsUInt16(), b.AsUInt16()).AsByte();
        Vector128<uint> low = Vector128.WidenLower(a.AsUInt16()) * Vector128.WidenLower(b.AsUInt16());
        Vector128<uint> high = Vector128.WidenUpper(a.AsUInt16()) * Vector128.WidenUpper(b.AsUInt16());
        return Vector128.Narrow(low >>> 16, high >>> 16).AsByte();
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<byte> Apply(Vector256<byte> a, Vector256<byte> b) =>
        Avx2.IsSupported ? Avx2.MultiplyHigh(a.AsUInt16(), b.AsUInt16()).AsByte() : Halves.Each<MultiplyHighUnsigned>(a, b);
}

/// <summary>PMULHRSW: bits 30:15 of each product, rounded by the bit below.</summary>
internal readonly struct MultiplyHighRounded : IVectorBinary<MultiplyHighRounded>
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<byte> Apply(Vector128<byte> a, Vector128<byte> b)
    {
        if (Ssse3.IsSupported)
            return Ssse3.MultiplyHighRoundScale(a.AsInt16(), b.AsInt16()).AsByte();
        (Vector128<int> low, Vector128<int> high) = WordProducts.Signed(a, b);
        return Vector128.Narrow(((low >> 14) + Vector128<int>.One) >> 1, ((high >> 14) + Vector128<int>.One) >> 1).AsByte();
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<byte> Apply(Vector256<byte> a, Vector256<byte> b) =>
        Avx2.IsSupported ? Avx2.MultiplyHighRoundScale(a.AsInt16(), b.AsInt16()).AsByte() : Halves.Each<MultiplyHighRounded>(a, b);
}

/// <summary>PMULDQ: 64-bit products of the even signed doublewords.</summary>
internal readonly struct MultiplyEven : IVectorBinary<MultiplyEven>
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<byte> Apply(Vector128<byte> a, Vector128<byte> b) =>
        Sse41.IsSupported ? Sse41.Multiply(a.AsInt32(), b.AsInt32()).AsByte() : (SignExtended(a) * SignExtended(b)).AsByte();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<byte> Apply(Vector256<byte> a, Vector256<byte> b) =>
        Avx2.IsSupported ? Avx2.Multiply(a.AsInt32(), b.AsInt32()).AsByte() : Halves.Each<MultiplyEven>(a, b);

    private static Vector128<long> SignExtended(Vector128<byte> a) => a.AsInt64() << 32 >> 32;
}

/// <summary>PMULUDQ: 64-bit products of the even unsigned doublewords.</summary>
internal readonly struct MultiplyEvenUnsigned : IVectorBinary<MultiplyEvenUnsigned>
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<byte> Apply(Vector128<byte> a, Vector128<byte> b) =>
        Sse2.IsSupported ? Sse2.Multiply(a.AsUInt32(), b.AsUInt32()).AsByte() : (ZeroExtended(a) * ZeroExtended(b)).AsByte();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<byte> Apply(Vector256<byte> a, Vector256<byte> b) =>
        Avx2.IsSupported ? Avx2.Multiply(a.AsUInt32(), b.AsUInt32()).AsByte() : Halves.Each<MultiplyEvenUnsigned>(a, b);

    private static Vector128<ulong> ZeroExtended(Vector128<byte> a) => a.AsUInt64() & Vector128.Create(0xFFFF_FFFFUL);
}

/// <summary>PMADDWD: sums of two neighbouring signed products. Four times -32768 wraps to 80000000h, as the manual says.</summary>
internal readonly struct MultiplyAddWords : IVectorBinary<MultiplyAddWords>
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<byte> Apply(Vector128<byte> a, Vector128<byte> b)
    {
        if (Sse2.IsSupported)
            return Sse2.MultiplyAddAdjacent(a.AsInt16(), b.AsInt16()).AsByte();
        Vector128<int> even = (a.AsInt32() << 16 >> 16) * (b.AsInt32() << 16 >> 16);
        return (even + (a.AsInt32() >> 16) * (b.AsInt32() >> 16)).AsByte();
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<byte> Apply(Vector256<byte> a, Vector256<byte> b) =>
        Avx2.IsSupported ? Avx2.MultiplyAddAdjacent(a.AsInt16(), b.AsInt16()).AsByte() : Halves.Each<MultiplyAddWords>(a, b);
}

/// <summary>PMADDUBSW: saturated sums of two neighbouring products of the first operand's unsigned and the second's signed bytes.</summary>
internal readonly struct MultiplyAddBytes : IVectorBinary<MultiplyAddBytes>
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<byte> Apply(Vector128<byte> a, Vector128<byte> b)
    {
        if (Ssse3.IsSupported)
            return Ssse3.MultiplyAddAdjacent(a, b.AsSByte()).AsByte();
        Vector128<short> even = (a.AsInt16() & Vector128.Create((short)0xFF)) * (b.AsInt16() << 8 >> 8);
        Vector128<short> odd = (a.AsInt16() >>> 8) * (b.AsInt16() >> 8);
        return Vector128.AddSaturate(even, odd).AsByte();
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<byte> Apply(Vector256<byte> a, Vector256<byte> b) =>
        Avx2.IsSupported ? Avx2.MultiplyAddAdjacent(a, b.AsSByte()).AsByte() : Halves.Each<MultiplyAddBytes>(a, b);
}

/// <summary>PSADBW: the sum of the eight absolute differences in each quadword.</summary>
internal readonly struct SumDifferences : IVectorBinary<SumDifferences>
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<byte> Apply(Vector128<byte> a, Vector128<byte> b)
    {
        if (Sse2.IsSupported)
            return Sse2.SumAbsoluteDifferences(a, b).AsByte();
        Vector128<byte> differences = Vector128.Max(a, b) - Vector128.Min(a, b);
        return Vector128.Create((ulong)Sum(Vector128.WidenLower(differences)), Sum(Vector128.WidenUpper(differences))).AsByte();
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<byte> Apply(Vector256<byte> a, Vector256<byte> b) =>
        Avx2.IsSupported ? Avx2.SumAbsoluteDifferences(a, b).AsByte() : Halves.Each<SumDifferences>(a, b);

    private static ushort Sum(Vector128<ushort> words) => Vector128.Sum(words);
}

/// <summary>MPSADBW: eight sums of four absolute differences, of a block of the second operand with eight neighbouring blocks of the first. Bits 1:0
/// of the immediate choose the block, bit 2 the first neighbour; the upper half has bits 5:3.</summary>
internal readonly struct MultipleSumDifferences : IVectorBinaryImmediate<MultipleSumDifferences>
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<byte> Apply(Vector128<byte> a, Vector128<byte> b, byte imm)
    {
        a = ByteShift.Right(a, imm & 4);
        b = ByteShift.Right(b, (imm & 3) * 4);
        Vector128<ushort> sums = default;
        for (int i = 0; i < 4; i++)
        {
            Vector128<ushort> at = Vector128.WidenLower(a), with = Vector128.Create((ushort)b.ToScalar());
            sums += Vector128.Max(at, with) - Vector128.Min(at, with);
            (a, b) = (ByteShift.Right(a, 1), ByteShift.Right(b, 1));
        }

        return sums.AsByte();
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<byte> Apply(Vector256<byte> a, Vector256<byte> b, byte imm) =>
        Vector256.Create(Apply(a.GetLower(), b.GetLower(), imm), Apply(a.GetUpper(), b.GetUpper(), (byte)(imm >> 3)));
}

/// <summary>PHMINPOSUW: the least word, and where it is first found.</summary>
internal readonly struct MinimumPosition : IVectorUnary<MinimumPosition>
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<byte> Apply(Vector128<byte> a)
    {
        if (Sse41.IsSupported)
            return Sse41.MinHorizontal(a.AsUInt16()).AsByte();
        uint least = uint.MaxValue;
        for (int i = 0; i < 8; i++)
            least = Math.Min(least, (uint)a.AsUInt16().GetElement(i) << 3 | (uint)i);
        return Vector128.CreateScalar(least >> 3 | least << 16 & 0x7_0000).AsByte();
    }
}

/// <summary>The eight 32-bit products of two vectors of words.</summary>
internal static class WordProducts
{
    internal static (Vector128<int> Low, Vector128<int> High) Signed(Vector128<byte> a, Vector128<byte> b) =>
        (Vector128.WidenLower(a.AsInt16()) * Vector128.WidenLower(b.AsInt16()),
            Vector128.WidenUpper(a.AsInt16()) * Vector128.WidenUpper(b.AsInt16()));
}
