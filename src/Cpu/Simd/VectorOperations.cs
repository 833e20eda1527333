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
