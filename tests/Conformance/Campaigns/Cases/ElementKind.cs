using Iced.Intel;

namespace Hv.Conformance.Campaigns.Cases;

/// <summary>What an instruction takes the parts of a vector or memory operand for.</summary>
public enum ElementKind : byte
{
    Integer,
    Half,
    Single,
    Double,
    Extended,
}

/// <summary>Finds the <see cref="ElementKind"/> of operands.</summary>
public static class ElementKinds
{
    /// <summary>The kind of a memory operand's elements.</summary>
    public static ElementKind Of(MemorySize size) => size.GetElementType() switch
    {
        MemorySize.Float16 => ElementKind.Half,
        MemorySize.Float32 => ElementKind.Single,
        MemorySize.Float64 => ElementKind.Double,
        MemorySize.Float80 => ElementKind.Extended,
        _ => ElementKind.Integer,
    };

    /// <summary>The kind of the vector registers of an instruction: that of the memory operand it may have instead, else what its name
    /// says.</summary>
    public static ElementKind OfRegisters(Code code)
    {
        OpCodeInfo opcode = code.ToOpCode();
        if (opcode.Mnemonic is Mnemonic.Vcvtph2ps)
            return ElementKind.Half;
        ElementKind kind = Of(opcode.MemorySize);
        if (kind is ElementKind.Single or ElementKind.Double)
            return kind;
        string name = opcode.Mnemonic.ToString();
        return name.EndsWith("ps", StringComparison.Ordinal) || name.EndsWith("ss", StringComparison.Ordinal) ? ElementKind.Single
            : name.EndsWith("pd", StringComparison.Ordinal) || name.EndsWith("sd", StringComparison.Ordinal) ? ElementKind.Double
            : ElementKind.Integer;
    }
}
