namespace Hv.Cpu.Decode;

/// <summary>
/// How an opcode's operands are encoded: an <see cref="OpShape"/> in bits 3:0, an immediate in bits 7:4, then single attributes. The combinations are
/// named in the notation of SDM 2D A.2 (E ModRM.rm, G ModRM.reg, I immediate, Z register in the opcode, M memory only; b byte, w word, v operand
/// size).
/// </summary>
[Flags]
internal enum Operands : uint
{
    None = 0,
    ShapeMask = 0xF,

    // The immediate.
    ImmediateMask = 0xF0,
    Ib = 1 << 4,
    IbSigned = 2 << 4,
    Iw = 3 << 4,
    Iz = 4 << 4,
    Iv = 5 << 4,
    Rel8 = 6 << 4,
    RelZ = 7 << 4,
    One = 8 << 4,
    Moffs = 9 << 4,
    Far = 10 << 4,
    IwIb = 11 << 4,

    ModRm = 1 << 8,

    /// <summary>The operand size is one byte.</summary>
    ByteSized = 1 << 9,

    /// <summary>The rm operand is a byte whatever the operand size.</summary>
    RmByte = 1 << 10,

    /// <summary>Rm is the register in the opcode's low three bits.</summary>
    Z = 1 << 11,

    /// <summary>Rm is AL, AX, EAX or RAX.</summary>
    Accumulator = 1 << 12,
    MemoryOnly = 1 << 13,
    RegisterOnly = 1 << 14,

    /// <summary>ModRM.mod is ignored: rm is a register (SDM 2B, MOV to and from control registers).</summary>
    ModIgnored = 1 << 15,

    /// <summary>ModRM.reg is a segment, control or debug register.</summary>
    SegmentReg = 1 << 16,
    ControlReg = 1 << 17,
    DebugReg = 1 << 18,

    /// <summary>LOCK is legal when the destination is memory.</summary>
    Lockable = 1 << 19,

    /// <summary>Not in 64-bit mode; only in 64-bit mode.</summary>
    No64 = 1 << 20,
    Only64 = 1 << 21,

    /// <summary>The operand size in 64-bit mode is 64 unless prefixed; always.</summary>
    Default64 = 1 << 22,
    Force64 = 1 << 23,

    /// <summary>REX.W does not make the operand size 64.</summary>
    Most32 = 1 << 24,

    /// <summary>The operand size is 32 whatever the prefixes, or 64 with REX.W.</summary>
    Dword = 1 << 25,

    /// <summary>Reg is a byte register (MOVNTI and the like never are).</summary>
    Group = 1u << 31,

    // Combinations.
    Ev = OpShape.Rm | ModRm,
    Eb = Ev | ByteSized,
    EvGv = OpShape.RmReg | ModRm,
    EbGb = EvGv | ByteSized,
    GvEv = OpShape.RegRm | ModRm,
    GbEb = GvEv | ByteSized,
    GvEb = GvEv | RmByte,
    GvM = GvEv | MemoryOnly,
    MvGv = EvGv | MemoryOnly,
    Mv = Ev | MemoryOnly,
    EvIz = OpShape.RmImm | ModRm | Iz,
    EvIbSigned = OpShape.RmImm | ModRm | IbSigned,
    EvIb = OpShape.RmImm | ModRm | Ib,
    EbIb = EvIb | ByteSized,
    Ev1 = OpShape.RmImm | ModRm | One,
    Eb1 = Ev1 | ByteSized,
    EvCl = OpShape.RmCl | ModRm,
    EbCl = EvCl | ByteSized,
    AccIz = OpShape.RmImm | Accumulator | Iz,
    AccIb = OpShape.RmImm | Accumulator | Ib | ByteSized,
    EvGvIb = OpShape.RmRegImm | ModRm | Ib,
    EvGvCl = OpShape.RmRegCl | ModRm,
    GvEvIz = OpShape.RegRmImm | ModRm | Iz,
    GvEvIb = OpShape.RegRmImm | ModRm | IbSigned,
    Zv = OpShape.Rm | Z,
    ZvIv = OpShape.RmImm | Z | Iv,
    ZbIb = OpShape.RmImm | Z | Ib | ByteSized,
    GyByEy = OpShape.RegVexRm | ModRm,
    GyEyBy = OpShape.RegRmVex | ModRm,
    ByEy = OpShape.VexRm | ModRm,
}
