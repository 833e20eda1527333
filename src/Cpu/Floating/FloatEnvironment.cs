namespace Hv.Cpu.Floating;

/// <summary>Floating-point exceptions, at their bits of MXCSR and of the x87 status word (SDM 1 4.9, 8.1.3.3, 10.2.3).</summary>
[Flags]
public enum FloatFlags : byte
{
    None = 0,
    Invalid = 1,
    Denormal = 2,
    DivideByZero = 4,
    Overflow = 8,
    Underflow = 16,
    Inexact = 32,
}

/// <summary>Rounding control, in the encoding of MXCSR.RC, the x87 control word's RC and the immediate of ROUNDSD (SDM 1 table 4-8).</summary>
public enum RoundingMode : byte
{
    Nearest,
    Down,
    Up,
    Zero,
}

/// <summary>Which operand's NaN an operation of two NaNs gives (SDM 1 table 4-7).</summary>
public enum NanRule : byte
{
    /// <summary>x87: the larger significand; a quiet one before a signaling one.</summary>
    Larger,

    /// <summary>SSE and later: the first source.</summary>
    First,
}

/// <summary>What an operation obeys and what it raises. One is made for each instruction from MXCSR or the x87 control word; its flags are then
/// merged.</summary>
public struct FloatEnvironment
{
    /// <summary>How inexact results are rounded.</summary>
    public RoundingMode Rounding;

    /// <summary>Which NaN wins.</summary>
    public NanRule NanRule;

    /// <summary>MXCSR.FTZ: a tiny result becomes zero, where underflow is masked.</summary>
    public bool FlushToZero;

    /// <summary>MXCSR.DAZ: a denormal source counts as zero and raises nothing.</summary>
    public bool DenormalsAreZero;

    /// <summary>Exceptions that are masked: an unmasked underflow is raised for exact tiny results too, and on x87 an unmasked overflow or underflow
    /// gives a scaled result.</summary>
    public FloatFlags Masks;

    /// <summary>Significant bits of an x87 result: 24, 53 or 64; 0 stands for the format's own.</summary>
    public byte Precision;

    /// <summary>Exceptions raised so far, or since the last step.</summary>
    public FloatFlags Flags;

    /// <summary>Exceptions raised by earlier steps of the same instruction, all masked.</summary>
    public FloatFlags Earlier;

    /// <summary>Whether the last rounding went away from zero (x87's C1).</summary>
    public bool RoundedUp;

    /// <summary>Ends a step of an instruction that computes several times (DPPS). False: it has raised an unmasked exception, so that the
    /// instruction ends here.</summary>
    public bool TryBeginStep()
    {
        if ((Flags & ~Masks) != 0)
            return false;
        Earlier |= Flags;
        Flags = FloatFlags.None;
        return true;
    }

    /// <summary>The state of MXCSR <paramref name="value"/> (SDM 1 10.2.3); no flags raised.</summary>
    public static FloatEnvironment FromMxcsr(uint value) => new()
    {
        Rounding = (RoundingMode)(value >> 13 & 3),
        NanRule = NanRule.First,
        FlushToZero = (value & 1 << 15) != 0,
        DenormalsAreZero = (value & 1 << 6) != 0,
        Masks = (FloatFlags)(value >> 7 & 0x3F),
    };

    /// <summary>The state of x87 control word <paramref name="value"/> (SDM 1 8.1.5); no flags raised.</summary>
    public static FloatEnvironment FromControlWord(ushort value) => new()
    {
        Rounding = (RoundingMode)(value >> 10 & 3),
        Masks = (FloatFlags)(value & 0x3F),
        Precision = (byte)((value >> 8 & 3) switch { 0 => 24, 2 => 53, _ => 64 }),
    };
}
