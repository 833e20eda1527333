using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Hv.Cpu.Floating;

namespace Hv.Cpu.Simd;

/// <summary>ROUNDPS and its like: to an integral value, by bits 1:0 of the immediate or, with bit 2, by MXCSR.RC; bit 3 keeps inexact quiet
/// (SDM 2B ROUNDPD).</summary>
internal readonly struct RoundToIntegral : IFloatOperation, ILaneOperation
{
    private const int ByMxcsr = 4, QuietInexact = 8;

    public static bool Rounds => true;

    public static bool IsUnary => true;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<T> Compute<T>(Vector128<T> a, Vector128<T> b, int immediate) => typeof(T) == typeof(float)
        ? Single(b.AsSingle(), Mode(immediate, RoundingMode.Nearest)).As<float, T>()
        : Double(b.AsDouble(), Mode(immediate, RoundingMode.Nearest)).As<double, T>();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<T> Certain<T>(Vector128<T> a, Vector128<T> b, Vector128<T> result) => Lanes.IsPlain(b);

    public static Vector128<T> Exact<T>(Vector128<T> a, Vector128<T> b, Vector128<T> result, int immediate) =>
        (immediate & QuietInexact) != 0 ? Vector128<T>.AllBitsSet : Vector128.Equals(b, result);

    public static Vector256<T> Soft<T>(Vector256<T> a, Vector256<T> b, uint lanes, int immediate, ref FloatEnvironment environment) =>
        Lanes.Apply<RoundToIntegral, T>(a, b, lanes, immediate, ref environment);

    /// <summary>Denormals raise nothing of their own (SDM 2B ROUNDPD).</summary>
    public static ulong Apply<TFormat>(ulong a, ulong b, int immediate, ref FloatEnvironment environment) where TFormat : struct, IFloatFormat
    {
        FloatParts parts = FloatParts.Unpack<TFormat>(b, in environment);
        return FloatConversion.RoundToIntegral(in parts, Mode(immediate, environment.Rounding), (immediate & QuietInexact) != 0, ref environment)
            .To<TFormat>(ref environment);
    }

    private static RoundingMode Mode(int immediate, RoundingMode byMxcsr) =>
        (immediate & ByMxcsr) != 0 ? byMxcsr : (RoundingMode)(immediate & 3);

    private static Vector128<float> Single(Vector128<float> value, RoundingMode mode) => mode switch
    {
        RoundingMode.Down => Vector128.Floor(value),
        RoundingMode.Up => Vector128.Ceiling(value),
        RoundingMode.Zero => Vector128.Truncate(value),
        _ => Vector128.Round(value, MidpointRounding.ToEven),
    };

    private static Vector128<double> Double(Vector128<double> value, RoundingMode mode) => mode switch
    {
        RoundingMode.Down => Vector128.Floor(value),
        RoundingMode.Up => Vector128.Ceiling(value),
        RoundingMode.Zero => Vector128.Truncate(value),
        _ => Vector128.Round(value, MidpointRounding.ToEven),
    };
}
