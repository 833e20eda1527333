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
    public CodeSlot(byte[] bytes, CodeMode mode, EntryWay way, uint offset)
    {
        Bytes = bytes;
        Mode = mode;
        Way = way;
        Offset = offset;
        Instruction = FormBytes.Decode(bytes, mode, StartRip);
        InstructionInfo info = new InstructionInfoFactory().GetInfo(Instruction);
        Memory = [.. info.GetUsedMemory()];
    }

    public byte[] Bytes { get; }
    public CodeMode Mode { get; }
    public EntryWay Way { get; }

    /// <summary>Bytes from <see cref="OracleMap.Code"/>.</summary>
    public uint Offset { get; }

    /// <summary>How Iced reads the bytes; may be invalid in an encodings campaign.</summary>
    public Instruction Instruction { get; }

    /// <summary>Whether it is a string instruction that repeats: the processor may come back before it is done.</summary>
    public bool Repeats => Instruction.HasRepPrefix || Instruction.HasRepnePrefix;

    /// <summary>The memory that Iced says the instruction uses, implicit accesses included.</summary>
    public UsedMemory[] Memory { get; }

    /// <summary>RIP at the start: a linear address, or an offset in the 16-bit code segment.</summary>
    public ulong StartRip => Mode == CodeMode.Bits16 ? Offset : OracleMap.Code + Offset;

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
        ulong address = memory.Displacement;
        address += memory.Segment switch { Register.FS => OracleMap.FsBase, Register.GS => OracleMap.GsBase, _ => 0 };
        if (memory.Base.GetFullRegister() is >= Register.RAX and <= Register.R15 and var b)
            address += record.Registers[b - Register.RAX];
        if (memory.Index.GetFullRegister() is >= Register.RAX and <= Register.R15 and var i)
            address += record.Registers[i - Register.RAX] * (ulong)memory.Scale;
        uint linear = memory.AddressSize == CodeSize.Code16 ? OracleMap.Data + (ushort)address : (uint)address;
        uint offset = linear - OracleMap.Window;
        return offset < OracleMap.WindowSize ? (int)offset : -1;
    }
}
