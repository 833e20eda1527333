using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Hv.Cpu.Simd;

/// <summary>PBLENDW (SDM 2B): words of the second operand where the immediate's bit is set; both halves use the same eight bits.</summary>
internal readonly struct BlendWords : IVectorBinaryImmediate<BlendWords>
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<byte> Apply(Vector128<byte> a, Vector128<byte> b, byte imm) =>
        Vector128.ConditionalSelect(Selectors.Mask(imm, Vector128.Create((ushort)1, 2, 4, 8, 16, 32, 64, 128)), b, a);
}

/// <summary>BLENDPS, VPBLENDD: a bit for each doubleword.</summary>
internal readonly struct BlendDoublewords : IVectorBinaryImmediate<BlendDoublewords>
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<byte> Apply(Vector128<byte> a, Vector128<byte> b, byte imm) =>
        Vector128.ConditionalSelect(Selectors.Mask(imm, Vector128.Create(1u, 2, 4, 8)), b, a);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<byte> Apply(Vector256<byte> a, Vector256<byte> b, byte imm) =>
        Vector256.Create(Apply(a.GetLower(), b.GetLower(), imm), Apply(a.GetUpper(), b.GetUpper(), (byte)(imm >> 4)));
}

/// <summary>BLENDPD: a bit for each quadword.</summary>
internal readonly struct BlendQuadwords : IVectorBinaryImmediate<BlendQuadwords>
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<byte> Apply(Vector128<byte> a, Vector128<byte> b, byte imm) =>
        Vector128.Create((imm & 1) == 0 ? a.GetLower() : b.GetLower(), (imm & 2) == 0 ? a.GetUpper() : b.GetUpper());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<byte> Apply(Vector256<byte> a, Vector256<byte> b, byte imm) =>
        Vector256.Create(Apply(a.GetLower(), b.GetLower(), imm), Apply(a.GetUpper(), b.GetUpper(), (byte)(imm >> 2)));
}

/// <summary>PBLENDVB, BLENDVPS, BLENDVPD: elements of the second operand where the third's element is negative. T is a signed integer.</summary>
internal readonly struct BlendBySign<T> : IVectorTernary<BlendBySign<T>>
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<byte> Apply(Vector128<byte> a, Vector128<byte> b, Vector128<byte> c) =>
        Vector128.ConditionalSelect(Vector128.LessThan(c.As<byte, T>(), Vector128<T>.Zero).AsByte(), b, a);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<byte> Apply(Vector256<byte> a, Vector256<byte> b, Vector256<byte> c) =>
        Vector256.ConditionalSelect(Vector256.LessThan(c.As<byte, T>(), Vector256<T>.Zero).AsByte(), b, a);
}
