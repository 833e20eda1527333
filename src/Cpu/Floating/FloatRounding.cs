using System.Diagnostics;

namespace Hv.Cpu.Floating;

/// <summary>
/// Rounding and packing: from an exact or sticky 128-bit significand to a format, with overflow, underflow and inexact exactly as the manuals say.
/// Tininess is detected after rounding, as both vendors do (SDM 1 4.9.1.5).
/// </summary>
public static class FloatRounding
{
    /// <summary>What x87 adds to the exponent of an unmasked underflow, and takes from that of an unmasked overflow (SDM 1 8.5.4, 8.5.5).</summary>
    private const int ExtendedExponentAdjust = 24576;

    /// <summary>Rounds (-1)^sign × significand/2^127 × 2^exponent, normalised (bit 127 set) or zero, its lowest bit sticky, to a format.</summary>
    public static ulong Round<TFormat>(bool sign, int exponent, UInt128 significand, ref FloatEnvironment environment)
        where TFormat : struct, IFloatFormat
    {
        int fractionBits = TFormat.FractionBits, maximum = (1 << TFormat.ExponentBits) - 1, bias = maximum >> 1;
        environment.RoundedUp = false;
        ulong signBit = sign ? 1UL << (fractionBits + TFormat.ExponentBits) : 0;
        if (significand == 0)
            return signBit;
        Debug.Assert(significand >> 127 != 0, "the significand is normalised");

        int biased = exponent + bias;
        bool tiny = false;
        if (biased <= 0)
        {
            tiny = biased < 0 || !RoundsToNextPower(sign, significand, fractionBits + 1, environment.Rounding);
            if (tiny && (environment.Masks & FloatFlags.Underflow) == 0)
            {
                // No result is delivered; it is inexact if it is so in the format's precision, its exponent unbounded.
                environment.Flags |= FloatFlags.Underflow;
                Keep(sign, significand, fractionBits + 1, ref environment, out _);
                return signBit;
            }

            if (tiny && environment.FlushToZero)
            {
                environment.Flags |= FloatFlags.Underflow | FloatFlags.Inexact;
                return signBit;
            }

            significand = ShiftRightSticky(significand, 1 - biased);
            biased = 0;
        }

        ulong kept = Keep(sign, significand, fractionBits + 1, ref environment, out bool inexact);
        if (tiny && inexact)
            environment.Flags |= FloatFlags.Underflow;
        if (biased == 0)
        {
            // A carry into the integer bit makes the smallest normal number by itself.
            return signBit | kept;
        }

        // A carry out of the top doubles the value; its fraction is then zero.
        if (kept >> (fractionBits + 1) != 0)
        {
            kept >>= 1;
            biased++;
        }

        if (biased >= maximum)
            return signBit | Overflowed<TFormat>(sign, maximum, ref environment);
        return signBit | (ulong)biased << fractionBits | (kept & ((1UL << fractionBits) - 1));
    }

    /// <summary>As <see cref="Round{TFormat}"/>, to the 80-bit format with the environment's precision; the exponent's range is the format's whatever
    /// the precision.</summary>
    public static Extended80 RoundExtended(bool sign, int exponent, UInt128 significand, ref FloatEnvironment environment)
    {
        environment.RoundedUp = false;
        ushort signBit = sign ? (ushort)0x8000 : (ushort)0;
        if (significand == 0)
            return new Extended80(0, signBit);
        Debug.Assert(significand >> 127 != 0, "the significand is normalised");

        int precision = environment.Precision == 0 ? 64 : environment.Precision;
        int biased = exponent + Extended80.Bias;
        bool tiny = false;
        if (biased <= 0)
        {
            tiny = biased < 0 || !RoundsToNextPower(sign, significand, precision, environment.Rounding);
            if (tiny && (environment.Masks & FloatFlags.Underflow) == 0)
            {
                environment.Flags |= FloatFlags.Underflow;
                biased += ExtendedExponentAdjust;
                if (biased <= 0)
                {
                    // FSCALE alone comes here: beyond the adjusted range too, the masked answer stands (SDM 1 8.5.5).
                    environment.Flags |= FloatFlags.Inexact;
                    return new Extended80(0, signBit);
                }
            }
            else
            {
                significand = ShiftRightSticky(significand, 1 - biased);
                biased = 0;
            }
        }

        ulong kept = Keep(sign, significand, precision, ref environment, out bool inexact);
        if (tiny && inexact && (environment.Masks & FloatFlags.Underflow) != 0)
            environment.Flags |= FloatFlags.Underflow;
        bool carried = precision < 64 ? kept >> precision != 0 : kept == 0 && significand >> 126 != 0;
        ulong aligned = precision < 64 ? (carried ? kept >> 1 : kept) << (64 - precision) : carried ? FloatParts.IntegerBit : kept;
        if (biased == 0)
            return new Extended80(aligned, (ushort)(signBit | (aligned >> 63 != 0 ? 1 : 0)));
        biased += carried ? 1 : 0;
        if (biased < Extended80.MaxExponent)
            return new Extended80(aligned, (ushort)(signBit | biased));
        if ((environment.Masks & FloatFlags.Overflow) == 0)
        {
            environment.Flags |= FloatFlags.Overflow;
            biased -= ExtendedExponentAdjust;
            if (biased < Extended80.MaxExponent)
                return new Extended80(aligned, (ushort)(signBit | biased));
            environment.Flags |= FloatFlags.Inexact;
            environment.RoundedUp = true;
            return new Extended80(FloatParts.IntegerBit, (ushort)(signBit | Extended80.MaxExponent));
        }

        environment.Flags |= FloatFlags.Overflow | FloatFlags.Inexact;
        environment.RoundedUp = ToInfinity(sign, environment.Rounding);
        return environment.RoundedUp
            ? new Extended80(FloatParts.IntegerBit, (ushort)(signBit | Extended80.MaxExponent))
            : new Extended80(ulong.MaxValue << (64 - precision), (ushort)(signBit | (Extended80.MaxExponent - 1)));
    }

    /// <summary>Puts parts that need no rounding decision of their own (zero, infinity, NaN) or any finite value into a format.</summary>
    public static ulong Pack<TFormat>(in FloatParts parts, ref FloatEnvironment environment) where TFormat : struct, IFloatFormat
    {
        int fractionBits = TFormat.FractionBits;
        ulong signBit = parts.Sign ? 1UL << (fractionBits + TFormat.ExponentBits) : 0;
        ulong top = ((1UL << TFormat.ExponentBits) - 1) << fractionBits;
        return parts.Class switch
        {
            FloatClass.Zero => signBit,
            FloatClass.Infinity => signBit | top,
            FloatClass.Finite => Round<TFormat>(parts.Sign, parts.Exponent, (UInt128)parts.Significand << 64, ref environment),
            _ => signBit | top | ((parts.Significand | FloatParts.QuietBit) & ~FloatParts.IntegerBit) >> (63 - fractionBits),
        };
    }

    /// <summary>As <see cref="Pack{TFormat}"/>, to the 80-bit format.</summary>
    public static Extended80 PackExtended(in FloatParts parts, ref FloatEnvironment environment)
    {
        ushort signBit = parts.Sign ? (ushort)0x8000 : (ushort)0;
        return parts.Class switch
        {
            FloatClass.Zero => new Extended80(0, signBit),
            FloatClass.Infinity => new Extended80(FloatParts.IntegerBit, (ushort)(signBit | Extended80.MaxExponent)),
            FloatClass.Finite => RoundExtended(parts.Sign, parts.Exponent, (UInt128)parts.Significand << 64, ref environment),
            _ => new Extended80(parts.Significand | FloatParts.IntegerBit | FloatParts.QuietBit, (ushort)(signBit | Extended80.MaxExponent)),
        };
    }

    /// <summary>Shifts right; bits that fall off are kept as one sticky bit.</summary>
    internal static UInt128 ShiftRightSticky(UInt128 value, int shift)
    {
        if (shift <= 0)
            return value;
        if (shift > 127)
            return value != 0 ? 1u : 0u;
        UInt128 shifted = value >> shift;
        return value << (128 - shift) != 0 ? shifted | 1 : shifted;
    }

    /// <summary>Whether a magnitude with this fraction of a unit, of which bit 63 is the half, is rounded away from zero.</summary>
    internal static bool RoundsAway(bool sign, bool odd, ulong low, RoundingMode rounding) => rounding switch
    {
        RoundingMode.Nearest => low > 1UL << 63 || (low == 1UL << 63 && odd),
        RoundingMode.Down => sign && low != 0,
        RoundingMode.Up => !sign && low != 0,
        _ => false,
    };

    private static ulong Keep(bool sign, UInt128 significand, int bits, ref FloatEnvironment environment, out bool inexact)
    {
        // What is dropped as 64 bits of fraction, the last of them sticky.
        ulong kept = (ulong)(significand >> 64), low = (ulong)significand;
        if (bits < 64)
        {
            low = kept << bits | (low != 0 ? 1u : 0u);
            kept >>= 64 - bits;
        }

        inexact = low != 0;
        if (!inexact)
            return kept;
        environment.Flags |= FloatFlags.Inexact;
        environment.RoundedUp = RoundsAway(sign, (kept & 1) != 0, low, environment.Rounding);
        return environment.RoundedUp ? kept + 1 : kept;
    }

    /// <summary>Whether a value just below the smallest normal number rounds up to it when the exponent has no lower bound: then it is not
    /// tiny.</summary>
    private static bool RoundsToNextPower(bool sign, UInt128 significand, int bits, RoundingMode rounding)
    {
        UInt128 low = significand << bits;
        ulong fraction = (ulong)(low >> 64) | ((ulong)low != 0 ? 1u : 0u);
        return significand >> (128 - bits) == (UInt128.One << bits) - 1 && RoundsAway(sign, true, fraction, rounding);
    }

    private static ulong Overflowed<TFormat>(bool sign, int maximum, ref FloatEnvironment environment) where TFormat : struct, IFloatFormat
    {
        // Inexact by itself only where the infinity or the largest number is delivered.
        environment.Flags |= (environment.Masks & FloatFlags.Overflow) != 0 ? FloatFlags.Overflow | FloatFlags.Inexact : FloatFlags.Overflow;
        environment.RoundedUp = ToInfinity(sign, environment.Rounding);
        ulong infinity = (ulong)maximum << TFormat.FractionBits;
        return environment.RoundedUp ? infinity : infinity - 1;
    }

    private static bool ToInfinity(bool sign, RoundingMode rounding) =>
        rounding == RoundingMode.Nearest || (rounding == RoundingMode.Down && sign) || (rounding == RoundingMode.Up && !sign);
}
