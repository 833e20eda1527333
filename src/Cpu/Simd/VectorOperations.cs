using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Hv.Cpu.Simd;

/// <summary>An operation on two vectors, as a type. On 256 bits it is by default the same in both 128-bit lanes, as nearly all of AVX2 is (SDM 1
/// 14.1).</summary>
internal interface IVectorBinary<TSelf> where TSelf : struct, IVectorBinary<TSelf>
{
    static abstract Vector128<byte> Apply(Vector128<byte> a, Vector128<byte> b);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static virtual Vector256<byte> Apply(Vector256<byte> a, Vector256<byte> b) =>
        Vector256.Create(TSelf.Apply(a.GetLower(), b.GetLower()), TSelf.Apply(a.GetUpper(), b.GetUpper()));
}

/// <summary>An operation on two vectors and the immediate byte, as a type.</summary>
internal interface IVectorBinaryImmediate<TSelf> where TSelf : struct, IVectorBinaryImmediate<TSelf>
{
    static abstract Vector128<byte> Apply(Vector128<byte> a, Vector128<byte> b, byte immediate);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static virtual Vector256<byte> Apply(Vector256<byte> a, Vector256<byte> b, byte immediate) =>
        Vector256.Create(TSelf.Apply(a.GetLower(), b.GetLower(), immediate), TSelf.Apply(a.GetUpper(), b.GetUpper(), immediate));
}

/// <summary>An operation on one vector, as a type.</summary>
internal interface IVectorUnary<TSelf> where TSelf : struct, IVectorUnary<TSelf>
{
    static abstract Vector128<byte> Apply(Vector128<byte> a);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static virtual Vector256<byte> Apply(Vector256<byte> a) => Vector256.Create(TSelf.Apply(a.GetLower()), TSelf.Apply(a.GetUpper()));
}

/// <summary>An operation on one vector and the immediate byte, as a type.</summary>
internal interface IVectorUnaryImmediate<TSelf> where TSelf : struct, IVectorUnaryImmediate<TSelf>
{
    static abstract Vector128<byte> Apply(Vector128<byte> a, byte immediate);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static virtual Vector256<byte> Apply(Vector256<byte> a, byte immediate) =>
        Vector256.Create(TSelf.Apply(a.GetLower(), immediate), TSelf.Apply(a.GetUpper(), immediate));
}

/// <summary>An operation on three vectors, as a type. The third is XMM0 of a legacy encoding, and the register in a VEX encoding's
/// immediate.</summary>
internal interface IVectorTernary<TSelf> where TSelf : struct, IVectorTernary<TSelf>
{
    static abstract Vector128<byte> Apply(Vector128<byte> a, Vector128<byte> b, Vector128<byte> c);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static virtual Vector256<byte> Apply(Vector256<byte> a, Vector256<byte> b, Vector256<byte> c) =>
        Vector256.Create(TSelf.Apply(a.GetLower(), b.GetLower(), c.GetLower()), TSelf.Apply(a.GetUpper(), b.GetUpper(), c.GetUpper()));
}

/// <summary>The 256-bit form of an operation that does the same in both lanes, for hosts without a wider instruction.</summary>
internal static class Halves
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static Vector256<byte> Each<TOp>(Vector256<byte> a, Vector256<byte> b) where TOp : struct, IVectorBinary<TOp> =>
        Vector256.Create(TOp.Apply(a.GetLower(), b.GetLower()), TOp.Apply(a.GetUpper(), b.GetUpper()));
}
