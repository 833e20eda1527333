using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Hv.Cpu.Floating;

namespace Hv.Cpu.Simd;

/// <summary>
/// A floating-point operation on 128 bits of lanes of <see langword="float"/> or <see langword="double"/>, as a type: the host's arithmetic with the
/// proof that its result is the guest's, and the operation in software for every other case.
/// </summary>
internal interface IFloatOperation
{
    /// <summary>Whether results are rounded: they depend on MXCSR and may be inexact. Otherwise a certain result raises nothing whatever MXCSR
    /// says.</summary>
    static abstract bool Rounds { get; }

    /// <summary>Whether there is one source only, the second.</summary>
    static virtual bool IsUnary => false;

    /// <summary>The result by the host's arithmetic, right where <see cref="Certain{T}"/> says so.</summary>
    static abstract Vector128<T> Compute<T>(Vector128<T> a, Vector128<T> b, int immediate);

    /// <summary>The lanes (all ones) where <paramref name="result"/> is right under an ordinary MXCSR and nothing but inexact is raised: neither a
    /// source nor the result is denormal or tiny before rounding.</summary>
    static abstract Vector128<T> Certain<T>(Vector128<T> a, Vector128<T> b, Vector128<T> result);

    /// <summary>Of the certain lanes those where the result is exact; lanes may be missing.</summary>
    static abstract Vector128<T> Exact<T>(Vector128<T> a, Vector128<T> b, Vector128<T> result, int immediate);

    /// <summary>The lanes whose bit is set in <paramref name="lanes"/>, exact in every mode; the others are the first source's. All lanes at once,
    /// because their exceptions are (SDM 1 11.5.3).</summary>
    static abstract Vector256<T> Soft<T>(Vector256<T> a, Vector256<T> b, uint lanes, int immediate, ref FloatEnvironment environment);
}

/// <summary>ADDPS and its like.</summary>
internal readonly struct Addition : IFloatOperation, ILaneOperation
{
    public static bool Rounds => true;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<T> Compute<T>(Vector128<T> a, Vector128<T> b, int immediate) => a + b;

    /// <summary>A tiny sum is exact, so that a zero or the smallest normal number is never a rounded one.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<T> Certain<T>(Vector128<T> a, Vector128<T> b, Vector128<T> result) =>
        Lanes.IsPlain(a) & Lanes.IsPlain(b) & (Lanes.IsNormal(result) | Lanes.IsZero(result));

    /// <summary>Knuth's error of a sum: exact where it is 0.</summary>
    public static Vector128<T> Exact<T>(Vector128<T> a, Vector128<T> b, Vector128<T> result, int immediate)
    {
        Vector128<T> part = result - a;
        return Lanes.IsZero((a - (result - part)) + (b - part));
    }

    public static Vector256<T> Soft<T>(Vector256<T> a, Vector256<T> b, uint lanes, int immediate, ref FloatEnvironment environment) =>
        Lanes.Apply<Addition, T>(a, b, lanes, immediate, ref environment);

    public static ulong Apply<TFormat>(ulong a, ulong b, int immediate, ref FloatEnvironment environment) where TFormat : struct, IFloatFormat =>
        FloatArithmetic.Add(FloatParts.Unpack<TFormat>(a, in environment), FloatParts.Unpack<TFormat>(b, in environment), false, ref environment)
            .To<TFormat>(ref environment);
}

/// <summary>SUBPS and its like.</summary>
internal readonly struct Subtraction : IFloatOperation, ILaneOperation
{
    public static bool Rounds => true;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<T> Compute<T>(Vector128<T> a, Vector128<T> b, int immediate) => a - b;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<T> Certain<T>(Vector128<T> a, Vector128<T> b, Vector128<T> result) => Addition.Certain(a, b, result);

    public static Vector128<T> Exact<T>(Vector128<T> a, Vector128<T> b, Vector128<T> result, int immediate) =>
        Addition.Exact(a, Lanes.Negate(b), result, immediate);

    public static Vector256<T> Soft<T>(Vector256<T> a, Vector256<T> b, uint lanes, int immediate, ref FloatEnvironment environment) =>
        Lanes.Apply<Subtraction, T>(a, b, lanes, immediate, ref environment);

    public static ulong Apply<TFormat>(ulong a, ulong b, int immediate, ref FloatEnvironment environment) where TFormat : struct, IFloatFormat =>
        FloatArithmetic.Add(FloatParts.Unpack<TFormat>(a, in environment), FloatParts.Unpack<TFormat>(b, in environment), true, ref environment)
            .To<TFormat>(ref environment);
}

/// <summary>MULPS and its like.</summary>
internal readonly struct Multiplication : IFloatOperation, ILaneOperation
{
    public static bool Rounds => true;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<T> Compute<T>(Vector128<T> a, Vector128<T> b, int immediate) => a * b;

    /// <summary>A zero is certain only of a zero: it may have underflowed.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<T> Certain<T>(Vector128<T> a, Vector128<T> b, Vector128<T> result) =>
        Lanes.IsPlain(a) & Lanes.IsPlain(b) & (Lanes.IsAboveTiny(result) | (Lanes.IsZero(result) & (Lanes.IsZero(a) | Lanes.IsZero(b))));

    public static Vector128<T> Exact<T>(Vector128<T> a, Vector128<T> b, Vector128<T> result, int immediate) =>
        Lanes.IsZero(result) | (Lanes.HasRoom(result) & Lanes.IsZero(Lanes.MultiplyAdd(a, b, Lanes.Negate(result))));

    public static Vector256<T> Soft<T>(Vector256<T> a, Vector256<T> b, uint lanes, int immediate, ref FloatEnvironment environment) =>
        Lanes.Apply<Multiplication, T>(a, b, lanes, immediate, ref environment);

    public static ulong Apply<TFormat>(ulong a, ulong b, int immediate, ref FloatEnvironment environment) where TFormat : struct, IFloatFormat =>
        FloatArithmetic.Multiply(FloatParts.Unpack<TFormat>(a, in environment), FloatParts.Unpack<TFormat>(b, in environment), ref environment)
            .To<TFormat>(ref environment);
}

/// <summary>DIVPS and its like.</summary>
internal readonly struct Division : IFloatOperation, ILaneOperation
{
    public static bool Rounds => true;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<T> Compute<T>(Vector128<T> a, Vector128<T> b, int immediate) => a / b;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<T> Certain<T>(Vector128<T> a, Vector128<T> b, Vector128<T> result) =>
        Lanes.IsPlain(a) & Lanes.IsPlain(b) & (Lanes.IsAboveTiny(result) | (Lanes.IsZero(result) & Lanes.IsZero(a)));

    public static Vector128<T> Exact<T>(Vector128<T> a, Vector128<T> b, Vector128<T> result, int immediate) =>
        Lanes.IsZero(result) | (Lanes.HasRoom(a) & Lanes.IsZero(Lanes.MultiplyAdd(result, b, Lanes.Negate(a))));

    public static Vector256<T> Soft<T>(Vector256<T> a, Vector256<T> b, uint lanes, int immediate, ref FloatEnvironment environment) =>
        Lanes.Apply<Division, T>(a, b, lanes, immediate, ref environment);

    public static ulong Apply<TFormat>(ulong a, ulong b, int immediate, ref FloatEnvironment environment) where TFormat : struct, IFloatFormat =>
        FloatArithmetic.Divide(FloatParts.Unpack<TFormat>(a, in environment), FloatParts.Unpack<TFormat>(b, in environment), ref environment)
            .To<TFormat>(ref environment);
}

/// <summary>SQRTPS and its like.</summary>
internal readonly struct SquareRoot : IFloatOperation, ILaneOperation
{
    public static bool Rounds => true;

    public static bool IsUnary => true;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<T> Compute<T>(Vector128<T> a, Vector128<T> b, int immediate) => Vector128.Sqrt(b);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<T> Certain<T>(Vector128<T> a, Vector128<T> b, Vector128<T> result) =>
        Lanes.IsZero(b) | (Lanes.IsNormal(b) & Lanes.IsNormal(result));

    public static Vector128<T> Exact<T>(Vector128<T> a, Vector128<T> b, Vector128<T> result, int immediate) =>
        Lanes.IsZero(b) | (Lanes.HasRoom(b) & Lanes.IsZero(Lanes.MultiplyAdd(result, result, Lanes.Negate(b))));

    public static Vector256<T> Soft<T>(Vector256<T> a, Vector256<T> b, uint lanes, int immediate, ref FloatEnvironment environment) =>
        Lanes.Apply<SquareRoot, T>(a, b, lanes, immediate, ref environment);

    public static ulong Apply<TFormat>(ulong a, ulong b, int immediate, ref FloatEnvironment environment) where TFormat : struct, IFloatFormat =>
        FloatArithmetic.SquareRoot(FloatParts.Unpack<TFormat>(b, in environment), ref environment).To<TFormat>(ref environment);
}
