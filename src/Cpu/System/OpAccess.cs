using System.Runtime.CompilerServices;
using Hv.Core.Registers;
using Hv.Cpu.Decode;
using Hv.Cpu.State;

namespace Hv.Cpu.System;

/// <summary>Operands of system instructions: sizes, register numbers, and general registers by byte offset.</summary>
internal static class OpAccess
{
    /// <summary>Operand size in bytes.</summary>
    public static int Size(ref Op op) => 1 << (int)(op.Form & OpForm.SizeMask);

    /// <summary>Address size in bytes: 2, 4 or 8.</summary>
    public static int AddressSize(ref Op op) => 2 << ((int)(op.Form & OpForm.AddressMask) >> 2);

    public static ulong AddressMask(ref Op op) => Mask(AddressSize(ref op));

    /// <summary>The value bits of an operand of 1, 2, 4 or 8 bytes.</summary>
    public static ulong Mask(int size) => ulong.MaxValue >> (64 - (size << 3));

    /// <summary>The number of a segment, control or debug register in ModRM.reg.</summary>
    public static int Number(ref Op op) => op.Reg >> 3;

    /// <summary>An offset moved inside the instruction's address size.</summary>
    public static ulong Advance(ref Op op, ulong offset, int bytes) => (offset + (uint)bytes) & AddressMask(ref op);

    public static bool IsMemory(ref Op op) => (op.Form & OpForm.Memory) != 0;

    /// <summary>The 64-bit register at a byte offset from RAX; the decoder gives only offsets of the sixteen and of the zero register.</summary>
    public static ref ulong Register(ref CpuState s, byte offset) => ref s.Gpr[(offset >> 3) & 15];

    /// <summary>Writes a register as an operand of <paramref name="size"/> bytes: 4 clears the upper half, 2 keeps the rest (SDM 1
    /// 3.4.1.1).</summary>
    public static void SetRegister(ref CpuState s, byte offset, int size, ulong value) => SetNumbered(ref s, offset >> 3, size, value);

    /// <summary>As <see cref="SetRegister"/>, by the register's number.</summary>
    public static void SetNumbered(ref CpuState s, int number, int size, ulong value)
    {
        ref ulong register = ref s.Gpr[number & 15];
        register = size switch
        {
            2 => register & ~0xFFFFUL | value & 0xFFFF,
            4 => (uint)value,
            _ => value,
        };
    }

    /// <summary>Reads a 16-bit register or memory operand.</summary>
    public static bool TryRead16(ref CpuState s, ref Op op, Processor p, out ushort value)
    {
        ulong wide = 0;
        bool ok = true;
        if (IsMemory(ref op))
            ok = p.TryRead(ref s, (SegmentNumber)op.Segment, p.EffectiveAddress(ref s, ref op), 2, out wide);
        else
            wide = Register(ref s, op.Rm);
        value = (ushort)wide;
        return ok;
    }

    /// <summary>Writes a selector-like result: 16 bits to memory, zero-extended to the operand size in a register (SDM 2B MOV from Sreg, SLDT,
    /// STR).</summary>
    public static bool TryWrite16(ref CpuState s, ref Op op, Processor p, ushort value)
    {
        if (IsMemory(ref op))
            return p.TryWrite(ref s, (SegmentNumber)op.Segment, p.EffectiveAddress(ref s, ref op), 2, value);
        SetRegister(ref s, op.Rm, Size(ref op), value);
        return true;
    }
}
