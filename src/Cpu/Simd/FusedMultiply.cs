using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Hv.Cpu.Floating;

namespace Hv.Cpu.Simd;

/// <summary>Which signs a fused multiplication changes before its one rounding, as a type.</summary>
internal interface IFusedSigns
{
    /// <summary>Whether the product is negated (VFNMADD, VFNMSUB).</summary>
    static abstract bool NegatesProduct { get; }

    /// <summary>Lanes whose addend is subtracted: bit n for lane n modulo 2.</summary>
    static abstract uint Subtracts { get; }
}

/// <summary>VFMADD.</summary>
internal readonly struct AddProduct : IFusedSigns
{
    public static bool NegatesProduct => false;

    public static uint Subtracts => 0b00;
}

/// <summary>VFMSUB.</summary>
internal readonly struct SubtractFromProduct : IFusedSigns
{
    public static bool NegatesProduct => false;

    public static uint Subtracts => 0b11;
}

/// <summary>VFNMADD.</summary>
internal readonly struct AddNegatedProduct : IFusedSigns
{
    public static bool NegatesProduct => true;

    public static uint Subtracts => 0b00;
}

/// <summary>VFNMSUB.</summary>
internal readonly struct SubtractFromNegatedProduct : IFusedSigns
{
    public static bool NegatesProduct => true;

    public static uint Subtracts => 0b11;
}

/// <summary>VFMADDSUB: odd lanes are added, even ones subtracted.</summary>
internal readonly struct AlternateFromSubtract : IFusedSigns
{
    public static bool NegatesProduct => false;

    public static uint Subtracts => 0b01;
}

/// <summary>VFMSUBADD: odd lanes are subtracted, even ones added.</summary>
internal readonly struct AlternateFromAdd : IFusedSigns
{
    public static bool NegatesProduct => false;

    public static uint Subtracts => 0b10;
}

/// <summary>±(a × b) ± c with one rounding, on 128 bits of lanes (SDM 1 14.5).</summary>
internal static class FusedMultiply<TSigns> where TSigns : struct, IFusedSigns
{
    /// <summary>The result by the host's arithmetic, right where <see cref="Certain{T}"/> says so.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static Vector128<T> Compute<T>(Vector128<T> a, Vector128<T> b, Vector128<T> c) =>
        Lanes.MultiplyAdd(TSigns.NegatesProduct ? Lanes.Negate(a) : a, b, c ^ Signs<T>());

    /// <summary>The lanes where <paramref name="result"/> is right under an ordinary MXCSR and nothing but inexact is raised.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static Vector128<T> Certain<T>(Vector128<T> a, Vector128<T> b, Vector128<T> c, Vector128<T> result) =>
        Lanes.IsPlain(a) & Lanes.IsPlain(b) & Lanes.IsPlain(c)
        & (Lanes.IsAboveTiny(result) | (Lanes.IsZero(result) & (Lanes.IsZero(a) | Lanes.IsZero(b))));

    /// <summary>Every lane whose bit is set in <paramref name="lanes"/>, exact in every mode.</summary>
    internal static Vector256<T> Soft<T>(Vector256<T> a, Vector256<T> b, Vector256<T> c, uint lanes, ref FloatEnvironment environment)
    {
        Vector256<T> result = default;
        for (; lanes != 0; lanes &= lanes - 1)
        {
            int i = BitOperations.TrailingZeroCount(lanes);
            bool subtract = (TSigns.Subtracts >> (i & 1) & 1) != 0;
            Lanes.Set(ref result, i, typeof(T) == typeof(float)
                ? Lane<Single32>(Lanes.Bits(ref a, i), Lanes.Bits(ref b, i), Lanes.Bits(ref c, i), subtract, ref environment)
                : Lane<Double64>(Lanes.Bits(ref a, i), Lanes.Bits(ref b, i), Lanes.Bits(ref c, i), subtract, ref environment));
        }

        return result;
    }

    private static ulong Lane<TFormat>(ulong a, ulong b, ulong c, bool subtract, ref FloatEnvironment environment)
        where TFormat : struct, IFloatFormat
    {
        FloatParts first = FloatParts.Unpack<TFormat>(a, in environment), third = FloatParts.Unpack<TFormat>(c, in environment);
        FloatParts second = FloatParts.Unpack<TFormat>(b, in environment);
        // A NaN keeps its sign.
        first.Sign ^= TSigns.NegatesProduct && !first.IsNan;
        third.Sign ^= subtract && !third.IsNan;
        return FloatArithmetic.MultiplyAdd(in first, in second, in third, ref environment).To<TFormat>(ref environment);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<T> Signs<T>()
    {
        ulong even = (TSigns.Subtracts & 1) != 0 ? 1UL : 0, odd = TSigns.Subtracts >> 1 != 0 ? 1UL : 0;
        return typeof(T) == typeof(float)
            ? Vector128.Create(even << 31 | odd << 63).As<ulong, T>()
            : Vector128.Create(even << 63, odd << 63).As<ulong, T>();
    }
}
