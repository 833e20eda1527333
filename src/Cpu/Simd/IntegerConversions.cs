using System.Runtime.CompilerServices;
using Hv.Cpu.Floating;

namespace Hv.Cpu.Simd;

/// <summary>Whether a conversion to an integer truncates (CVTTSD2SI) or obeys MXCSR.RC (CVTSD2SI), as a type.</summary>
internal interface ITruncation
{
    static abstract bool Truncates { get; }
}

internal readonly struct Truncating : ITruncation
{
    public static bool Truncates => true;
}

internal readonly struct Rounding : ITruncation
{
    public static bool Truncates => false;
}

/// <summary>CVTSD2SI, CVTPD2DQ and their like to 32 bits.</summary>
internal readonly struct DoubleToInt32<TTruncation> : ILaneConversion where TTruncation : struct, ITruncation
{
    public static int SourceSize => 8;

    public static int ResultSize => 4;

    public static bool Rounds => true;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Compute(ulong source) => (uint)(int)IntegerConversion.Integral<TTruncation>(source);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool Certain(ulong source, ulong result) => IntegerConversion.IsWithin(source, int.MaxValue);

    public static bool Exact(ulong source, ulong result) => (int)result == BitConverter.UInt64BitsToDouble(source);

    public static ulong Soft(ulong source, ref FloatEnvironment environment) =>
        (uint)IntegerConversion.Soft<Double64, TTruncation>(source, 32, ref environment);
}

/// <summary>CVTSD2SI and CVTTSD2SI to 64 bits.</summary>
internal readonly struct DoubleToInt64<TTruncation> : ILaneConversion where TTruncation : struct, ITruncation
{
    public static int SourceSize => 8;

    public static int ResultSize => 8;

    public static bool Rounds => true;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Compute(ulong source) => (ulong)(long)IntegerConversion.Integral<TTruncation>(source);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool Certain(ulong source, ulong result) => IntegerConversion.IsWithin(source, long.MaxValue >> 1);

    public static bool Exact(ulong source, ulong result) => (double)(long)result == BitConverter.UInt64BitsToDouble(source);

    public static ulong Soft(ulong source, ref FloatEnvironment environment) =>
        IntegerConversion.Soft<Double64, TTruncation>(source, 64, ref environment);
}

/// <summary>CVTSS2SI, CVTPS2DQ and their like to 32 bits.</summary>
internal readonly struct SingleToInt32<TTruncation> : ILaneConversion where TTruncation : struct, ITruncation
{
    public static int SourceSize => 4;

    public static int ResultSize => 4;

    public static bool Rounds => true;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Compute(ulong source) => DoubleToInt32<TTruncation>.Compute(SingleToDouble.Compute(source));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool Certain(ulong source, ulong result) =>
        SingleToDouble.Certain(source, 0) && IntegerConversion.IsWithin(SingleToDouble.Compute(source), int.MaxValue);

    public static bool Exact(ulong source, ulong result) => DoubleToInt32<TTruncation>.Exact(SingleToDouble.Compute(source), result);

    public static ulong Soft(ulong source, ref FloatEnvironment environment) =>
        (uint)IntegerConversion.Soft<Single32, TTruncation>(source, 32, ref environment);
}

/// <summary>CVTSS2SI and CVTTSS2SI to 64 bits.</summary>
internal readonly struct SingleToInt64<TTruncation> : ILaneConversion where TTruncation : struct, ITruncation
{
    public static int SourceSize => 4;

    public static int ResultSize => 8;

    public static bool Rounds => true;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Compute(ulong source) => DoubleToInt64<TTruncation>.Compute(SingleToDouble.Compute(source));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool Certain(ulong source, ulong result) =>
        SingleToDouble.Certain(source, 0) && IntegerConversion.IsWithin(SingleToDouble.Compute(source), long.MaxValue >> 1);

    public static bool Exact(ulong source, ulong result) => DoubleToInt64<TTruncation>.Exact(SingleToDouble.Compute(source), result);

    public static ulong Soft(ulong source, ref FloatEnvironment environment) =>
        IntegerConversion.Soft<Single32, TTruncation>(source, 64, ref environment);
}

/// <summary>What the conversions to integers share.</summary>
internal static class IntegerConversion
{
    /// <summary>Rounded to nearest, or truncated, by the host.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static double Integral<TTruncation>(ulong source) where TTruncation : struct, ITruncation
    {
        double value = BitConverter.UInt64BitsToDouble(source);
        return TTruncation.Truncates ? value : Math.Round(value, MidpointRounding.ToEven);
    }

    /// <summary>Whether a number's magnitude is below a bound; not for a NaN.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static bool IsWithin(ulong source, long bound) => Math.Abs(BitConverter.UInt64BitsToDouble(source)) < bound;

    /// <summary>In software. A denormal raises nothing of its own (SDM 2A CVTSD2SI).</summary>
    internal static ulong Soft<TFormat, TTruncation>(ulong source, int bits, ref FloatEnvironment environment)
        where TFormat : struct, IFloatFormat
        where TTruncation : struct, ITruncation
    {
        FloatParts parts = FloatParts.Unpack<TFormat>(source, in environment);
        RoundingMode rounding = TTruncation.Truncates ? RoundingMode.Zero : environment.Rounding;
        return (ulong)FloatConversion.ToInteger(in parts, bits, rounding, ref environment);
    }
}
