namespace Hv.Cpu.State;

/// <summary>
/// What decoding and operand checks depend on, packed: blocks decoded under one key are valid under no other. Bits 31:0 are below, bits 63:32 hold
/// the base of CS outside 64-bit code.
/// </summary>
/// <param name="Value">The packed key.</param>
public readonly record struct ModeKey(ulong Value)
{
    /// <summary>Code size: 0 16-bit, 1 32-bit, 2 64-bit.</summary>
    public const ulong CodeSizeMask = 3, Code32 = 1, Code64 = 2;

    /// <summary>SS.B: the stack pointer is ESP (in 64-bit code it is RSP).</summary>
    public const ulong Stack32 = 1 << 2;

    /// <summary>DS and ES (and, outside 64-bit code, no other segment) span 4 GiB from 0 and may be written.</summary>
    public const ulong FlatData = 1 << 3;

    /// <summary>SS spans 4 GiB from 0.</summary>
    public const ulong FlatStack = 1 << 4;

    /// <summary>CPL is 3.</summary>
    public const ulong User = 1 << 5;

    /// <summary>Real-address or virtual-8086 mode.</summary>
    public const ulong Real = 1 << 6;

    /// <summary>The block holds exactly one instruction.</summary>
    public const ulong Single = 1 << 7;

    /// <summary>SSE instructions exist: CR0.EM is clear and CR4.OSFXSR set (SDM 3A table 2-2, SDM 1 11.6).</summary>
    public const ulong Sse = 1 << 8;

    /// <summary>VEX-encoded vector instructions exist: protected mode, CR4.OSXSAVE, SSE and AVX state enabled in XCR0 (SDM 1 14.3).</summary>
    public const ulong Avx = 1 << 9;

    /// <summary>CR0.EM: x87 instructions are #NM, MMX instructions #UD.</summary>
    public const ulong NoCoprocessor = 1 << 10;

    /// <summary>CR0.TS: x87, MMX and vector instructions are #NM.</summary>
    public const ulong TaskSwitched = 1 << 11;

    /// <summary>Position of the number that <c>CodeCache</c> gives to CS's limit; 0 is 4 GiB - 1.</summary>
    public const int LimitShift = 16;

    /// <summary>16, 32 or 64.</summary>
    public int CodeBits => 16 << (int)(Value & CodeSizeMask);

    public bool Is64 => (Value & CodeSizeMask) == Code64;

    public bool Has(ulong bit) => (Value & bit) != 0;
}
