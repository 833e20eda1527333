using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace Hv.Cpu.State;

/// <summary>
/// The x87, SSE and AVX registers. Vectors come first and the block's address is a multiple of 32, so that arithmetic can use aligned loads; the
/// 80-bit
/// x87 registers have 16-byte slots, indexed by physical number (not relative to TOP), because tags are physical too (SDM 1 8.1.2).
/// </summary>
[StructLayout(LayoutKind.Sequential)]
public struct FpuState
{
    /// <summary>YMM0..YMM15; XMMn is the low half.</summary>
    public VectorRegisters Vectors;

    /// <summary>R0..R7.</summary>
    public X87Registers X87;

    /// <summary>The x87 control, status (with TOP) and tag words. A tag bit of <see cref="Tags"/> is set when the register is not empty (FXSAVE's
    /// abridged form, SDM 1 10.5.1.1).</summary>
    public ushort Control, Status;
    public byte Tags;

    /// <summary>The opcode, 11 bits, and the operand's offset of the last x87 instruction that left an unmasked exception, and the offset of the last
    /// x87 instruction (docs/adr/0027-x87-pointers.md).</summary>
    public ushort Opcode;
    public ulong InstructionPointer, OperandPointer;
    public uint Mxcsr;

    /// <summary>MXCSR after reset (SDM 1 10.2.3) and the bits that may be set.</summary>
    public const uint MxcsrDefault = 0x1F80, MxcsrMask = 0xFFFF;

    /// <summary>FCW after FNINIT and after reset (SDM 1 8.1.5; SDM 3A table 10-1).</summary>
    public const ushort ControlInit = 0x37F, ControlReset = 0x40;
}

/// <summary>Sixteen 256-bit registers.</summary>
[InlineArray(16)]
public struct VectorRegisters
{
    private Vector256<byte> _vector;
}

/// <summary>Eight 80-bit registers.</summary>
[InlineArray(8)]
public struct X87Registers
{
    private X87Register _register;
}

/// <summary>One 80-bit register in a 16-byte slot.</summary>
public struct X87Register
{
    public ulong Significand;

    /// <summary>Sign and exponent in the low 16 bits; the rest is 0.</summary>
    public ulong SignExponent;
}
