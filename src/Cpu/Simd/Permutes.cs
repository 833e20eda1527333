using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Hv.Cpu.Simd;

/// <summary>VPERMD, VPERMPS (SDM 2C): doublewords of the second operand by the low three bits of the first's. 256 bits only.</summary>
internal readonly struct PermuteDoublewordsBy : IVectorBinary<PermuteDoublewordsBy>
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<byte> Apply(Vector128<byte> a, Vector128<byte> b) => Apply(a.ToVector256(), b.ToVector256()).GetLower();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<byte> Apply(Vector256<byte> a, Vector256<byte> b) =>
        Vector256.IsHardwareAccelerated ? Vector256.ShuffleNative(b.AsInt32(), a.AsInt32() & Vector256.Create(7)).AsByte()
            : Vector256.Create(OfBoth(a.GetLower(), b), OfBoth(a.GetUpper(), b));

    /// <summary>Four of the eight doublewords, by vectors of 128 bits.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static Vector128<byte> OfBoth(Vector128<byte> selectors, Vector256<byte> source)
    {
        Vector128<int> within = selectors.AsInt32() & Vector128.Create(3);
        Vector128<int> lower = Vector128.Equals(selectors.AsInt32() & Vector128.Create(4), default);
        return Vector128.ConditionalSelect(lower, Vector128.ShuffleNative(source.GetLower().AsInt32(), within),
            Vector128.ShuffleNative(source.GetUpper().AsInt32(), within)).AsByte();
    }
}

/// <summary>VPERMQ, VPERMPD with an immediate. 256 bits only.</summary>
internal readonly struct PermuteQuadwords : IVectorUnaryImmediate<PermuteQuadwords>
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<byte> Apply(Vector128<byte> a, byte imm) => Apply(a.ToVector256(), imm).GetLower();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<byte> Apply(Vector256<byte> a, byte imm) =>
        Vector256.IsHardwareAccelerated
            ? Vector256.ShuffleNative(a.AsInt64(), Vector256.Create(imm & 3L, imm >> 2 & 3, imm >> 4 & 3, imm >> 6)).AsByte()
            : Vector256.Create(Two(a, imm), Two(a, imm >> 4));

    /// <summary>Two of the four quadwords, as pairs of doublewords.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<byte> Two(Vector256<byte> a, int imm)
    {
        int first = (imm & 3) * 2, second = (imm >> 2 & 3) * 2;
        return PermuteDoublewordsBy.OfBoth(Vector128.Create(first, first + 1, second, second + 1).AsByte(), a);
    }
}

/// <summary>VPERM2F128, VPERM2I128: each half is one of the operands' four halves, or zero. 256 bits only.</summary>
internal readonly struct PermuteHalves : IVectorBinaryImmediate<PermuteHalves>
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<byte> Apply(Vector128<byte> a, Vector128<byte> b, byte imm) => Half(a.ToVector256(), b.ToVector256(), imm);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<byte> Apply(Vector256<byte> a, Vector256<byte> b, byte imm) => Vector256.Create(Half(a, b, imm), Half(a, b, imm >> 4));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<byte> Half(Vector256<byte> a, Vector256<byte> b, int control)
    {
        Vector256<byte> source = (control & 2) == 0 ? a : b;
        return (control & 8) != 0 ? default : (control & 1) == 0 ? source.GetLower() : source.GetUpper();
    }
}

/// <summary>VINSERTF128, VINSERTI128: one half is replaced by the second operand's low half. 256 bits only.</summary>
internal readonly struct InsertHalf : IVectorBinaryImmediate<InsertHalf>
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<byte> Apply(Vector128<byte> a, Vector128<byte> b, byte imm) => (imm & 1) == 0 ? b : a;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<byte> Apply(Vector256<byte> a, Vector256<byte> b, byte imm) =>
        (imm & 1) == 0 ? a.WithLower(b.GetLower()) : a.WithUpper(b.GetLower());
}
