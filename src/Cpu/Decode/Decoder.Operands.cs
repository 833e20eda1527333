using Hv.Cpu.State;

namespace Hv.Cpu.Decode;

// Operands: ModRM, SIB, displacement, immediate.
internal ref partial struct Decoder
{
    private void Operand(ref Op op, Operands operands, byte opcode)
    {
        bool byteSized = (operands & Operands.ByteSized) != 0;
        if ((operands & Operands.Accumulator) != 0)
            op.Rm = 0;
        if ((operands & Operands.Z) != 0)
            op.Rm = Register((opcode & 7) | (_rex & 1) << 3, byteSized);
        if (_vex && HasThird(op.Shape))
            // Outside 64-bit code the top bit of vvvv chooses nothing, but where there is no such operand it must be set too (SDM 2A 2.3.5.6).
            op.Immediate = (ulong)(_vexRegister & (_is64 ? 15 : 7)) * 8;
        if ((operands & Operands.ModRm) == 0)
            return;
        byte modRm = NextByte();
        int reg = (modRm >> 3) & 7;
        if ((operands & Operands.SegmentReg) != 0)
            op.Reg = (byte)(reg * 8);
        else if ((operands & (Operands.ControlReg | Operands.DebugReg)) != 0)
            op.Reg = (byte)((reg | (_rex & 4) << 1) * 8);
        else
            op.Reg = Register(reg | (_rex & 4) << 1, byteSized);
        if (modRm >= 0xC0 || (operands & Operands.ModIgnored) != 0)
        {
            op.Rm = Register((modRm & 7) | (_rex & 1) << 3, byteSized || (operands & Operands.RmByte) != 0);
            return;
        }

        op.Form |= OpForm.Memory;
        if ((op.Form & OpForm.AddressMask) == 0)
            Memory16(ref op, modRm);
        else
            Memory(ref op, modRm);
        if ((operands & Operands.Vsib) == Operands.Vsib)
            VectorIndex(ref op, modRm);
    }

    private static bool HasThird(OpShape shape) => shape is OpShape.RegVexRm or OpShape.RegRmVex or OpShape.VexRm or OpShape.RmVexReg;

    /// <summary>The index of a gather: vector register 4 is one like any other, and there is no gather without a SIB byte (SDM 2A 2.3.12).</summary>
    private void VectorIndex(ref Op op, byte modRm)
    {
        _noVectorIndex = (modRm & 7) != 4 || (op.Form & OpForm.AddressMask) == 0;
        if (op.Index != CpuState.ZeroOffset)
            return;
        op.Index = 4 * 8;
        op.Scale = _noIndexScale;
    }

    /// <summary>The byte offset of a register; without REX, byte registers 4..7 are AH, CH, DH, BH.</summary>
    private readonly byte Register(int number, bool byteSized) =>
        (byte)(byteSized && !_hasRex && number is >= 4 and < 8 ? (number - 4) * 8 + 1 : number * 8);

    /// <summary>SDM 2A, table 2-1.</summary>
    private void Memory16(ref Op op, byte modRm)
    {
        const byte Bx = 3 * 8, Bp = 5 * 8, Si = 6 * 8, Di = 7 * 8, None = CpuState.ZeroOffset;
        int mod = modRm >> 6, rm = modRm & 7;
        (op.Base, op.Index) = rm switch
        {
            0 => (Bx, Si),
            1 => (Bx, Di),
            2 => (Bp, Si),
            3 => (Bp, Di),
            4 => (Si, None),
            5 => (Di, None),
            6 when mod == 0 => (None, None),
            6 => (Bp, None),
            _ => (Bx, None),
        };
        if (op.Base == Bp && _segment == NoSegment)
            op.Segment = (byte)SegmentNumber.Ss;
        if (mod == 1)
            op.Displacement = (sbyte)NextByte();
        else if (mod == 2 || (rm == 6 && mod == 0))
            op.Displacement = (short)Next16();
    }

    /// <summary>SDM 2A, tables 2-2 and 2-3, and 2.2.1.6 for RIP-relative operands.</summary>
    private void Memory(ref Op op, byte modRm)
    {
        const int Sp = 4, Bp = 5;
        int mod = modRm >> 6, rm = modRm & 7;
        int baseRegister = rm | (_rex & 1) << 3;
        bool wide = mod == 2;
        if (rm == Sp)
        {
            byte sib = NextByte();
            int index = ((sib >> 3) & 7) | (_rex & 2) << 2;
            rm = sib & 7;
            baseRegister = rm | (_rex & 1) << 3;
            _noIndexScale = (byte)(sib >> 6);
            if (index != Sp)
            {
                op.Index = (byte)(index * 8);
                op.Scale = (byte)(sib >> 6);
            }

            if (rm == Bp && mod == 0)
            {
                baseRegister = -1;
                wide = true;
            }
        }
        else if (rm == Bp && mod == 0)
        {
            baseRegister = -1;
            wide = true;
            if (_is64)
                op.Base = CpuState.BlockRipOffset;
        }

        if (baseRegister >= 0)
        {
            op.Base = (byte)(baseRegister * 8);
            if (baseRegister is Sp or Bp && _segment == NoSegment)
                op.Segment = (byte)SegmentNumber.Ss;
        }

        if (wide)
            op.Displacement = (int)Next32();
        else if (mod == 1)
            op.Displacement = (sbyte)NextByte();
    }

    private void Immediate(ref Op op, Operands operands)
    {
        int size = op.SizeLog2;
        ulong mask = size == 3 ? ulong.MaxValue : (1UL << (8 << size)) - 1;
        switch (operands & Operands.ImmediateMask)
        {
            case Operands.Ib: op.Immediate = NextByte(); break;
            case Operands.UpperIb: op.Immediate |= (ulong)NextByte() << 8; break;
            case Operands.IbSigned: op.Immediate = (ulong)(sbyte)NextByte() & mask; break;
            case Operands.Iw: op.Immediate = Next16(); break;
            case Operands.Iz: op.Immediate = (size == 1 ? (ulong)(short)Next16() : (ulong)(int)Next32()) & mask; break;
            case Operands.Iv: op.Immediate = size == 1 ? Next16() : size == 2 ? Next32() : Next64(); break;
            case Operands.Rel8: op.Immediate = (ulong)(sbyte)NextByte(); break;
            case Operands.RelZ: op.Immediate = size == 1 ? (ulong)(short)Next16() : (ulong)(int)Next32(); break;
            case Operands.One: op.Immediate = 1; break;
            case Operands.IwIb: op.Immediate = Next16(); op.Immediate |= (ulong)NextByte() << 16; break;
            case Operands.Moffs:
                op.Form |= OpForm.Memory;
                op.Immediate = (op.Form & OpForm.AddressMask) switch { OpForm.Address64 => Next64(), OpForm.Address32 => Next32(), _ => Next16() };
                break;
            case Operands.Far:
                op.Immediate = size == 1 ? Next16() : Next32();
                op.Immediate |= (ulong)Next16() << 32;
                break;
        }
    }
}
