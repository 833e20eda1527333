namespace Hv.Cpu.Floating;

/// <summary>
/// The x87's functions on finite nonzero arguments: magnitudes with a relative error below 2^-118, to be rounded once. The reduction by π is the
/// processor's own (docs/adr/0025-x87-transcendentals.md).
/// </summary>
internal static class Transcendental
{
    /// <summary>π/2 × 2^65: the 66 bits of π that the processor reduces by (SDM 1 8.3.8).</summary>
    private static readonly UInt128 s_halfPiOf66Bits = new(3, 0x243F6A8885A308D3);

    public static WideFloat Pi => WideFloat.Of(new UInt128(0xC90FDAA22168C234, 0xC4C6628B80DC1CD1), 1);

    private static WideFloat HalfPi => Pi.Scale(-1);

    private static WideFloat QuarterPi => Pi.Scale(-2);

    private static WideFloat Log2OfE => WideFloat.Of(new UInt128(0xB8AA3B295C17F0BB, 0xBE87FED0691D3E88), 0);

    private static WideFloat LnOf2 => WideFloat.Of(new UInt128(0xB17217F7D1CF79AB, 0xC9E3B39803F2F6AF), -1);

    /// <summary>√2 − 1 and √2: where one way of reduction becomes better than another; nothing depends on their last bits.</summary>
    private static WideFloat RootOf2Minus1 => WideFloat.Of(new UInt128(0xD413CCCFE7799211, 0), -2);

    private static UInt128 RootOf2 => new(0xB504F333F9DE6484, 0);

    /// <summary>|2^x − 1| for 0 &lt; |x| &lt; 1; its sign is that of x.</summary>
    public static WideFloat PowerOf2Minus1(in FloatParts x)
    {
        WideFloat t = WideFloat.Of(in x) * LnOf2;
        return t * WideFloat.Of(Series.Exponential(t.ToFraction(), x.Sign), 0);
    }

    /// <summary>|log2 x|; zero for 1, and exact for powers of two.</summary>
    public static WideFloat Log2(WideFloat x)
    {
        // x = m·2^e with m between √½ and √2, so that the part of m never exceeds half of e.
        int e = x.Exponent;
        WideFloat m = x.Scale(-e);
        if (x.Significand > RootOf2)
        {
            m = m.Scale(-1);
            e++;
        }

        bool below = m < WideFloat.One;
        WideFloat difference = below ? WideFloat.One - m : m - WideFloat.One;
        WideFloat part = Log2Of(difference / (m + WideFloat.One));
        var whole = WideFloat.Of((UInt128)(uint)Math.Abs(e) << 96, 31);
        return e == 0 ? part : below == e < 0 ? whole + part : whole - part;
    }

    /// <summary>|log2(1 + x)| for x &gt; −1; its sign is that of x.</summary>
    public static WideFloat Log2Plus1(in FloatParts x)
    {
        var magnitude = WideFloat.Of(in x);
        if (x.Exponent >= -1)
            return Log2(x.Sign ? WideFloat.One - magnitude : WideFloat.One + magnitude);
        WideFloat two = WideFloat.One.Scale(1);
        return Log2Of(magnitude / (x.Sign ? two - magnitude : two + magnitude));
    }

    /// <summary>The angle of (x, y) in [0, π], both taken as positive but for the quadrant that <paramref name="left"/>, x's sign, chooses.</summary>
    public static WideFloat Angle(WideFloat y, WideFloat x, bool left)
    {
        bool steep = y > x;
        WideFloat angle = steep ? Arctangent(x, y) : Arctangent(y, x);
        if (steep)
            return left ? HalfPi + angle : HalfPi - angle;
        return left ? Pi - angle : angle;
    }

    /// <summary>Takes multiples of π/2 from |x| &lt; 2^63, exactly: what is left is at most π/4.</summary>
    /// <param name="x">The argument.</param>
    /// <param name="quadrant">The multiple of π/2 nearest to |x|, modulo 4.</param>
    /// <param name="negative">Whether |x| lies below that multiple.</param>
    public static WideFloat Reduce(in FloatParts x, out int quadrant, out bool negative)
    {
        (quadrant, negative) = (0, false);
        if (x.Exponent < -1)
            return WideFloat.Of(in x);
        // In units of 2^-65.
        (UInt128 multiple, UInt128 rest) = UInt128.DivRem((UInt128)x.Significand << (x.Exponent + 2), s_halfPiOf66Bits);
        negative = rest > s_halfPiOf66Bits >> 1;
        if (negative)
        {
            multiple++;
            rest = s_halfPiOf66Bits - rest;
        }

        quadrant = (int)((uint)multiple & 3);
        return WideFloat.Of(rest, 127 - 65);
    }

    /// <summary>sin r of a reduced r.</summary>
    public static WideFloat Sine(WideFloat r) => r * WideFloat.Of(Series.Sine((r * r).ToFraction()), 0);

    /// <summary>cos r of a reduced r.</summary>
    public static WideFloat Cosine(WideFloat r) => WideFloat.Of(Series.Cosine((r * r).ToFraction()), 0);

    /// <summary>2·artanh(s)·log2(e), which is log2((1 + s)/(1 − s)).</summary>
    private static WideFloat Log2Of(WideFloat s) => s * WideFloat.Of(Series.AreaTangent((s * s).ToFraction()), 0) * Log2OfE.Scale(1);

    /// <summary>arctan(a/b) for a ≤ b.</summary>
    private static WideFloat Arctangent(WideFloat a, WideFloat b)
    {
        WideFloat q = a / b;
        if (!(q > RootOf2Minus1))
            return q * WideFloat.Of(Series.Arctangent((q * q).ToFraction()), 0);
        WideFloat s = (b - a) / (b + a);
        return QuarterPi - s * WideFloat.Of(Series.Arctangent((s * s).ToFraction()), 0);
    }
}
