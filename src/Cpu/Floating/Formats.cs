namespace Hv.Cpu.Floating;

/// <summary>A binary interchange format with an implicit integer bit (SDM 1 4.2.2, table 4-3). A struct type argument: every use is a
/// constant.</summary>
public interface IFloatFormat
{
    /// <summary>Bits of the exponent.</summary>
    static abstract int ExponentBits { get; }

    /// <summary>Bits of the fraction, without the integer bit.</summary>
    static abstract int FractionBits { get; }
}

/// <summary>binary16, of F16C.</summary>
public readonly struct Half16 : IFloatFormat
{
    public static int ExponentBits => 5;

    public static int FractionBits => 10;
}

/// <summary>binary32.</summary>
public readonly struct Single32 : IFloatFormat
{
    public static int ExponentBits => 8;

    public static int FractionBits => 23;
}

/// <summary>binary64.</summary>
public readonly struct Double64 : IFloatFormat
{
    public static int ExponentBits => 11;

    public static int FractionBits => 52;
}

/// <summary>The 80-bit double extended format, whose integer bit is explicit (SDM 1 4.2.2).</summary>
/// <param name="Significand">Integer bit (63) and fraction.</param>
/// <param name="SignExponent">Sign (15) and biased exponent.</param>
public readonly record struct Extended80(ulong Significand, ushort SignExponent)
{
    internal const int Bias = 16383, MaxExponent = 0x7FFF;

    internal Extended80 Negated => new(Significand, (ushort)(SignExponent ^ 0x8000));

    /// <summary>The real indefinite: what a masked invalid operation gives (SDM 1 table 4-3).</summary>
    public static Extended80 Indefinite => new(0xC000000000000000, 0xFFFF);
}
