using Hv.Cpu.Decode;
using Hv.Cpu.Floating;
using Hv.Cpu.State;

namespace Hv.Cpu.X87;

/// <summary>A constant to push, as a type: 66 bits of it or more, so that every rounding is right (SDM 2A FLD1).</summary>
internal interface IX87Constant
{
    static abstract int Exponent { get; }

    /// <summary>The significand with bit 127 set; 0 for zero. The low bits are sticky.</summary>
    static abstract UInt128 Significand { get; }
}

internal readonly struct One : IX87Constant
{
    public static int Exponent => 0;
    public static UInt128 Significand => UInt128.One << 127;
}

internal readonly struct Zero : IX87Constant
{
    public static int Exponent => 0;
    public static UInt128 Significand => 0;
}

/// <summary>log2(10) = 3.3219280948873623478703194294893901...</summary>
internal readonly struct Log2Of10 : IX87Constant
{
    public static int Exponent => 1;
    public static UInt128 Significand => new(0xD49A784BCD1B8AFE, 0x492BF6FF4DAFDB4C);
}

/// <summary>log2(e) = 1.4426950408889634073599246810018921...</summary>
internal readonly struct Log2OfE : IX87Constant
{
    public static int Exponent => 0;
    public static UInt128 Significand => new(0xB8AA3B295C17F0BB, 0xBE87FED0691D3E88);
}

/// <summary>π = 3.1415926535897932384626433832795028...</summary>
internal readonly struct Pi : IX87Constant
{
    public static int Exponent => 1;
    public static UInt128 Significand => new(0xC90FDAA22168C234, 0xC4C6628B80DC1CD1);
}

/// <summary>log10(2) = 0.30102999566398119521373889472449302...</summary>
internal readonly struct Log10Of2 : IX87Constant
{
    public static int Exponent => -2;
    public static UInt128 Significand => new(0x9A209A84FBCFF798, 0x8F8959AC0B7C9178);
}

/// <summary>ln(2) = 0.69314718055994530941723212145817656...</summary>
internal readonly struct LnOf2 : IX87Constant
{
    public static int Exponent => -1;
    public static UInt128 Significand => new(0xB17217F7D1CF79AB, 0xC9E3B39803F2F6AF);
}

/// <summary>FLD1, FLDZ, FLDPI and the logarithms: rounded by RC whatever the precision control, and no inexact (SDM 2A FLD1).</summary>
internal readonly struct LoadConstant<TConstant> : IX87Instruction where TConstant : struct, IX87Constant
{
    public static bool Execute(ref CpuState s, ref Op op, Processor p)
    {
        FloatEnvironment environment = FloatEnvironment.FromControlWord(s.Fpu.Control) with { Precision = 64 };
        X87Stack.Push(ref s.Fpu, FloatRounding.RoundExtended(false, TConstant.Exponent, TConstant.Significand, ref environment));
        return true;
    }
}
