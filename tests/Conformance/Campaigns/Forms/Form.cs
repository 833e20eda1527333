using Iced.Intel;

namespace Hv.Conformance.Campaigns.Forms;

/// <summary>One row of Iced's opcode table in one code mode: an instruction with given operand kinds, operand size and encoding.</summary>
public sealed class Form
{
    /// <summary>Makes the form.</summary>
    public Form(Code code, CodeMode mode)
    {
        Code = code;
        Mode = mode;
        OpCode = code.ToOpCode();
        Feature = string.Join('+', code.CpuidFeatures().Select(f => f.ToString()));
        NotComparedBecause = NotCompared.Reason(OpCode.Mnemonic);
    }

    public Code Code { get; }
    public CodeMode Mode { get; }
    public OpCodeInfo OpCode { get; }

    /// <summary>The CPUID feature that brings it, by Iced's name.</summary>
    public string Feature { get; }

    /// <summary>Why operand cases of it are not compared, or null.</summary>
    public string? NotComparedBecause { get; }

    /// <summary>How its cases are entered.</summary>
    public EntryWay Way => EntryWays.Of(this);

    /// <inheritdoc/>
    public override string ToString() => $"{(int)Mode}-bit {OpCode.ToInstructionString()} ({OpCode.ToOpCodeString()})";
}
