namespace Hv.Cpu.Floating;

/// <summary>How two values relate.</summary>
public enum FloatRelation : byte
{
    Less,
    Equal,
    Greater,
    Unordered,
}

/// <summary>Comparison of values.</summary>
public static class FloatComparison
{
    /// <summary>Compares. A signaling NaN raises invalid; a quiet one too when <paramref name="signaling"/> (COMISD, CMPLTPD,
    /// FCOM), not otherwise (UCOMISD, FUCOM).</summary>
    public static FloatRelation Compare(in FloatParts a, in FloatParts b, bool signaling, ref FloatEnvironment environment)
    {
        if (a.Class >= FloatClass.QuietNan || b.Class >= FloatClass.QuietNan)
        {
            if (signaling || a.Class > FloatClass.QuietNan || b.Class > FloatClass.QuietNan)
                environment.Flags |= FloatFlags.Invalid;
            return FloatRelation.Unordered;
        }

        FloatArithmetic.RaiseDenormal(in a, in b, ref environment);
        int order = Order(in a, in b);
        return order < 0 ? FloatRelation.Less : order > 0 ? FloatRelation.Greater : FloatRelation.Equal;
    }

    private static int Order(in FloatParts a, in FloatParts b)
    {
        int left = Sign(in a), right = Sign(in b);
        if (left != right || left == 0)
            return left.CompareTo(right);
        int magnitude = a.Class != b.Class ? (a.Class == FloatClass.Infinity ? 1 : -1)
            : a.Class == FloatClass.Infinity ? 0
            : a.Exponent != b.Exponent ? a.Exponent.CompareTo(b.Exponent)
            : a.Significand.CompareTo(b.Significand);
        return left * magnitude;
    }

    private static int Sign(in FloatParts a) => a.Class == FloatClass.Zero ? 0 : a.Sign ? -1 : 1;
}
