using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Hv.Cpu.Floating;

namespace Hv.Cpu.Simd;

/// <summary>One lane of an operation on two sources in software: exact in every mode, and every exception is raised.</summary>
internal interface ILaneOperation
{
    static abstract ulong Apply<TFormat>(ulong a, ulong b, int immediate, ref FloatEnvironment environment) where TFormat : struct, IFloatFormat;
}

/// <summary>Vectors of <see langword="float"/> and <see langword="double"/>, lane by lane.</summary>
internal static class Lanes
{
    /// <summary>The bits of lane <paramref name="index"/>, zero-extended.</summary>
    internal static ulong Bits<T>(ref Vector256<T> vector, int index) => typeof(T) == typeof(float)
        ? Unsafe.Add(ref Unsafe.As<Vector256<T>, uint>(ref vector), index)
        : Unsafe.Add(ref Unsafe.As<Vector256<T>, ulong>(ref vector), index);

    /// <summary>Replaces lane <paramref name="index"/>.</summary>
    internal static void Set<T>(ref Vector256<T> vector, int index, ulong bits)
    {
        if (typeof(T) == typeof(float))
            Unsafe.Add(ref Unsafe.As<Vector256<T>, uint>(ref vector), index) = (uint)bits;
        else
            Unsafe.Add(ref Unsafe.As<Vector256<T>, ulong>(ref vector), index) = bits;
    }

    /// <summary>Applies an operation to the lanes whose bit is set in <paramref name="lanes"/>; the others stay as in <paramref name="a"/>.</summary>
    internal static Vector256<T> Apply<TLane, T>(Vector256<T> a, Vector256<T> b, uint lanes, int immediate, ref FloatEnvironment environment)
        where TLane : struct, ILaneOperation
    {
        for (; lanes != 0; lanes &= lanes - 1)
        {
            int i = BitOperations.TrailingZeroCount(lanes);
            ulong first = Bits(ref a, i), second = Bits(ref b, i);
            Set(ref a, i, typeof(T) == typeof(float)
                ? TLane.Apply<Single32>(first, second, immediate, ref environment)
                : TLane.Apply<Double64>(first, second, immediate, ref environment));
        }

        return a;
    }

    /// <summary>The lanes whose magnitude is at least the smallest normal number: also infinities, not NaN.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static Vector128<T> IsNormalOrLarger<T>(Vector128<T> value) => Vector128.GreaterThanOrEqual(Vector128.Abs(value), SmallestNormal<T>());

    /// <summary>The lanes that raise nothing as an operand of an addition and its like: all but denormals and NaN.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static Vector128<T> IsPlain<T>(Vector128<T> value) => IsNormalOrLarger(value) | IsZero(value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static Vector128<T> IsZero<T>(Vector128<T> value) => Vector128.Equals(value, Vector128<T>.Zero);

    /// <summary>The lanes that are normal and finite.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static Vector128<T> IsNormal<T>(Vector128<T> value)
    {
        Vector128<T> magnitude = Vector128.Abs(value);
        return Vector128.GreaterThanOrEqual(magnitude, SmallestNormal<T>()) & Vector128.LessThanOrEqual(magnitude, Largest<T>());
    }

    /// <summary>The lanes that are finite and above the smallest normal number, so that no rounding lifted them out of the denormals.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static Vector128<T> IsAboveTiny<T>(Vector128<T> value)
    {
        Vector128<T> magnitude = Vector128.Abs(value);
        return Vector128.GreaterThan(magnitude, SmallestNormal<T>()) & Vector128.LessThanOrEqual(magnitude, Largest<T>());
    }

    /// <summary>The lanes of at least half the smallest normal number's exponent: the error of a product or quotient of this size is no
    /// denormal.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static Vector128<T> HasRoom<T>(Vector128<T> value)
    {
        Vector128<T> limit = typeof(T) == typeof(float)
            ? Vector128.Create(64U << 23).As<uint, T>()
            : Vector128.Create(512UL << 52).As<ulong, T>();
        return Vector128.GreaterThan(Vector128.Abs(value), limit);
    }

    /// <summary>a × b + c with one rounding.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static Vector128<T> MultiplyAdd<T>(Vector128<T> a, Vector128<T> b, Vector128<T> c) => typeof(T) == typeof(float)
        ? Vector128.FusedMultiplyAdd(a.AsSingle(), b.AsSingle(), c.AsSingle()).As<float, T>()
        : Vector128.FusedMultiplyAdd(a.AsDouble(), b.AsDouble(), c.AsDouble()).As<double, T>();

    /// <summary>Flips the signs; of NaNs too.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static Vector128<T> Negate<T>(Vector128<T> value) => typeof(T) == typeof(float)
        ? (value.AsUInt32() ^ Vector128.Create(1U << 31)).As<uint, T>()
        : (value.AsUInt64() ^ Vector128.Create(1UL << 63)).As<ulong, T>();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<T> SmallestNormal<T>() => typeof(T) == typeof(float)
        ? Vector128.Create(1U << 23).As<uint, T>()
        : Vector128.Create(1UL << 52).As<ulong, T>();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<T> Largest<T>() => typeof(T) == typeof(float)
        ? Vector128.Create(float.MaxValue).As<float, T>()
        : Vector128.Create(double.MaxValue).As<double, T>();
}
