using System.Runtime.Intrinsics;
using Hv.Cpu.Floating;

namespace Hv.Cpu.Simd;

/// <summary>
/// RCPPS and RSQRTPS: approximations with a relative error up to 1.5 × 2^-12 that neither obey nor change MXCSR (SDM 2B RCPPS, RSQRTPS). Makers
/// choose the values; these are the ones of docs/adr/0028-vector-floating-point.md: the function at the middle of the interval that the top fraction bits select,
/// rounded to 12 fraction bits.
/// </summary>
internal readonly struct Reciprocal : IFloatOperation, ILaneOperation
{
    public static bool Rounds => false;

    public static bool IsUnary => true;

    public static Vector128<T> Compute<T>(Vector128<T> a, Vector128<T> b, int immediate) => default;

    public static Vector128<T> Certain<T>(Vector128<T> a, Vector128<T> b, Vector128<T> result) => default;

    public static Vector128<T> Exact<T>(Vector128<T> a, Vector128<T> b, Vector128<T> result, int immediate) => default;

    public static Vector256<T> Soft<T>(Vector256<T> a, Vector256<T> b, uint lanes, int immediate, ref FloatEnvironment environment) =>
        Lanes.Apply<Reciprocal, T>(a, b, lanes, immediate, ref environment);

    public static ulong Apply<TFormat>(ulong a, ulong b, int immediate, ref FloatEnvironment environment) where TFormat : struct, IFloatFormat =>
        Approximate((uint)b);

    private const int IntervalBits = 11;

    internal static uint Approximate(uint value)
    {
        uint sign = value & Approximation.SignBit;
        int exponent = (int)(value >> 23 & 0xFF);
        if (exponent == Approximation.MaxExponent)
            return (value & Approximation.FractionMask) == 0 ? sign : value | Approximation.QuietBit;
        if (exponent == 0)
            return sign | Approximation.Infinity;

        // 1.f lies in interval n of 2^-11 and has its middle at (2^12 + 2n + 1) / 2^12; its reciprocal is in (1/2, 1).
        uint middle = (1u << (IntervalBits + 1)) + 2 * (value >> (23 - IntervalBits) & ((1u << IntervalBits) - 1)) + 1;
        uint significand = ((1u << (Approximation.ResultBits + IntervalBits + 3)) / middle + 1) >> 1;
        int result = 2 * Approximation.Bias - 1 - exponent;
        return result <= 0 ? sign : sign | Approximation.Pack(result, significand);
    }
}

/// <summary>See <see cref="Reciprocal"/>.</summary>
internal readonly struct ReciprocalSquareRoot : IFloatOperation, ILaneOperation
{
    public static bool Rounds => false;

    public static bool IsUnary => true;

    public static Vector128<T> Compute<T>(Vector128<T> a, Vector128<T> b, int immediate) => default;

    public static Vector128<T> Certain<T>(Vector128<T> a, Vector128<T> b, Vector128<T> result) => default;

    public static Vector128<T> Exact<T>(Vector128<T> a, Vector128<T> b, Vector128<T> result, int immediate) => default;

    public static Vector256<T> Soft<T>(Vector256<T> a, Vector256<T> b, uint lanes, int immediate, ref FloatEnvironment environment) =>
        Lanes.Apply<ReciprocalSquareRoot, T>(a, b, lanes, immediate, ref environment);

    private const int IntervalBits = 10;

    public static ulong Apply<TFormat>(ulong a, ulong b, int immediate, ref FloatEnvironment environment) where TFormat : struct, IFloatFormat =>
        Approximate((uint)b);

    internal static uint Approximate(uint value)
    {
        uint sign = value & Approximation.SignBit;
        int exponent = (int)(value >> 23 & 0xFF);
        if (exponent == Approximation.MaxExponent && (value & Approximation.FractionMask) != 0)
            return value | Approximation.QuietBit;
        if (exponent == 0)
            return sign | Approximation.Infinity;
        if (sign != 0)
            return Approximation.Indefinite;
        if (exponent == Approximation.MaxExponent)
            return 0;

        // With an even power split off, the radicand is in [1, 4) and the result in (1/2, 1]: 2^13 / sqrt(middle), rounded by its doubled floor.
        bool odd = (exponent - Approximation.Bias & 1) != 0;
        uint middle = (1u << (IntervalBits + 1)) + 2 * (value >> (23 - IntervalBits) & ((1u << IntervalBits) - 1)) + 1;
        ulong square = (1UL << (2 * Approximation.ResultBits + IntervalBits + 5 - (odd ? 1 : 0))) / middle;
        uint significand = ((uint)Math.Sqrt(square) + 1) >> 1;
        int result = Approximation.Bias - 1 - (exponent - Approximation.Bias - (odd ? 1 : 0)) / 2;
        return Approximation.Pack(result, significand);
    }
}

/// <summary>What both approximations share: binary32, and results of 12 fraction bits.</summary>
internal static class Approximation
{
    internal const uint SignBit = 1U << 31, FractionMask = (1U << 23) - 1, QuietBit = 1U << 22, Infinity = 0xFFU << 23, Indefinite = 0xFFC00000;
    internal const int MaxExponent = 0xFF, Bias = 127, ResultBits = 12;

    /// <summary>A normal number by its biased exponent and its significand of 13 bits.</summary>
    internal static uint Pack(int exponent, uint significand) => (uint)exponent << 23 | (significand & ((1u << ResultBits) - 1)) << (23 - ResultBits);
}
