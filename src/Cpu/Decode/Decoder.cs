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
internal ref partial struct Decoder
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
            Pair(ref op);
    }

    /// <summary>REX.W makes CMPXCHG8B another instruction, with a feature of its own.</summary>
    private void Pair(ref Op op)
    {
        op.Kind = OpKind.Cmpxchg16b;
        if (_status == DecodeStatus.Ok && !_features.Has(Feature.Cmpxchg16b))
            _status = DecodeStatus.Undefined;
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
