using Hv.Conformance.Campaigns.Forms;
using Hv.Conformance.Oracle;
using Iced.Intel;

namespace Hv.Conformance.Campaigns.Cases;

/// <summary>
/// Writes a short random block of 64-bit code: mostly instructions whose memory operands go through registers that stay pointers, with forward
/// branches, counted loops,
/// string instructions, stores into the block itself, and now and then an instruction that may do anything, so that faults come in the middle.
/// </summary>
public sealed class BlockWriter
{
    private const int MostBytes = 220;

    // RBX RBP R13 R14 keep addresses in the window; RCX counts loops.
    private const uint Pointers = 1 << 3 | 1 << 5 | 1 << 13 | 1 << 14, Stack = 1 << 4, Counter = 1 << 1;
    private readonly Form[] _forms;
    private readonly InstructionInfoFactory _infos = new();
    private readonly Prng _random;
    private readonly byte[] _bytes = new byte[MostBytes + 64];
    private readonly ulong _start;
    private int _length, _branches;
    private bool _counting;
    private ulong _undefined, _everUndefined;

    /// <summary>Prepares a block at linear address <paramref name="start"/>.</summary>
    public BlockWriter(Form[] forms, Prng random, ulong start)
    {
        _forms = forms;
        _random = random;
        _start = start;
    }

    /// <summary>Flags undefined where the block ends.</summary>
    public ulong Undefined => _undefined;

    /// <summary>Flags undefined at any point in it.</summary>
    public ulong EverUndefined => _everUndefined;

    /// <summary>Writes the block.</summary>
    public byte[] Write(bool selfModifying)
    {
        int pieces = 3 + _random.Below(10);
        for (int i = 0; i < pieces && _length < MostBytes - 60; i++)
        {
            switch (_random.Below(16))
            {
                case 0 or 1:
                    Branch();
                    break;
                case 2:
                    Loop();
                    break;
                case 3 when selfModifying:
                    ModifyNext();
                    break;
                default:
                    Plain(anything: _random.OneIn(24));
                    break;
            }
        }

        return _bytes[.._length];
    }

    /// <summary>A conditional branch over one to three instructions.</summary>
    private void Branch()
    {
        ulong needed = UndefinedFlags.All & ~UndefinedFlags.Af;
        if ((_undefined & needed) != 0)
            return;
        int at = _length;
        _length += 2;
        _branches++;
        for (int i = _random.Below(3); i >= 0; i--)
            Plain(anything: false);
        _branches--;
        if (_length - at - 2 > 127)
        {
            _length = at;
            return;
        }

        _bytes[at] = (byte)(0x70 | _random.Below(16));
        _bytes[at + 1] = (byte)(_length - at - 2);
    }

    /// <summary>MOV ECX, n; one or two instructions; LOOP back.</summary>
    private void Loop()
    {
        _bytes[_length] = 0xB9;
        BitConverter.TryWriteBytes(_bytes.AsSpan(_length + 1), 1 + _random.Below(6));
        _length += 5;
        int back = _length;
        _counting = true;
        ulong before = _undefined;
        for (int i = _random.Below(2); i >= 0; i--)
            Plain(anything: false);
        _counting = false;
        // Round again, the body starts with what it left undefined: read nothing then. Simplest is to drop a body that both reads and leaves.
        if ((_undefined & ~before) != 0 || _length + 2 - back > 127)
        {
            _length = back;
            return;
        }

        _bytes[_length] = 0xE2;
        _bytes[_length + 1] = (byte)(back - _length - 2);
        _length += 2;
    }

    /// <summary>A store into the immediate of the instruction right after it, or of one a little later.</summary>
    private void ModifyNext()
    {
        int at = _length;
        int between = _random.Below(3);
        // MOV BYTE [RIP+d], imm8 (7 bytes), NOPs, MOV r32, imm32 (5 bytes): the store changes one byte of imm32.
        _bytes[at] = 0xC6;
        _bytes[at + 1] = 0x05;
        BitConverter.TryWriteBytes(_bytes.AsSpan(at + 2), between + 1 + _random.Below(4));
        _bytes[at + 6] = (byte)_random.Next();
        _bytes.AsSpan(at + 7, between).Fill(0x90);
        int mov = at + 7 + between;
        _bytes[mov] = (byte)(0xB8 | _random.Pick<byte>([0, 2, 6, 7]));
        BitConverter.TryWriteBytes(_bytes.AsSpan(mov + 1), (uint)_random.Next());
        _length = mov + 5;
    }

    private void Plain(bool anything)
    {
        for (int attempt = 0; attempt < 20; attempt++)
        {
            Form form = _forms[_random.Below(_forms.Length)];
            if (FormBytes.Make(form, _random, _start + (uint)_length, out Instruction instruction) is not { } bytes)
                continue;
            if (!anything)
            {
                Tame(bytes);
                instruction = FormBytes.Decode(bytes, CodeMode.Bits64, _start + (uint)_length);
            }

            if (BlockForms.LeavesOut(in instruction))
                continue;
            if (!(anything || IsTame(in instruction)) || !FlagsAllow(in instruction))
                continue;
            bytes.CopyTo(_bytes, _length);
            _length += bytes.Length;
            return;
        }
    }

    /// <summary>Makes displacements small where a pointer register is the base.</summary>
    private void Tame(byte[] bytes)
    {
        var decoder = Decoder.Create(64, new ByteArrayCodeReader(bytes));
        Instruction instruction = decoder.Decode();
        ConstantOffsets offsets = decoder.GetConstantOffsets(in instruction);
        if (!offsets.HasDisplacement || instruction.MemoryBase == Register.None)
            return;
        long displacement = _random.Below(64) - 32;
        if (CodeSlot.Locks(in instruction) || instruction.MemorySize.GetSize() >= 16)
            displacement &= ~15;
        for (int i = 0; i < offsets.DisplacementSize; i++)
            bytes[offsets.DisplacementOffset + i] = (byte)(displacement >> (8 * i));
    }

    private bool IsTame(in Instruction instruction)
    {
        if (instruction.Mnemonic is Mnemonic.Div or Mnemonic.Idiv or Mnemonic.Ldmxcsr or Mnemonic.Vldmxcsr or Mnemonic.Fldcw or Mnemonic.Fldenv
            or Mnemonic.Frstor or Mnemonic.Fxrstor or Mnemonic.Fxrstor64)
            return _random.OneIn(8);
        uint kept = Pointers | Stack | (_counting ? Counter : 0);
        InstructionInfo info = _infos.GetInfo(in instruction);
        foreach (UsedRegister used in info.GetUsedRegisters())
        {
            Register full = used.Register.GetFullRegister();
            bool stackStep = full == Register.RSP && instruction.IsStackInstruction;
            if (full is >= Register.RAX and <= Register.R15 && (kept >> (full - Register.RAX) & 1) != 0
                && used.Access is not (OpAccess.Read or OpAccess.CondRead) && !stackStep)
                return false;
        }

        // A locked access must not cross a cache line (see OperandState): pointers are multiples of 16, the stack pointer is not.
        if (CodeSlot.Locks(in instruction) && instruction.MemoryBase.GetFullRegister() == Register.RSP)
            return false;
        foreach (UsedMemory memory in info.GetUsedMemory())
        {
            Register full = memory.Base.GetFullRegister();
            bool pointer = full is >= Register.RAX and <= Register.R15 && ((Pointers | Stack) >> (full - Register.RAX) & 1) != 0;
            if (!pointer || memory.Index != Register.None || memory.Segment is Register.FS or Register.GS || memory.AddressSize != CodeSize.Code64)
                return false;
        }

        return !(instruction.Op1Kind == OpKind.Register && instruction.Op0Kind == OpKind.Memory
            && instruction.Mnemonic is Mnemonic.Bt or Mnemonic.Btc or Mnemonic.Btr or Mnemonic.Bts);
    }

    /// <summary>An instruction may not read a flag that an earlier one left undefined; what it leaves undefined is remembered.</summary>
    private bool FlagsAllow(in Instruction instruction)
    {
        ulong reads = Bits(instruction.RflagsRead);
        if (instruction.Mnemonic is Mnemonic.Pushf or Mnemonic.Pushfd or Mnemonic.Pushfq or Mnemonic.Lahf)
            reads = UndefinedFlags.All;
        if ((reads & _undefined) != 0)
            return false;
        ulong leaves = 0;
        foreach (UndefinedRule rule in UndefinedFlags.Concerning(instruction.Mnemonic))
        {
            if (rule.ResultToo)
                return false;
            leaves |= rule.Flags;
        }

        // A count of zero leaves flags alone, and inside a branch or loop the instruction may not run: then nothing is cleared.
        bool surely = _branches == 0 && !_counting && leaves == 0 && !instruction.HasRepPrefix && !instruction.HasRepnePrefix;
        if (surely)
            _undefined &= ~Bits(instruction.RflagsModified & ~instruction.RflagsUndefined);
        _undefined |= leaves;
        _everUndefined |= _undefined;
        return true;
    }

    private static ulong Bits(RflagsBits flags) =>
        ((flags & RflagsBits.CF) != 0 ? UndefinedFlags.Cf : 0) | ((flags & RflagsBits.PF) != 0 ? UndefinedFlags.Pf : 0)
        | ((flags & RflagsBits.AF) != 0 ? UndefinedFlags.Af : 0) | ((flags & RflagsBits.ZF) != 0 ? UndefinedFlags.Zf : 0)
        | ((flags & RflagsBits.SF) != 0 ? UndefinedFlags.Sf : 0) | ((flags & RflagsBits.OF) != 0 ? UndefinedFlags.Of : 0);

    /// <summary>Sets the pointer registers of a block's state.</summary>
    public static void Point(ref CaseRecord record, Prng random)
    {
        foreach (int register in (ReadOnlySpan<int>)[3, 5, 13, 14, 6, 7])
            record.Registers[register] = OracleMap.Window + 80 + (uint)random.Below((OracleMap.WindowSize - 144) / 16) * 16;
        record.Registers[4] = OracleMap.Window + 64 + (uint)random.Below(8) * 16;
        if (!random.OneIn(16))
            record.Registers[1] = (uint)random.Below(16);
    }
}
