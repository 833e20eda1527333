namespace Hv.Conformance.Campaigns.Forms;

/// <summary>The code segment that a case runs in.</summary>
public enum CodeMode : byte
{
    /// <summary>64-bit code.</summary>
    Bits64 = 64,

    /// <summary>A 32-bit code segment under long mode (compatibility mode).</summary>
    Bits32 = 32,

    /// <summary>A 16-bit code segment under long mode.</summary>
    Bits16 = 16,
}

/// <summary>How the worker enters and leaves a case's code.</summary>
public enum EntryWay : byte
{
    /// <summary>64-bit code, entered by a jump, left by a jump: tens of nanoseconds.</summary>
    Quick,

    /// <summary>Selectors and flags set by IRETQ; left by a jump.</summary>
    Selectors,

    /// <summary>As <see cref="Selectors"/>, with RFLAGS.TF: the single-step trap ends the case after one instruction, wherever that went.</summary>
    Stepped,
}
