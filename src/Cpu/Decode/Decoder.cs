using System.Buffers.Binary;
using Hv.Cpu.State;
using Row = Hv.Cpu.Decode.OpcodeTable.Row;

namespace Hv.Cpu.Decode;

/// <summary>How decoding one instruction ended.</summary>
internal enum DecodeStatus : byte
{
    Ok,

    /// <summary>The bytes end inside the instruction, which is not longer than 15 bytes so far.</summary>
    NeedMore,

    /// <summary>Longer than 15 bytes: #GP(0) (SDM 3A 6.15, interrupt 13).</summary>
    TooLong,

    /// <summary>#UD.</summary>
    Undefined,
}

/// <summary>
/// Decodes one instruction: prefixes, opcode, ModRM, SIB, displacement, immediate (SDM 2A, chapter 2). Knows nothing of memory or of the processor;
/// the same bytes and mode give the same <see cref="Op"/>. Relative targets are left relative and RIP-relative displacements count from the
/// instruction's end: the block builder, which knows where it is, adds the rest.
/// </summary>
internal ref struct Decoder
{
    /// <summary>The longest instruction, in bytes.</summary>
    internal const int MaxLength = 15;

    private readonly ReadOnlySpan<byte> _code;
    private readonly FeatureSet _features;
    private readonly bool _is64, _is32;
    private int _at;
    private DecodeStatus _status;

    private byte _rex, _segment, _repeat, _vexRegister, _noIndexScale;
    private bool _operandPrefix, _addressPrefix, _lock, _hasRex, _vex, _vexLong, _noVectorIndex;

    private const byte NoSegment = 0xFF;

    private Decoder(ReadOnlySpan<byte> code, ModeKey mode, FeatureSet features)
    {
        _code = code;
        _features = features;
        _is64 = mode.Is64;
        _is32 = (mode.Value & ModeKey.CodeSizeMask) == ModeKey.Code32;
        _segment = NoSegment;
    }

    /// <summary>Decodes the instruction that <paramref name="code"/> begins with. Everything but <see cref="Op.Handler"/> and <see
    /// cref="Op.RipDelta"/> is filled.</summary>
    internal static DecodeStatus Decode(ReadOnlySpan<byte> code, ModeKey mode, FeatureSet features, ref Op op)
    {
        var decoder = new Decoder(code.Length > MaxLength ? code[..MaxLength] : code, mode, features);
        op = default;
        op.Base = op.Index = CpuState.ZeroOffset;
        decoder.Instruction(ref op, mode.Has(ModeKey.Real));
        if (decoder._status == DecodeStatus.NeedMore && code.Length >= MaxLength)
            return DecodeStatus.TooLong;
        op.Length = (byte)decoder._at;
        return decoder._status;
    }

    private void Instruction(ref Op op, bool real)
    {
        byte opcode = Prefixes();
        int map = OpcodeTable.OneByteMap;
        if (_status != DecodeStatus.Ok)
            return;
        if (opcode is 0xC4 or 0xC5 && (_is64 || PeekByte() >= 0xC0) && _status == DecodeStatus.Ok && !real)
        {
            if (!VexPrefix(opcode, out map))
                return;
            opcode = NextByte();
        }
        else if (opcode == 0x0F)
        {
            opcode = NextByte();
            map = opcode switch { 0x38 => OpcodeTable.Map0F38, 0x3A => OpcodeTable.Map0F3A, _ => OpcodeTable.Map0F };
            if (map != OpcodeTable.Map0F)
                opcode = NextByte();
        }

        int prefix = _repeat switch
        {
            0xF3 => OpcodeTable.PrefixF3,
            0xF2 => OpcodeTable.PrefixF2,
            _ =>
            _operandPrefix ? OpcodeTable.Prefix66 : OpcodeTable.NoPrefix
        };
        ref readonly Row row = ref Find(map, prefix, opcode);
        // Before TZCNT and LZCNT existed, F3 meant nothing in front of BSF and BSR.
        if (row.Kind is OpKind.Tzcnt or OpKind.Lzcnt && !_features.Has(row.Feature))
            row = ref Find(map, OpcodeTable.NoPrefix, opcode);
        if (_status != DecodeStatus.Ok)
            return;
        if (row.Kind == OpKind.Invalid || !_features.Has(row.Feature))
        {
            SkipUndefined(map, opcode);
            if (_status == DecodeStatus.Ok)
                _status = DecodeStatus.Undefined;
            return;
        }

        op.Kind = row.Kind;
        op.Shape = (OpShape)(row.Operands & Operands.ShapeMask);
        op.Form = (OpForm)SizeLog2(row.Operands) | (OpForm)(AddressLog2() << 2);
        op.Form |= PrefixForm(row.Operands);
        op.Segment = _segment == NoSegment ? (byte)SegmentNumber.Ds : _segment;
        op.Immediate = op.Kind == OpKind.X87Escape ? (uint)row.Extra << 8 | PeekByte() : (ulong)row.Extra;

        Operand(ref op, row.Operands, opcode);
        Immediate(ref op, row.Operands);
        if (_status == DecodeStatus.Ok && !IsLegal(op, row.Operands))
            _status = DecodeStatus.Undefined;
        if (op.Kind is OpKind.In or OpKind.Out && op.Shape == OpShape.Imm)
            op.Rm = CpuState.ZeroOffset;
        if (op.Kind == OpKind.Xchg && op.Rm == op.Reg && opcode == 0x90)
            op.Kind = OpKind.Nop;
        else if (op.Kind == OpKind.Cmpxchg8b && (_rex & 8) != 0)
            op.Kind = OpKind.Cmpxchg16b;
    }

    private ref readonly Row Find(int map, int prefix, byte opcode)
    {
        ref readonly Row row = ref OpcodeTable.Find(_is64, map, prefix, opcode);
        if ((row.Operands & Operands.Group) == 0)
            return ref row;
        return ref OpcodeTable.FindMember(row, PeekByte());
    }

    private readonly OpForm PrefixForm(Operands operands)
    {
        if ((operands & Operands.Vector) == Operands.Vector)
            return (_vex ? OpForm.Vex : 0) | (_vexLong ? OpForm.Ymm : 0) | ((operands & Operands.Mmx) == Operands.Mmx ? OpForm.Mmx : 0);
        OpForm form = _lock ? OpForm.Lock : 0;
        return _repeat switch { 0 => form, 0xF3 => form | OpForm.Rep, _ => form | OpForm.Repne };
    }

    /// <summary>Passes over the operands of an opcode that its prefixes or ModRM make undefined: the processor finds an instruction's length, which
    /// may be too much, by its opcode alone, before it asks whether the instruction exists.</summary>
    private void SkipUndefined(int map, byte opcode)
    {
        Operands operands = (map & 3) switch
        {
            OpcodeTable.Map0F38 => Operands.ModRm,
            OpcodeTable.Map0F3A => Operands.ModRm | Operands.Ib,
            OpcodeTable.Map0F when _vex && opcode != 0x77 =>
                opcode is (>= 0x70 and <= 0x73) or 0xC2 or (>= 0xC4 and <= 0xC6) ? Operands.ModRm | Operands.Ib : Operands.ModRm,
            _ => 0,
        };
        for (int prefix = 0; operands == 0 && prefix < OpcodeTable.PrefixKinds; prefix++)
        {
            ref readonly Row row = ref OpcodeTable.Find(_is64, map, prefix, opcode);
            operands = (row.Operands & Operands.Group) != 0 ? Operands.ModRm : row.Kind != OpKind.Invalid ? row.Operands : 0;
        }

        var op = new Op { Form = (OpForm)SizeLog2(operands) | (OpForm)(AddressLog2() << 2) };
        Operand(ref op, operands, opcode);
        Immediate(ref op, operands);
    }

    private byte Prefixes()
    {
        while (true)
        {
            byte b = NextByte();
            if (_status != DecodeStatus.Ok)
                return 0;
            switch (b)
            {
                case 0x66: _operandPrefix = true; break;
                case 0x67: _addressPrefix = true; break;
                case 0xF0: _lock = true; break;
                case 0xF2 or 0xF3: _repeat = b; break;
                case 0x26 or 0x2E or 0x36 or 0x3E:
                    if (!_is64)
                        _segment = (byte)((b >> 3) & 3);
                    break;
                case 0x64 or 0x65: _segment = (byte)(b - 0x60); break;
                case >= 0x40 and <= 0x4F when _is64:
                    (_rex, _hasRex) = (b, true);
                    continue;
                default:
                    return b;
            }

            // A REX that another prefix follows is ignored (SDM 2A 2.2.1).
            (_rex, _hasRex) = (0, false);
        }
    }

    /// <summary>VEX (SDM 2A 2.3): its fields replace REX, the mandatory prefix and the escape bytes.</summary>
    private bool VexPrefix(byte first, out int map)
    {
        byte second = NextByte();
        byte third = second;
        map = OpcodeTable.VexMaps + OpcodeTable.Map0F;
        bool refused = _hasRex || _operandPrefix || _lock || _repeat != 0;
        _rex = (byte)((~second >> 5) & 4);
        if (first == 0xC4)
        {
            third = NextByte();
            _rex |= (byte)(((~second >> 5) & 3) | ((third >> 4) & 8));
            int selector = second & 0x1F;
            refused |= selector is < OpcodeTable.Map0F or > OpcodeTable.Map0F3A;
            map = OpcodeTable.VexMaps + (selector & 3) + ((third & 0x80) != 0 ? OpcodeTable.VexWide : 0);
        }

        if (!_is64)
            _rex = 0;
        _vex = true;
        _vexLong = (third & 4) != 0;
        map += _vexLong ? OpcodeTable.VexLong : 0;
        _vexRegister = (byte)((~third >> 3) & 15);
        int prefix = third & 3;
        _operandPrefix = prefix == 1;
        _repeat = prefix switch { 2 => 0xF3, 3 => 0xF2, _ => 0 };
        if (_status == DecodeStatus.Ok && refused)
            _status = DecodeStatus.Undefined;
        return _status == DecodeStatus.Ok;
    }

    private readonly int SizeLog2(Operands operands)
    {
        if ((operands & Operands.ByteSized) != 0)
            return 0;
        if (_vex || (operands & Operands.Dword) != 0)
            return _is64 && (_rex & 8) != 0 ? 3 : 2;
        if (_is64)
        {
            if ((operands & Operands.Force64) != 0)
                return 3;
            if ((_rex & 8) != 0 && (operands & Operands.Most32) == 0)
                return 3;
            if ((operands & Operands.Default64) != 0)
                return _operandPrefix ? 1 : 3;
        }

        if ((operands & (Operands.ControlReg | Operands.DebugReg)) != 0)
            return 2;
        return (_is64 || _is32) != _operandPrefix ? 2 : 1;
    }

    private readonly int AddressLog2()
    {
        if (_is64)
            return _addressPrefix ? 1 : 2;
        return _is32 != _addressPrefix ? 1 : 0;
    }

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

    private readonly bool IsLegal(in Op op, Operands operands)
    {
        if (_lock && (!op.IsMemory || (operands & Operands.Lockable) == 0))
            return false;
        if ((operands & Operands.MemoryOnly) != 0 && !op.IsMemory)
            return false;
        if (_noVectorIndex || ((operands & Operands.Vsib) == Operands.Vsib && !AreDifferent(op)))
            return false;
        if (_vex && !HasThird(op.Shape) && _vexRegister != 0)
            return false;
        int special = op.Reg / 8;
        if ((operands & Operands.SegmentReg) != 0)
            return special < 6 && (op.Kind == OpKind.MovFromSeg || special != (int)SegmentNumber.Cs);
        if ((operands & Operands.ControlReg) != 0)
            return special is 0 or 2 or 3 or 4 or 8;
        return (operands & Operands.DebugReg) == 0 || special < 8;
    }

    /// <summary>The destination, the index and the mask of a gather must be different registers (SDM 2C VPGATHERDD).</summary>
    private static bool AreDifferent(in Op op) => op.Reg != op.Index && op.Reg != (int)op.Immediate && op.Index != (int)op.Immediate;

    private readonly byte PeekAt() => _code[_at];

    private byte PeekByte()
    {
        if (_at < _code.Length)
            return PeekAt();
        _status = DecodeStatus.NeedMore;
        return 0;
    }

    private byte NextByte()
    {
        byte value = PeekByte();
        if (_status == DecodeStatus.Ok)
            _at++;
        return value;
    }

    private ReadOnlySpan<byte> Next(int count)
    {
        if (_status == DecodeStatus.Ok && _at + count <= _code.Length)
        {
            _at += count;
            return _code.Slice(_at - count, count);
        }

        if (_status == DecodeStatus.Ok)
            _status = DecodeStatus.NeedMore;
        return [];
    }

    private ushort Next16() => Next(2) is { Length: 2 } bytes ? BinaryPrimitives.ReadUInt16LittleEndian(bytes) : (ushort)0;

    private uint Next32() => Next(4) is { Length: 4 } bytes ? BinaryPrimitives.ReadUInt32LittleEndian(bytes) : 0;

    private ulong Next64() => Next(8) is { Length: 8 } bytes ? BinaryPrimitives.ReadUInt64LittleEndian(bytes) : 0;
}
