using System.Runtime.CompilerServices;
using Hv.Cpu.Floating;

namespace Hv.Cpu.Simd;

/// <summary>One lane's conversion, as a type: by the host's arithmetic with the proof that its result is the guest's, and in software for every
/// other case. Lanes are zero-extended bits.</summary>
internal interface ILaneConversion
{
    /// <summary>Bytes of a source lane and of a result lane.</summary>
    static abstract int SourceSize { get; }

    static abstract int ResultSize { get; }

    /// <summary>Whether results are rounded; see <see cref="IFloatOperation.Rounds"/>.</summary>
    static abstract bool Rounds { get; }

    static abstract ulong Compute(ulong source);

    static abstract bool Certain(ulong source, ulong result);

    static abstract bool Exact(ulong source, ulong result);

    static abstract ulong Soft(ulong source, ref FloatEnvironment environment);
}

/// <summary>CVTPS2PD, CVTSS2SD.</summary>
internal readonly struct SingleToDouble : ILaneConversion
{
    public static int SourceSize => 4;

    public static int ResultSize => 8;

    public static bool Rounds => false;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Compute(ulong source) => BitConverter.DoubleToUInt64Bits(BitConverter.UInt32BitsToSingle((uint)source));

    /// <summary>Normal, or zero.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool Certain(ulong source, ulong result)
    {
        uint magnitude = (uint)source << 1;
        return magnitude - (1U << 24) < (0xFFU << 24) - (1U << 24) || magnitude == 0;
    }

    public static bool Exact(ulong source, ulong result) => true;

    public static ulong Soft(ulong source, ref FloatEnvironment environment) =>
        FloatConversion.Convert(FloatParts.Unpack<Single32>(source, in environment), ref environment).To<Double64>(ref environment);
}

/// <summary>CVTPD2PS, CVTSD2SS.</summary>
internal readonly struct DoubleToSingle : ILaneConversion
{
    public static int SourceSize => 8;

    public static int ResultSize => 4;

    public static bool Rounds => true;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Compute(ulong source) => BitConverter.SingleToUInt32Bits((float)BitConverter.UInt64BitsToDouble(source));

    /// <summary>Above the smallest normal number, so that no rounding lifted it out of the denormals, and finite; or a zero of a zero.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool Certain(ulong source, ulong result)
    {
        uint magnitude = (uint)result << 1;
        return magnitude - ((1U << 24) + 1) < (0xFFU << 24) - ((1U << 24) + 1) || source << 1 == 0;
    }

    public static bool Exact(ulong source, ulong result) => SingleToDouble.Compute(result) == source;

    public static ulong Soft(ulong source, ref FloatEnvironment environment) =>
        FloatConversion.Convert(FloatParts.Unpack<Double64>(source, in environment), ref environment).To<Single32>(ref environment);
}

/// <summary>CVTDQ2PD, CVTSI2SD of 32 bits, CVTPI2PD.</summary>
internal readonly struct Int32ToDouble : ILaneConversion
{
    public static int SourceSize => 4;

    public static int ResultSize => 8;

    public static bool Rounds => false;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Compute(ulong source) => BitConverter.DoubleToUInt64Bits((int)source);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool Certain(ulong source, ulong result) => true;

    public static bool Exact(ulong source, ulong result) => true;

    public static ulong Soft(ulong source, ref FloatEnvironment environment) => Compute(source);
}

/// <summary>CVTSI2SD of 64 bits.</summary>
internal readonly struct Int64ToDouble : ILaneConversion
{
    public static int SourceSize => 8;

    public static int ResultSize => 8;

    public static bool Rounds => true;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Compute(ulong source) => BitConverter.DoubleToUInt64Bits((long)source);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool Certain(ulong source, ulong result) => true;

    /// <summary>Up to 53 bits.</summary>
    public static bool Exact(ulong source, ulong result) => source + (1UL << 53) <= 1UL << 54;

    public static ulong Soft(ulong source, ref FloatEnvironment environment) =>
        FloatConversion.FromInteger((long)source).To<Double64>(ref environment);
}

/// <summary>CVTDQ2PS, CVTSI2SS of 32 bits, CVTPI2PS.</summary>
internal readonly struct Int32ToSingle : ILaneConversion
{
    public static int SourceSize => 4;

    public static int ResultSize => 4;

    public static bool Rounds => true;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Compute(ulong source) => BitConverter.SingleToUInt32Bits((float)(double)(int)source);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool Certain(ulong source, ulong result) => true;

    public static bool Exact(ulong source, ulong result) => SingleToDouble.Compute(result) == Int32ToDouble.Compute(source);

    public static ulong Soft(ulong source, ref FloatEnvironment environment) =>
        FloatConversion.FromInteger((int)source).To<Single32>(ref environment);
}

/// <summary>CVTSI2SS of 64 bits.</summary>
internal readonly struct Int64ToSingle : ILaneConversion
{
    public static int SourceSize => 8;

    public static int ResultSize => 4;

    public static bool Rounds => true;

    /// <summary>By way of binary64, which is exact for what <see cref="Certain"/> admits.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Compute(ulong source) => BitConverter.SingleToUInt32Bits((float)(double)(long)source);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool Certain(ulong source, ulong result) => source + (1UL << 53) <= 1UL << 54;

    public static bool Exact(ulong source, ulong result) => SingleToDouble.Compute(result) == Int64ToDouble.Compute(source);

    public static ulong Soft(ulong source, ref FloatEnvironment environment) =>
        FloatConversion.FromInteger((long)source).To<Single32>(ref environment);
}

/// <summary>VCVTPH2PS: denormals of the half format raise nothing and DAZ does not flush them (SDM 2C VCVTPH2PS).</summary>
internal readonly struct HalfToSingle : ILaneConversion
{
    public static int SourceSize => 2;

    public static int ResultSize => 4;

    public static bool Rounds => false;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Compute(ulong source) => BitConverter.SingleToUInt32Bits((float)BitConverter.UInt16BitsToHalf((ushort)source));

    /// <summary>All but NaN.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool Certain(ulong source, ulong result) => (source & 0x7FFF) <= 0x7C00;

    public static bool Exact(ulong source, ulong result) => true;

    public static ulong Soft(ulong source, ref FloatEnvironment environment)
    {
        FloatParts parts = FloatParts.Unpack<Half16>(source);
        parts.Denormal = false;
        return FloatConversion.Convert(in parts, ref environment).To<Single32>(ref environment);
    }
}
