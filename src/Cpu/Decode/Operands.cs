namespace Hv.Cpu.Decode;

/// <summary>
/// How an opcode's operands are encoded: an <see cref="OpShape"/> in bits 3:0, an immediate in bits 7:4, then single attributes. The combinations are
/// named in the notation of SDM 2D A.2 (E ModRM.rm, G ModRM.reg, I immediate, Z register in the opcode, M memory only; b byte, w word, v operand
/// size).
/// </summary>
[Flags]
internal enum Operands : ulong
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

    /// <summary>A vector instruction: <see cref="OpForm"/> tells Vex, Ymm and Mmx in place of LOCK and the repeat prefixes; operands in general
    /// registers have 32 bits, or 64 with REX.W.</summary>
    Vector = 1 << 26 | Dword,

    /// <summary>Vector operands are MMX registers, of which there are eight.</summary>
    Mmx = 1 << 27 | Vector,

    /// <summary>The index of the memory operand is a vector register, and there must be a SIB byte (SDM 2A 2.3.12).</summary>
    Vsib = 1 << 28 | MemoryOnly,

    /// <summary>An immediate byte behind a third register: bits 15:8 of <see cref="Op.Immediate"/>.</summary>
    UpperIb = 12 << 4,

    /// <summary>A group: ModRM decides.</summary>
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

    // Vector operands: V ModRM.reg, W ModRM.rm, H VEX.vvvv, P and Q the same in MMX registers, E and G general registers, M memory only.
    VW = GvEv | Vector,
    WV = EvGv | Vector,
    VM = VW | MemoryOnly,
    MV = WV | MemoryOnly,
    VWIb = OpShape.RegRmImm | ModRm | Ib | Vector,
    WVIb = OpShape.RmRegImm | ModRm | Ib | Vector,
    WIb = OpShape.RmImm | ModRm | Ib | Vector,
    PQ = GvEv | Mmx,
    QP = EvGv | Mmx,
    PQIb = VWIb | Mmx,
    QIb = WIb | Mmx,
    VHW = OpShape.RegVexRm | ModRm | Vector,
    VHM = VHW | MemoryOnly,
    VHWIb = VHW | UpperIb,
    WHV = OpShape.RmVexReg | ModRm | Vector,
    MHV = WHV | MemoryOnly,
    HWIb = OpShape.VexRm | ModRm | UpperIb | Vector,
    VWH = OpShape.RegRmVex | ModRm | Vector,
}
