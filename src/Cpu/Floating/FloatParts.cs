using System.Numerics;

namespace Hv.Cpu.Floating;

/// <summary>What kind of number a value is.</summary>
public enum FloatClass : byte
{
    Zero,
    Finite,
    Infinity,
    QuietNan,
    SignalingNan,

    /// <summary>An 80-bit encoding that the processor does not support: unnormals, pseudo-infinities, pseudo-NaNs (SDM 1 8.2.2).</summary>
    Unsupported,
}

/// <summary>
/// A number taken apart, the same for all formats. A finite value is (-1)^Sign × Significand/2^63 × 2^Exponent with bit 63 set, denormals normalised;
/// of a NaN the significand keeps the payload, its quiet bit at 62.
/// </summary>
public struct FloatParts
{
    public ulong Significand;
    public int Exponent;
    public FloatClass Class;
    public bool Sign;

    /// <summary>The source was denormal, so that an operation on it raises that exception.</summary>
    public bool Denormal;

    internal const ulong IntegerBit = 1UL << 63, QuietBit = 1UL << 62;

    /// <summary>Whether the value is finite, not zero and not a denormal of its format: normal in the 80-bit format too.</summary>
    internal readonly bool IsNormal => Class == FloatClass.Finite && !Denormal;

    /// <summary>A normal value in the 80-bit format.</summary>
    internal readonly Extended80 ToNormal() => new(Significand, (ushort)(Exponent + Extended80.Bias | (Sign ? 0x8000 : 0)));

    public readonly bool IsNan => Class is FloatClass.QuietNan or FloatClass.SignalingNan;

    public static FloatParts Zero(bool sign) => new() { Sign = sign };

    public static FloatParts Infinity(bool sign) => new() { Sign = sign, Class = FloatClass.Infinity };

    /// <summary>The real indefinite.</summary>
    public static FloatParts Indefinite => new() { Sign = true, Class = FloatClass.QuietNan, Significand = IntegerBit | QuietBit };

    /// <summary>Takes a value of an interchange format apart.</summary>
    public static FloatParts Unpack<TFormat>(ulong bits) where TFormat : struct, IFloatFormat
    {
        int fractionBits = TFormat.FractionBits, exponentBits = TFormat.ExponentBits;
        int maximum = (1 << exponentBits) - 1, bias = maximum >> 1;
        int exponent = (int)(bits >> fractionBits) & maximum;
        ulong fraction = bits & ((1UL << fractionBits) - 1);
        ulong aligned = fraction << (63 - fractionBits);
        var parts = new FloatParts { Sign = (bits >> (fractionBits + exponentBits) & 1) != 0 };
        if (exponent == maximum)
        {
            parts.Significand = aligned | IntegerBit;
            parts.Class = fraction == 0 ? FloatClass.Infinity : (aligned & QuietBit) != 0 ? FloatClass.QuietNan : FloatClass.SignalingNan;
        }
        else if (exponent != 0)
        {
            parts.Class = FloatClass.Finite;
            parts.Significand = aligned | IntegerBit;
            parts.Exponent = exponent - bias;
        }
        else if (fraction != 0)
        {
            parts.SetDenormal(aligned, 1 - bias);
        }

        return parts;
    }

    /// <summary>As <see cref="Unpack{TFormat}(ulong)"/>; a denormal counts as a zero of its sign under DAZ.</summary>
    public static FloatParts Unpack<TFormat>(ulong bits, in FloatEnvironment environment) where TFormat : struct, IFloatFormat
    {
        FloatParts parts = Unpack<TFormat>(bits);
        return parts.Denormal && environment.DenormalsAreZero ? Zero(parts.Sign) : parts;
    }

    /// <summary>Takes an 80-bit value apart. Pseudo-denormals are denormals with the integer bit set; their exponent counts as 1 (SDM 1
    /// 8.2.2).</summary>
    public static FloatParts Unpack(Extended80 value)
    {
        int exponent = value.SignExponent & Extended80.MaxExponent;
        ulong significand = value.Significand;
        var parts = new FloatParts { Sign = value.SignExponent >> 15 != 0 };
        if (exponent == 0)
        {
            if (significand != 0)
                parts.SetDenormal(significand, 1 - Extended80.Bias);
        }
        else if ((significand & IntegerBit) == 0)
        {
            parts.Class = FloatClass.Unsupported;
        }
        else if (exponent == Extended80.MaxExponent)
        {
            parts.Significand = significand;
            parts.Class = significand == IntegerBit ? FloatClass.Infinity : (significand & QuietBit) != 0 ? FloatClass.QuietNan
                : FloatClass.SignalingNan;
        }
        else
        {
            parts.Class = FloatClass.Finite;
            parts.Significand = significand;
            parts.Exponent = exponent - Extended80.Bias;
        }

        return parts;
    }

    private void SetDenormal(ulong significand, int exponent)
    {
        int shift = BitOperations.LeadingZeroCount(significand);
        Class = FloatClass.Finite;
        Denormal = true;
        Significand = significand << shift;
        Exponent = exponent - shift;
    }
}
