namespace Hv.Cpu.Floating;

/// <summary>
/// A positive number with a 128-bit significand, for results that are rounded to 64 bits later: Significand/2^127 × 2^Exponent, bit 127 set, or zero.
/// Each operation truncates; its relative error is below 2^-123.
/// </summary>
internal readonly struct WideFloat
{
    public readonly UInt128 Significand;
    public readonly int Exponent;

    private WideFloat(UInt128 significand, int exponent) => (Significand, Exponent) = (significand, exponent);

    /// <summary>significand/2^127 × 2^exponent, normalised.</summary>
    public static WideFloat Of(UInt128 significand, int exponent)
    {
        int shift = (int)UInt128.LeadingZeroCount(significand);
        return significand == 0 ? default : new WideFloat(significand << shift, exponent - shift);
    }

    /// <summary>The magnitude of a finite value.</summary>
    public static WideFloat Of(in FloatParts a) => new((UInt128)a.Significand << 64, a.Exponent);

    public static WideFloat One => new(UInt128.One << 127, 0);

    public bool IsZero => Significand == 0;

    /// <summary>The same number as 128 bits of fraction; it is below 1.</summary>
    public UInt128 ToFraction() => Exponent < -128 ? 0 : Significand >> (-1 - Exponent);

    /// <summary>The number times 2^<paramref name="by"/>.</summary>
    public WideFloat Scale(int by) => IsZero ? this : new WideFloat(Significand, Exponent + by);

    public static WideFloat operator *(WideFloat a, WideFloat b) =>
        a.IsZero || b.IsZero ? default : Of(MultiplyHigh(a.Significand, b.Significand), a.Exponent + b.Exponent + 1);

    public static WideFloat operator /(WideFloat a, WideFloat b) =>
        a.IsZero ? default : Of(MultiplyHigh(a.Significand, Reciprocal(b.Significand)), a.Exponent - b.Exponent);

    public static WideFloat operator +(WideFloat a, WideFloat b)
    {
        if (a.Exponent < b.Exponent || a.IsZero)
            (a, b) = (b, a);
        if (b.IsZero)
            return a;
        UInt128 sum = a.Significand + Aligned(b, a.Exponent);
        return sum >= a.Significand ? new WideFloat(sum, a.Exponent) : new WideFloat(sum >> 1 | UInt128.One << 127, a.Exponent + 1);
    }

    /// <summary>a − b for a ≥ b.</summary>
    public static WideFloat operator -(WideFloat a, WideFloat b) =>
        b.IsZero ? a : Of(a.Significand - Aligned(b, a.Exponent), a.Exponent);

    public static bool operator <(WideFloat a, WideFloat b) => a.CompareTo(b) < 0;

    public static bool operator >(WideFloat a, WideFloat b) => a.CompareTo(b) > 0;

    private int CompareTo(WideFloat other) =>
        Exponent != other.Exponent ? Exponent.CompareTo(other.Exponent) : Significand.CompareTo(other.Significand);

    private static UInt128 Aligned(WideFloat a, int exponent) => exponent - a.Exponent > 127 ? 0 : a.Significand >> (exponent - a.Exponent);

    /// <summary>The upper 128 bits of a product.</summary>
    public static UInt128 MultiplyHigh(UInt128 a, UInt128 b)
    {
        ulong aHigh = (ulong)(a >> 64), aLow = (ulong)a, bHigh = (ulong)(b >> 64), bLow = (ulong)b;
        UInt128 middle = Math.BigMul(aHigh, bLow) + Math.BigMul(aLow, bLow, out _);
        UInt128 other = Math.BigMul(aLow, bHigh) + (ulong)middle;
        return Math.BigMul(aHigh, bHigh) + (middle >> 64) + (other >> 64);
    }

    /// <summary>2^255 ÷ d for d ≥ 2^127: from below to 62 bits, then a Newton step that doubles them.</summary>
    private static UInt128 Reciprocal(UInt128 d)
    {
        ulong above = (ulong)(d >> 64) + 1;
        ulong first = above == 0 ? 1UL << 63 : (ulong)((UInt128.One << 127) / above);
        UInt128 r = (UInt128)first << 64;
        // What d·r, a fraction of 2^127, is short of one is what r is short of, relatively.
        UInt128 missing = (UInt128.One << 127) - MultiplyHigh(d, r);
        return r + MultiplyHigh(r, missing << 1);
    }
}
