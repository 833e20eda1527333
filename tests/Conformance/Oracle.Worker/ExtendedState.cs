using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace Hv.Conformance.Oracle;

/// <summary>x87, MMX, SSE and AVX state as XSAVE64 writes it in the standard format (SDM 1 tables 10-2 and 13-1).</summary>
[StructLayout(LayoutKind.Explicit, Size = Size)]
public struct ExtendedState
{
    public const int Size = 832, X87Offset = 32, XmmOffset = 160, HeaderOffset = 512, UpperOffset = 576;

    /// <summary>What FXSAVE64 writes of it: all but the upper halves (SDM 1 10.5.1).</summary>
    public const int LegacySize = HeaderOffset;

    /// <summary>XSTATE_BV with x87, SSE and AVX present, as every case starts.</summary>
    public const ulong AllParts = 7;

    [FieldOffset(0)] public ushort Control;
    [FieldOffset(2)] public ushort Status;

    /// <summary>Abridged: bit i is set when physical register i is not empty.</summary>
    [FieldOffset(4)] public byte Tags;
    [FieldOffset(6)] public ushort Opcode;
    [FieldOffset(8)] public ulong InstructionPointer;
    [FieldOffset(16)] public ulong OperandPointer;
    [FieldOffset(24)] public uint Mxcsr;
    [FieldOffset(28)] public uint MxcsrMask;

    /// <summary>ST(0) to ST(7), in stack order.</summary>
    [FieldOffset(X87Offset)] public StackRegisters Stack;
    [FieldOffset(XmmOffset)] public VectorHalves Xmm;

    /// <summary>XSTATE_BV of the header.</summary>
    [FieldOffset(HeaderOffset)] public ulong Parts;

    /// <summary>Bits 255:128 of the YMM registers.</summary>
    [FieldOffset(UpperOffset)] public VectorHalves Upper;

    /// <summary>TOP: the physical number of ST(0).</summary>
    public readonly int Top => Status >> 11 & 7;

    /// <summary>Takes FOP, FIP and FDP from another state.</summary>
    public void SetPointers(in ExtendedState from) =>
        (Opcode, InstructionPointer, OperandPointer) = (from.Opcode, from.InstructionPointer, from.OperandPointer);

    /// <summary>Sets FSW; registers stay where they physically are.</summary>
    public void SetStatus(ushort status)
    {
        StackRegisters old = Stack;
        int before = Top;
        Status = status;
        for (int i = 0; i < 8; i++)
            Stack[i - Top & 7] = old[i - before & 7];
    }
}

/// <summary>Eight 80-bit registers, each in 16 bytes.</summary>
[InlineArray(8)]
public struct StackRegisters
{
    private StackRegister _first;
}

/// <summary>One 80-bit register; an MMX register is its significand.</summary>
[StructLayout(LayoutKind.Sequential)]
public struct StackRegister
{
    public ulong Significand;

    /// <summary>Sign and exponent in the low 16 bits.</summary>
    public ulong SignExponent;
}

/// <summary>One half of each of the sixteen YMM registers.</summary>
[InlineArray(16)]
public struct VectorHalves
{
    private Vector128<byte> _first;
}
