using System.Runtime.InteropServices;
using Hv.Cpu.State;

namespace Hv.Cpu.Decode;

/// <summary>
/// One decoded guest instruction, 32 bytes, in a native array that ends with an operation which leaves the block. This is the form that the
/// interpreter
/// threads through and that a translator reads: <see cref="Kind"/>, <see cref="Shape"/> and the operands say all; <see cref="Handler"/> is the
/// interpreter's binding (docs/adr/0020-decoded-operations.md).
/// </summary>
[StructLayout(LayoutKind.Sequential)]
public struct Op
{
    /// <summary>A <c>delegate*&lt;ref CpuState, ref Op, Processor, void&gt;</c> that executes it and calls the next operation's handler in tail
    /// position.</summary>
    public nint Handler;

    /// <summary>The immediate, sign- or zero-extended as the instruction demands; for direct branches the target RIP; for far pointers the offset in
    /// bits 31:0 and the selector in bits 47:32; for VEX forms with a third register its byte offset in bits 7:0, and the immediate byte behind it
    /// in bits 15:8.</summary>
    public ulong Immediate;

    /// <summary>The displacement of a memory operand.</summary>
    public int Displacement;

    /// <summary>Byte offsets into the general registers: ModRM.reg (or the opcode's register) and ModRM.rm. AH..BH are their register's offset plus
    /// 1. For control, debug, segment, MMX, XMM and YMM registers it is their number times 8.</summary>
    public byte Reg, Rm;

    /// <summary>Byte offsets into the state block of a memory operand's base and index: a general register, <c>CpuState.ZeroOffset</c> when absent,
    /// or
    /// <c>CpuState.BlockRipOffset</c> for RIP-relative operands, whose displacement then counts from the block's first instruction
    /// (with <c>CpuState.RipReachOffset</c> as the index where that exceeds 31 bits). The index of a gather is a vector register, its number times
    /// 8.</summary>
    public byte Base, Index;

    /// <summary>The index's shift, 0..3.</summary>
    public byte Scale;

    private byte _lengthAndSegment;

    /// <summary>Attributes that rare handlers ask for.</summary>
    public OpForm Form;

    /// <summary>How the operands are combined.</summary>
    public OpShape Shape;

    /// <summary>Bytes from the block's first instruction to this one.</summary>
    public ushort RipDelta;

    /// <summary>Which instruction it is.</summary>
    public OpKind Kind;

    /// <summary>Bytes of the instruction, 1..15.</summary>
    public byte Length
    {
        readonly get => (byte)(_lengthAndSegment & 0xF);
        set => _lengthAndSegment = (byte)((_lengthAndSegment & 0xF0) | value);
    }

    /// <summary>The segment of the memory operand: a <see cref="SegmentNumber"/>.</summary>
    public byte Segment
    {
        readonly get => (byte)(_lengthAndSegment >> 4);
        set => _lengthAndSegment = (byte)((_lengthAndSegment & 0x0F) | (value << 4));
    }

    /// <summary>The operand size as a power of two: 0 one byte, 1 two, 2 four, 3 eight.</summary>
    public readonly int SizeLog2 => (int)(Form & OpForm.SizeMask);

    /// <summary>The operand size in bytes.</summary>
    public readonly int Size => 1 << SizeLog2;

    /// <summary>Whether the rm operand is in memory.</summary>
    public readonly bool IsMemory => (Form & OpForm.Memory) != 0;
}

/// <summary>Prefix and size attributes of an operation.</summary>
[Flags]
public enum OpForm : byte
{
    None = 0,

    /// <summary>Operand size: 0 one byte, 1 two, 2 four, 3 eight.</summary>
    SizeMask = 3,

    /// <summary>Address size, shifted left by 2: 0 16-bit, 1 32-bit, 2 64-bit.</summary>
    AddressMask = 3 << 2,
    Address32 = 1 << 2,
    Address64 = 2 << 2,

    /// <summary>The rm operand is memory.</summary>
    Memory = 1 << 4,
    Lock = 1 << 5,

    /// <summary>F3 prefix.</summary>
    Rep = 1 << 6,

    /// <summary>F2 prefix.</summary>
    Repne = 1 << 7,

    /// <summary>Of a vector instruction, which has no LOCK and whose repeat prefixes are part of the opcode: encoded with VEX.</summary>
    Vex = Lock,

    /// <summary>Of a vector instruction: the vector operands are MMX registers.</summary>
    Mmx = Rep,

    /// <summary>Of a vector instruction: VEX.L, vectors of 256 bits.</summary>
    Ymm = Repne,
}

/// <summary>Which operands an operation has; the first is the destination. Rm is a register or memory, by <see cref="OpForm.Memory"/>.</summary>
public enum OpShape : byte
{
    None,
    RmReg,
    RegRm,
    RmImm,
    Rm,

    /// <summary>Rm, with CL as the count.</summary>
    RmCl,
    RmRegImm,
    RmRegCl,
    RegRmImm,
    Imm,

    /// <summary>Reg, the third register (its offset in Immediate), Rm.</summary>
    RegVexRm,

    /// <summary>Reg, Rm, the third register.</summary>
    RegRmVex,

    /// <summary>The third register, Rm.</summary>
    VexRm,

    /// <summary>Rm, the third register, Reg.</summary>
    RmVexReg,
}
