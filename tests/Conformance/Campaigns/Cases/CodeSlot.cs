using Hv.Conformance.Campaigns.Forms;
using Hv.Conformance.Oracle;
using Iced.Intel;

namespace Hv.Conformance.Campaigns.Cases;

/// <summary>One encoding with the place where its code lies; many operand sets run over it.</summary>
public sealed class CodeSlot
{
    /// <summary>Bytes between two slots.</summary>
    public const int Stride = 64;

    /// <summary>Makes a slot.</summary>
    /// <param name="bytes">The encoding, or a block.</param>
    /// <param name="mode">Its code mode.</param>
    /// <param name="way">How it is entered.</param>
    /// <param name="offset">Bytes from <see cref="OracleMap.Code"/>.</param>
    /// <param name="extended">Whether x87, SSE and AVX state takes part; null to decide by the instruction.</param>
    public CodeSlot(byte[] bytes, CodeMode mode, EntryWay way, uint offset, bool? extended = null)
    {
        Bytes = bytes;
        Mode = mode;
        Way = way;
        Offset = offset;
        Instruction = FormBytes.Decode(bytes, mode, StartRip);
        InstructionInfo info = (_infos ??= new InstructionInfoFactory()).GetInfo(Instruction);
        Memory = [.. info.GetUsedMemory()];
        WritesMemory = Instruction.IsInvalid || Memory.Any(m => m.Access is not (OpAccess.Read or OpAccess.CondRead or OpAccess.NoMemAccess));
        HasExtended = extended ?? ExtendedForms.Uses(Instruction.Code);
        IsLocked = Locks(Instruction);
        NeedsSelectors = SelectorShape.Concerns(Instruction);
        DisturbsSegments = way == EntryWay.Stepped || (way == EntryWay.Selectors && NeedsSelectors);
        UndefinedRules = UndefinedFlags.Concerning(Instruction.Mnemonic);
        RegisterKind = HasExtended ? ElementKinds.OfRegisters(Instruction.Code) : ElementKind.Integer;
        foreach (UsedRegister used in info.GetUsedRegisters())
        {
            if (used.Register.IsXMM() || used.Register.IsYMM())
                VectorsUsed |= 1u << used.Register.GetNumber();
            else if (used.Register.IsGPR())
                GeneralUsed |= 1u << (used.Register.GetFullRegister() - Register.RAX);
        }
    }

    [ThreadStatic] private static InstructionInfoFactory? _infos;

    public byte[] Bytes { get; }
    public CodeMode Mode { get; }
    public EntryWay Way { get; }

    /// <summary>Bytes from <see cref="OracleMap.Code"/>.</summary>
    public uint Offset { get; }

    /// <summary>How Iced reads the bytes; may be invalid in an encodings campaign.</summary>
    public Instruction Instruction { get; }

    /// <summary>Whether x87, SSE and AVX state is set and compared.</summary>
    public bool HasExtended { get; }

    /// <summary>What the vector registers used hold.</summary>
    public ElementKind RegisterKind { get; }

    /// <summary>The general registers that the instruction uses, one bit each.</summary>
    public uint GeneralUsed { get; }

    /// <summary>The vector registers that the instruction uses, one bit each.</summary>
    public uint VectorsUsed { get; }

    /// <summary>Whether it is a string instruction that repeats: the processor may come back before it is done.</summary>
    public bool Repeats => Instruction.IsStringInstruction && (Instruction.HasRepPrefix || Instruction.HasRepnePrefix);

    /// <summary>Whether it may write memory; of undefined encodings nothing is known.</summary>
    public bool WritesMemory { get; }

    /// <summary>Whether its access to memory is locked.</summary>
    public bool IsLocked { get; }

    /// <summary>Whether selectors and far pointers are put where it looks.</summary>
    public bool NeedsSelectors { get; }

    /// <summary>Whether the case may load segment registers or change their bases, so that the next case must not trust them.</summary>
    public bool DisturbsSegments { get; }

    /// <summary>What the manuals leave undefined after the instruction.</summary>
    public IReadOnlyList<UndefinedRule> UndefinedRules { get; }

    /// <summary>Whether an instruction's access to memory is locked (SDM 3A 9.1.2.1, 9.1.2.2).</summary>
    public static bool Locks(in Instruction instruction) =>
        instruction.HasLockPrefix || (instruction.Mnemonic == Mnemonic.Xchg && instruction.Op0Kind == OpKind.Memory);

    /// <summary>The memory that Iced says the instruction uses, implicit accesses included.</summary>
    public UsedMemory[] Memory { get; }

    /// <summary>RIP at the start: a linear address, or an offset in the 16-bit code segment.</summary>
    public ulong StartRip => Mode == CodeMode.Bits16 ? Offset : OracleMap.Code + Offset;

    /// <summary>RIP after the code.</summary>
    public ulong EndRip => StartRip + (uint)Bytes.Length;

    /// <summary>Writes the code and the jump that ends the case.</summary>
    public void WriteTo(Span<byte> code)
    {
        Bytes.CopyTo(code[(int)Offset..]);
        int end = (int)Offset + Bytes.Length;
        if (end + 8 <= code.Length)
            NativeOracle.WriteEnd(code[end..], OracleMap.Code + (uint)end, Mode switch { CodeMode.Bits64 => 64, CodeMode.Bits32 => 32, _ => 16 });
    }

    /// <summary>Sets the selectors and entry of a record as the slot's mode and way demand.</summary>
    public void Enter(ref CaseRecord record)
    {
        record.Rip = StartRip;
        record.HasExtended = HasExtended ? 1u : 0;
        if (Way == EntryWay.Quick)
        {
            record.Cs = 0;
            return;
        }

        record.Cs = Mode switch { CodeMode.Bits64 => OracleMap.Code64, CodeMode.Bits32 => OracleMap.Code32, _ => OracleMap.Code16 };
        bool is16 = Mode == CodeMode.Bits16;
        record.Ss = is16 ? OracleMap.Data16 : OracleMap.Data32;
        record.Ds = is16 ? OracleMap.Data16 : OracleMap.Other32;
        record.Es = is16 ? OracleMap.Data16 : OracleMap.Extra32;
    }

    /// <summary>Where a memory operand lies in the window, from a state's registers; -1 outside.</summary>
    public int OffsetInWindow(in CaseRecord record, in UsedMemory memory)
    {
        ulong address = Sum(in record, in memory) + SegmentBase(memory.Segment);
        uint linear = memory.AddressSize == CodeSize.Code16 ? OracleMap.Data + (ushort)address : (uint)address;
        uint offset = linear - OracleMap.Window;
        return offset < OracleMap.WindowSize ? (int)offset : -1;
    }

    /// <summary>The low half of a memory operand's effective address, from a finished state's registers.</summary>
    public static uint EffectiveAddress(in CaseRecord record, in UsedMemory memory) =>
        memory.AddressSize == CodeSize.Code16 ? (ushort)Sum(in record, in memory) : (uint)Sum(in record, in memory);

    /// <summary>The low half of its linear address.</summary>
    public uint LinearAddress(in CaseRecord record, in UsedMemory memory)
    {
        ulong start = memory.Segment is Register.FS or Register.GS || Mode != CodeMode.Bits16 ? SegmentBase(memory.Segment)
            : memory.Segment == Register.CS ? OracleMap.Code : OracleMap.Data;
        return (uint)start + EffectiveAddress(in record, in memory);
    }

    private static ulong SegmentBase(Register segment) => segment switch { Register.FS => OracleMap.FsBase, Register.GS => OracleMap.GsBase, _ => 0 };

    private static ulong Sum(in CaseRecord record, in UsedMemory memory)
    {
        ulong address = memory.Displacement;
        if (memory.Base.GetFullRegister() is >= Register.RAX and <= Register.R15 and var b)
            address += record.Registers[b - Register.RAX];
        if (memory.Index.GetFullRegister() is >= Register.RAX and <= Register.R15 and var i)
            address += record.Registers[i - Register.RAX] * (ulong)memory.Scale;
        return address;
    }
}
