using System.Runtime.InteropServices;

namespace Hv.Cpu.Decode;

/// <summary>
/// One decoded guest instruction, 32 bytes, in a native array that ends with an operation which leaves the block. This is the form that the interpreter
/// threads through and that a translator reads: <see cref="Kind"/> and the operands say all; <see cref="Handler"/> is the interpreter's binding.
/// </summary>
[StructLayout(LayoutKind.Sequential)]
public struct Op
{
    /// <summary>A <c>delegate*&lt;ref CpuState, ref Op, Processor, void&gt;</c> that executes it and calls the next operation's handler in tail position.</summary>
    public nint Handler;

    /// <summary>The immediate, sign- or zero-extended as the instruction demands; for direct branches the target RIP.</summary>
    public ulong Immediate;

    /// <summary>The displacement of a memory operand.</summary>
    public int Displacement;

    /// <summary>Byte offsets into the general registers: ModRM.reg (or the opcode's register) and ModRM.rm. AH..BH are their register's offset plus 1.</summary>
    public byte Reg, Rm;

    /// <summary>Byte offsets of a memory operand's base and index; <c>CpuState.ZeroOffset</c> when absent. RIP-relative operands have the next RIP folded
    /// into <see cref="Immediate"/>-free form by the decoder (see <c>Decoder</c>).</summary>
    public byte Base, Index;

    /// <summary>The index's shift, 0..3.</summary>
    public byte Scale;

    /// <summary>The segment of the memory operand: a <c>SegmentNumber</c>.</summary>
    public byte Segment;

    /// <summary>Attributes that rare handlers ask for.</summary>
    public OpForm Form;

    /// <summary>Bytes of the instruction, 1..15.</summary>
    public byte Length;

    /// <summary>Bytes from the block's first instruction to this one.</summary>
    public ushort RipDelta;

    /// <summary>Which instruction it is.</summary>
    public OpKind Kind;
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
}
