using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Hv.Cpu.Simd;

/// <summary>Which bits a test of two vectors looks at, as a type: all, or the signs of their elements.</summary>
internal interface IVectorTest
{
    /// <summary>A quadword with ones where it counts.</summary>
    static abstract ulong Mask { get; }
}

/// <summary>PTEST.</summary>
internal readonly struct AllBits : IVectorTest
{
    public static ulong Mask => ulong.MaxValue;
}

/// <summary>VTESTPS.</summary>
internal readonly struct SingleSigns : IVectorTest
{
    public static ulong Mask => 0x8000_0000_8000_0000;
}

/// <summary>VTESTPD.</summary>
internal readonly struct DoubleSigns : IVectorTest
{
    public static ulong Mask => 0x8000_0000_0000_0000;
}

/// <summary>ZF and CF of the tests (SDM 2B PTEST; 2C VTESTPD/VTESTPS).</summary>
internal static class VectorTest
{
    /// <summary>ZF: no bit that counts is set in both.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static bool IsDisjoint<TTest>(Vector128<byte> a, Vector128<byte> b) where TTest : struct, IVectorTest =>
        (a & b & Vector128.Create(TTest.Mask).AsByte()) == Vector128<byte>.Zero;

    /// <summary>As for 128 bits.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static bool IsDisjoint<TTest>(Vector256<byte> a, Vector256<byte> b) where TTest : struct, IVectorTest =>
        (a & b & Vector256.Create(TTest.Mask).AsByte()) == Vector256<byte>.Zero;

    /// <summary>CF: no bit that counts is set in the second operand alone.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static bool IsSubset<TTest>(Vector128<byte> a, Vector128<byte> b) where TTest : struct, IVectorTest =>
        (Vector128.AndNot(b, a) & Vector128.Create(TTest.Mask).AsByte()) == Vector128<byte>.Zero;

    /// <summary>As for 128 bits.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static bool IsSubset<TTest>(Vector256<byte> a, Vector256<byte> b) where TTest : struct, IVectorTest =>
        (Vector256.AndNot(b, a) & Vector256.Create(TTest.Mask).AsByte()) == Vector256<byte>.Zero;
}
