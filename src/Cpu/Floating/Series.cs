namespace Hv.Cpu.Floating;

/// <summary>
/// Power series in fixed point: the argument has 128 bits of fraction, coefficients and sums 127 and one integer bit. Each sum is the function
/// divided by its first term, so that it is near 1 and the function's relative error is that of the sum, below 2^-122. Where the function stays
/// below its first term the sum stays below 1, however small the argument.
/// </summary>
internal static class Series
{
    // Enough terms for the arguments that each function says it takes: the next is below 2^-128.
    private const int ExponentialTerms = 34, CircularTerms = 18, TangentTerms = 52;

    /// <summary>1/n!.</summary>
    private static readonly UInt128[] s_factorial = Factorials(2 * CircularTerms + 2);

    /// <summary>1/(2n + 1).</summary>
    private static readonly UInt128[] s_odd = Odd(TangentTerms + 1);

    private static UInt128 One => UInt128.One << 127;

    /// <summary>(e^t − 1)/t, or (1 − e^−t)/t when <paramref name="negative"/>; 0 ≤ t ≤ ln 2.</summary>
    public static UInt128 Exponential(UInt128 t, bool negative)
    {
        UInt128 sum = s_factorial[ExponentialTerms];
        for (int k = ExponentialTerms - 1; k > 0; k--)
        {
            UInt128 product = WideFloat.MultiplyHigh(t, sum);
            sum = negative ? s_factorial[k] - product : s_factorial[k] + product;
        }

        return sum;
    }

    /// <summary>sin(r)/r from z = r²; r ≤ π/4.</summary>
    public static UInt128 Sine(UInt128 z) => Circular(z, 1);

    /// <summary>cos(r) from z = r²; r ≤ π/4.</summary>
    public static UInt128 Cosine(UInt128 z) => Circular(z, 0);

    /// <summary>arctan(q)/q from z = q²; q ≤ √2 − 1.</summary>
    public static UInt128 Arctangent(UInt128 z)
    {
        UInt128 sum = s_odd[TangentTerms];
        for (int k = TangentTerms - 1; k >= 0; k--)
            sum = s_odd[k] - WideFloat.MultiplyHigh(z, sum);
        return sum - 1;
    }

    /// <summary>artanh(s)/s from z = s²; s ≤ √2 − 1.</summary>
    public static UInt128 AreaTangent(UInt128 z)
    {
        UInt128 sum = s_odd[TangentTerms];
        for (int k = TangentTerms - 1; k >= 0; k--)
            sum = s_odd[k] + WideFloat.MultiplyHigh(z, sum);
        return sum;
    }

    private static UInt128 Circular(UInt128 z, int first)
    {
        UInt128 sum = s_factorial[2 * CircularTerms + first];
        for (int k = CircularTerms - 1; k >= 0; k--)
            sum = s_factorial[2 * k + first] - WideFloat.MultiplyHigh(z, sum);
        return sum - 1;
    }

    private static UInt128[] Factorials(int count)
    {
        var inverse = new UInt128[count];
        inverse[0] = One;
        for (int n = 1; n < count; n++)
            inverse[n] = inverse[n - 1] / (uint)n;
        return inverse;
    }

    private static UInt128[] Odd(int count)
    {
        var inverse = new UInt128[count];
        for (int n = 0; n < count; n++)
            inverse[n] = One / (uint)(2 * n + 1);
        return inverse;
    }
}
