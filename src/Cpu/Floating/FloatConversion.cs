using System.Numerics;

namespace Hv.Cpu.Floating;

/// <summary>Conversions between formats, to and from integers, and rounding to an integral value.</summary>
public static class FloatConversion
{
    /// <summary>A value of one format in another; a signaling NaN is quieted and raises invalid, a denormal source its own exception.</summary>
    public static FloatResult Convert(in FloatParts a, ref FloatEnvironment environment)
    {
        if (FloatArithmetic.Special(in a, in a, ref environment, out FloatResult nan))
            return nan;
        FloatArithmetic.RaiseDenormal(in a, in a, ref environment);
        return a.Class == FloatClass.Finite ? FloatResult.Finite(a.Sign, a.Exponent, (UInt128)a.Significand << 64) : FloatResult.Exact(a);
    }

    /// <summary>A signed integer as a value.</summary>
    public static FloatResult FromInteger(long value) => FromMagnitude(value < 0, (ulong)(value < 0 ? -value : value));

    /// <summary>An unsigned integer as a value.</summary>
    public static FloatResult FromUnsigned(ulong value) => FromMagnitude(false, value);

    /// <summary>
    /// A value as a signed integer of <paramref name="bits"/> bits (16, 32 or 64), rounded; out of range, infinity and NaN raise invalid and give the
    /// integer indefinite, which is the most negative value (SDM 1 4.9.1.1).
    /// </summary>
    public static long ToInteger(in FloatParts a, int bits, RoundingMode rounding, ref FloatEnvironment environment)
    {
        long indefinite = -1L << (bits - 1);
        environment.RoundedUp = false;
        if (a.Class == FloatClass.Zero)
            return 0;
        if (a.Class != FloatClass.Finite || a.Exponent > 63)
        {
            environment.Flags |= FloatFlags.Invalid;
            return indefinite;
        }

        ulong magnitude = Integral(in a, rounding, out bool inexact, out bool away);
        ulong limit = (1UL << (bits - 1)) - (a.Sign ? 0UL : 1UL);
        if (magnitude > limit)
        {
            environment.Flags |= FloatFlags.Invalid;
            return indefinite;
        }

        if (inexact)
        {
            environment.Flags |= FloatFlags.Inexact;
            environment.RoundedUp = away;
        }

        return a.Sign ? -(long)magnitude : (long)magnitude;
    }

    /// <summary>A value rounded to an integral one of the same format (ROUNDPS and its like, FRNDINT).</summary>
    /// <param name="a">The value.</param>
    /// <param name="rounding">How.</param>
    /// <param name="quietInexact">Whether inexact is not raised (bit 3 of ROUNDPS's immediate).</param>
    /// <param name="environment">Collects flags.</param>
    public static FloatResult RoundToIntegral(in FloatParts a, RoundingMode rounding, bool quietInexact, ref FloatEnvironment environment)
    {
        if (FloatArithmetic.Special(in a, in a, ref environment, out FloatResult nan))
            return nan;
        environment.RoundedUp = false;
        if (a.Class != FloatClass.Finite)
            return FloatResult.Exact(a);
        if (a.Exponent >= 63)
            return FloatResult.Finite(a.Sign, a.Exponent, (UInt128)a.Significand << 64);
        ulong magnitude = Integral(in a, rounding, out bool inexact, out bool away);
        if (inexact && !quietInexact)
        {
            environment.Flags |= FloatFlags.Inexact;
            environment.RoundedUp = away;
        }

        return magnitude == 0 ? FloatResult.Exact(FloatParts.Zero(a.Sign)) : FromMagnitude(a.Sign, magnitude);
    }

    private static FloatResult FromMagnitude(bool sign, ulong magnitude)
    {
        if (magnitude == 0)
            return FloatResult.Exact(FloatParts.Zero(false));
        int shift = BitOperations.LeadingZeroCount(magnitude);
        return FloatResult.Finite(sign, 63 - shift, (UInt128)(magnitude << shift) << 64);
    }

    /// <summary>The integral magnitude of a finite value below 2^64.</summary>
    private static ulong Integral(in FloatParts a, RoundingMode rounding, out bool inexact, out bool away)
    {
        away = false;
        if (a.Exponent >= 63)
        {
            inexact = false;
            return a.Significand;
        }

        // The integer part above bit 64, the fraction below it, far fractions sticky.
        UInt128 wide = FloatRounding.ShiftRightSticky((UInt128)a.Significand << 64, 63 - a.Exponent);
        ulong whole = (ulong)(wide >> 64), fraction = (ulong)wide;
        inexact = fraction != 0;
        away = inexact && FloatRounding.RoundsAway(a.Sign, (whole & 1) != 0, fraction, rounding);
        return away ? whole + 1 : whole;
    }
}
