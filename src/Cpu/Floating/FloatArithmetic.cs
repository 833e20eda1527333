namespace Hv.Cpu.Floating;

/// <summary>
/// Addition, multiplication, division, square root and fused multiply-add on parts: exact 128-bit (or sticky) results that
/// <see cref="FloatRounding"/> rounds once.
/// </summary>
public static class FloatArithmetic
{
    /// <summary>a + b, or a − b when <paramref name="subtract"/>.</summary>
    public static FloatResult Add(FloatParts a, FloatParts b, bool subtract, ref FloatEnvironment environment)
    {
        if (Special(in a, in b, ref environment, out FloatResult nan))
            return nan;
        b.Sign ^= subtract;
        if (a.Class == FloatClass.Infinity || b.Class == FloatClass.Infinity)
        {
            if (a.Class == b.Class && a.Sign != b.Sign)
                return Invalid(ref environment);
            RaiseDenormal(in a, in b, ref environment);
            return FloatResult.Exact(a.Class == FloatClass.Infinity ? a : b);
        }

        RaiseDenormal(in a, in b, ref environment);
        if (a.Class == FloatClass.Zero && b.Class == FloatClass.Zero)
            return FloatResult.Exact(FloatParts.Zero(a.Sign == b.Sign ? a.Sign : environment.Rounding == RoundingMode.Down));
        if (a.Class == FloatClass.Zero)
            return FloatResult.Finite(b.Sign, b.Exponent, (UInt128)b.Significand << 64);
        if (b.Class == FloatClass.Zero)
            return FloatResult.Finite(a.Sign, a.Exponent, (UInt128)a.Significand << 64);
        return Sum(a.Sign, a.Exponent, (UInt128)a.Significand << 64, b.Sign, b.Exponent, (UInt128)b.Significand << 64, environment.Rounding);
    }

    /// <summary>a × b.</summary>
    public static FloatResult Multiply(in FloatParts a, in FloatParts b, ref FloatEnvironment environment)
    {
        if (Special(in a, in b, ref environment, out FloatResult nan))
            return nan;
        bool sign = a.Sign ^ b.Sign;
        if (a.Class == FloatClass.Infinity || b.Class == FloatClass.Infinity)
        {
            if (a.Class == FloatClass.Zero || b.Class == FloatClass.Zero)
                return Invalid(ref environment);
            RaiseDenormal(in a, in b, ref environment);
            return FloatResult.Exact(FloatParts.Infinity(sign));
        }

        RaiseDenormal(in a, in b, ref environment);
        if (a.Class == FloatClass.Zero || b.Class == FloatClass.Zero)
            return FloatResult.Exact(FloatParts.Zero(sign));
        UInt128 product = Product(a.Significand, b.Significand);
        return (Int128)product < 0
            ? FloatResult.Finite(sign, a.Exponent + b.Exponent + 1, product)
            : FloatResult.Finite(sign, a.Exponent + b.Exponent, product << 1);
    }

    /// <summary>a ÷ b.</summary>
    public static FloatResult Divide(in FloatParts a, in FloatParts b, ref FloatEnvironment environment)
    {
        if (Special(in a, in b, ref environment, out FloatResult nan))
            return nan;
        bool sign = a.Sign ^ b.Sign;
        if (a.Class == FloatClass.Infinity)
        {
            if (b.Class == FloatClass.Infinity)
                return Invalid(ref environment);
            RaiseDenormal(in a, in b, ref environment);
            return FloatResult.Exact(FloatParts.Infinity(sign));
        }

        if (b.Class == FloatClass.Infinity)
        {
            RaiseDenormal(in a, in b, ref environment);
            return FloatResult.Exact(FloatParts.Zero(sign));
        }

        if (b.Class == FloatClass.Zero)
        {
            if (a.Class == FloatClass.Zero)
                return Invalid(ref environment);
            environment.Flags |= FloatFlags.DivideByZero;
            return FloatResult.Exact(FloatParts.Infinity(sign));
        }

        RaiseDenormal(in a, in b, ref environment);
        if (a.Class == FloatClass.Zero)
            return FloatResult.Exact(FloatParts.Zero(sign));

        // Two steps of 64 quotient bits; the dividend's half keeps the first quotient within 64 bits.
        (UInt128 high, UInt128 rest) = UInt128.DivRem((UInt128)a.Significand << 63, b.Significand);
        (UInt128 low, rest) = UInt128.DivRem(rest << 64, b.Significand);
        return Normalised(sign, a.Exponent - b.Exponent, high << 64 | low | (rest != 0 ? 1u : 0u));
    }

    /// <summary>√a.</summary>
    public static FloatResult SquareRoot(in FloatParts a, ref FloatEnvironment environment)
    {
        if (Special(in a, in a, ref environment, out FloatResult nan))
            return nan;
        if (a.Class == FloatClass.Zero)
            return FloatResult.Exact(a);
        if (a.Sign)
            return Invalid(ref environment);
        if (a.Class == FloatClass.Infinity)
            return FloatResult.Exact(a);
        RaiseDenormal(in a, in a, ref environment);

        // An even exponent: the radicand n is in [2^126, 2^128), its root q has 64 bits; the next bit is set when n − q² > q.
        bool odd = (a.Exponent & 1) != 0;
        UInt128 n = (UInt128)a.Significand << (odd ? 64 : 63);
        ulong root = IntegerRoot(n);
        UInt128 rest = n - (UInt128)root * root;
        UInt128 significand = (UInt128)root << 64 | (rest > root ? UInt128.One << 63 : 0) | (rest != 0 ? 1u : 0u);
        return FloatResult.Finite(false, (a.Exponent - (odd ? 1 : 0)) / 2, significand);
    }

    /// <summary>a × b + c with one rounding; the signs of product and addend are the caller's. Of several NaNs the first wins.</summary>
    public static FloatResult MultiplyAdd(in FloatParts a, in FloatParts b, in FloatParts c, ref FloatEnvironment environment)
    {
        if (a.IsNan || b.IsNan || c.IsNan)
        {
            // An invalid product with a quiet NaN as addend: the NaN, and no exception (SDM 1 14.5.2).
            if (a.Class == FloatClass.SignalingNan || b.Class == FloatClass.SignalingNan || c.Class == FloatClass.SignalingNan)
                environment.Flags |= FloatFlags.Invalid;
            return FloatResult.Exact(Quiet(a.IsNan ? a : b.IsNan ? b : c));
        }

        bool sign = a.Sign ^ b.Sign;
        if (a.Class == FloatClass.Infinity || b.Class == FloatClass.Infinity)
        {
            if (a.Class == FloatClass.Zero || b.Class == FloatClass.Zero || (c.Class == FloatClass.Infinity && c.Sign != sign))
                return Invalid(ref environment);
            RaiseDenormal(in a, in b, in c, ref environment);
            return FloatResult.Exact(FloatParts.Infinity(sign));
        }

        RaiseDenormal(in a, in b, in c, ref environment);
        if (c.Class == FloatClass.Infinity)
            return FloatResult.Exact(c);
        if (a.Class == FloatClass.Zero || b.Class == FloatClass.Zero)
        {
            return c.Class == FloatClass.Zero
                ? FloatResult.Exact(FloatParts.Zero(sign == c.Sign ? sign : environment.Rounding == RoundingMode.Down))
                : FloatResult.Finite(c.Sign, c.Exponent, (UInt128)c.Significand << 64);
        }

        FloatResult product = Normalised(sign, a.Exponent + b.Exponent + 1, Product(a.Significand, b.Significand));
        return c.Class == FloatClass.Zero
            ? product
            : Sum(product.Sign, product.Exponent, product.Significand, c.Sign, c.Exponent, (UInt128)c.Significand << 64, environment.Rounding);
    }

    /// <summary>Whether an operand is a NaN or unsupported, which settles the result; x87's and SSE's rules for two NaNs differ (SDM 1 table
    /// 4-7).</summary>
    internal static bool Special(in FloatParts a, in FloatParts b, ref FloatEnvironment environment, out FloatResult result)
    {
        if (a.Class < FloatClass.QuietNan && b.Class < FloatClass.QuietNan)
        {
            result = default;
            return false;
        }

        if (a.Class == FloatClass.Unsupported || b.Class == FloatClass.Unsupported)
        {
            result = Invalid(ref environment);
            return true;
        }

        if (a.Class == FloatClass.SignalingNan || b.Class == FloatClass.SignalingNan)
            environment.Flags |= FloatFlags.Invalid;
        result = FloatResult.Exact(Quiet(Winner(in a, in b, environment.NanRule)));
        return true;
    }

    internal static FloatResult Invalid(ref FloatEnvironment environment)
    {
        environment.Flags |= FloatFlags.Invalid;
        return FloatResult.Exact(FloatParts.Indefinite);
    }

    internal static void RaiseDenormal(in FloatParts a, in FloatParts b, ref FloatEnvironment environment)
    {
        if (a.Denormal || b.Denormal)
            environment.Flags |= FloatFlags.Denormal;
    }

    private static void RaiseDenormal(in FloatParts a, in FloatParts b, in FloatParts c, ref FloatEnvironment environment)
    {
        if (a.Denormal || b.Denormal || c.Denormal)
            environment.Flags |= FloatFlags.Denormal;
    }

    private static FloatParts Winner(in FloatParts a, in FloatParts b, NanRule rule)
    {
        if (!a.IsNan)
            return b;
        if (!b.IsNan || rule == NanRule.First)
            return a;
        if (a.Class != b.Class)
            return a.Class == FloatClass.QuietNan ? a : b;
        if (a.Significand != b.Significand)
            return a.Significand > b.Significand ? a : b;
        return a.Sign ? b : a;
    }

    private static FloatParts Quiet(FloatParts nan)
    {
        nan.Class = FloatClass.QuietNan;
        nan.Significand |= FloatParts.QuietBit;
        return nan;
    }

    private static FloatResult Sum(bool aSign, int aExponent, UInt128 a, bool bSign, int bExponent, UInt128 b, RoundingMode rounding)
    {
        if (aExponent < bExponent || (aExponent == bExponent && a < b))
            (aSign, aExponent, a, bSign, bExponent, b) = (bSign, bExponent, b, aSign, aExponent, a);
        b = FloatRounding.ShiftRightSticky(b, aExponent - bExponent);
        if (aSign != bSign)
        {
            UInt128 difference = a - b;
            return difference == 0
                ? FloatResult.Exact(FloatParts.Zero(rounding == RoundingMode.Down))
                : Normalised(aSign, aExponent, difference);
        }

        UInt128 sum = a + b;
        return sum >= a
            ? FloatResult.Finite(aSign, aExponent, sum)
            : FloatResult.Finite(aSign, aExponent + 1, sum >> 1 | UInt128.One << 127 | (sum & 1));
    }

    private static FloatResult Normalised(bool sign, int exponent, UInt128 significand)
    {
        int shift = (int)UInt128.LeadingZeroCount(significand);
        return FloatResult.Finite(sign, exponent - shift, significand << shift);
    }

    private static UInt128 Product(ulong a, ulong b)
    {
        ulong high = Math.BigMul(a, b, out ulong low);
        return new UInt128(high, low);
    }

    /// <summary>⌊√n⌋ for n ≥ 2^126: the host's square root as an estimate, then corrected.</summary>
    private static ulong IntegerRoot(UInt128 n)
    {
        double estimate = Math.Sqrt((double)n);
        ulong root = estimate >= 18446744073709551615.0 ? ulong.MaxValue : (ulong)estimate;
        // One Newton step brings 52 right bits to all 64.
        UInt128 next = (root + n / root) >> 1;
        root = next > ulong.MaxValue ? ulong.MaxValue : (ulong)next;
        while ((UInt128)root * root > n)
            root--;
        while (root < ulong.MaxValue && (UInt128)(root + 1) * (root + 1) <= n)
            root++;
        return root;
    }
}

/// <summary>An operation's result before rounding: a finite one with a 128-bit significand, or one that is exact in every format.</summary>
public readonly struct FloatResult
{
    private readonly FloatParts _exact;
    private readonly bool _finite;

    private FloatResult(bool finite, bool sign, int exponent, UInt128 significand, in FloatParts exact)
    {
        (_finite, Sign, Exponent, Significand, _exact) = (finite, sign, exponent, significand, exact);
    }

    internal bool Sign { get; }

    internal int Exponent { get; }

    internal UInt128 Significand { get; }

    /// <summary>A finite value, normalised, its lowest bit sticky.</summary>
    internal static FloatResult Finite(bool sign, int exponent, UInt128 significand) => new(true, sign, exponent, significand, default);

    /// <summary>A zero, infinity or NaN.</summary>
    internal static FloatResult Exact(in FloatParts parts) => new(false, parts.Sign, 0, 0, in parts);

    /// <summary>Rounds to a format.</summary>
    public ulong To<TFormat>(ref FloatEnvironment environment) where TFormat : struct, IFloatFormat => _finite
        ? FloatRounding.Round<TFormat>(Sign, Exponent, Significand, ref environment)
        : FloatRounding.Pack<TFormat>(in _exact, ref environment);

    /// <summary>Rounds to the 80-bit format.</summary>
    public Extended80 ToExtended(ref FloatEnvironment environment) => _finite
        ? FloatRounding.RoundExtended(Sign, Exponent, Significand, ref environment)
        : FloatRounding.PackExtended(in _exact, ref environment);
}
