namespace Hv.Cpu.Floating;

/// <summary>FPREM and FPREM1: a partial remainder, at most 63 quotient bits a step (SDM 2A FPREM).</summary>
public static class FloatRemainder
{
    /// <summary>Computes a partial remainder.</summary>
    /// <param name="a">The dividend, ST(0).</param>
    /// <param name="b">The divisor, ST(1).</param>
    /// <param name="nearest">FPREM1's quotient, rounded to nearest, instead of FPREM's, truncated.</param>
    /// <param name="quotient">The low bits of the quotient; meaningful when complete.</param>
    /// <param name="complete">Whether the remainder is final; otherwise the instruction is to be repeated (C2 set).</param>
    /// <param name="environment">Collects flags.</param>
    public static FloatResult Step(in FloatParts a, in FloatParts b, bool nearest, out ulong quotient, out bool complete,
        ref FloatEnvironment environment)
    {
        quotient = 0;
        complete = true;
        if (FloatArithmetic.Special(in a, in b, ref environment, out FloatResult nan))
            return nan;
        if (a.Class == FloatClass.Infinity || b.Class == FloatClass.Zero)
            return FloatArithmetic.Invalid(ref environment);
        FloatArithmetic.RaiseDenormal(in a, in b, ref environment);
        if (a.Class == FloatClass.Zero)
            return FloatResult.Exact(a);
        if (b.Class == FloatClass.Infinity)
        {
            // A denormal stays as it is, and underflows by no means.
            environment.Masks |= FloatFlags.Underflow;
            return FloatResult.Finite(a.Sign, a.Exponent, (UInt128)a.Significand << 64);
        }

        int difference = a.Exponent - b.Exponent;
        if (difference < (nearest ? -1 : 0))
            return FloatResult.Finite(a.Sign, a.Exponent, (UInt128)a.Significand << 64);

        // Reduce by 32 to 63 bits of exponent a step, as the processor does; below 64 the step is the last.
        complete = difference < 64;
        int reduce = complete ? difference : 32 + difference % 32;
        int exponent = complete ? b.Exponent : a.Exponent - reduce;
        UInt128 rest;
        if (difference < 0)
        {
            // FPREM1 with a in [b/2, b): the remainder in half units of b.
            rest = a.Significand;
            exponent = a.Exponent;
            UInt128 divisor = (UInt128)b.Significand << 1;
            return Nearest(a.Sign, rest, divisor, exponent, ref quotient);
        }

        (UInt128 q, rest) = UInt128.DivRem((UInt128)a.Significand << reduce, b.Significand);
        quotient = (ulong)q;
        if (nearest && complete)
            return Nearest(a.Sign, rest, b.Significand, exponent, ref quotient);
        return Pack(a.Sign, rest, exponent);
    }

    private static FloatResult Nearest(bool sign, UInt128 rest, UInt128 divisor, int exponent, ref ulong quotient)
    {
        UInt128 twice = rest << 1;
        if (twice > divisor || (twice == divisor && (quotient & 1) != 0))
        {
            quotient++;
            return Pack(!sign, divisor - rest, exponent);
        }

        return Pack(sign, rest, exponent);
    }

    private static FloatResult Pack(bool sign, UInt128 rest, int exponent)
    {
        if (rest == 0)
            return FloatResult.Exact(FloatParts.Zero(sign));
        int shift = (int)UInt128.LeadingZeroCount(rest);
        return FloatResult.Finite(sign, exponent + 64 - shift, rest << shift);
    }
}
