using Hv.Conformance.Campaigns.Forms;
using Hv.Conformance.Oracle;
using Iced.Intel;

namespace Hv.Conformance.Campaigns.Cases;

/// <summary>Puts selectors that exist, and far pointers and interrupt frames with them, where segment and far instructions look.</summary>
public static class SelectorShape
{
    private static readonly ushort[] _selectors = [0, 3, OracleMap.Code32, OracleMap.Data32, OracleMap.Code64, OracleMap.Code16,
        OracleMap.Data16, 0x08, 0x10, 0x18, 0x20, 0x28, 0x30, 0x63, 0x83, OracleMap.Extra32, OracleMap.Other32, 0x27, 0x7C];
    private static readonly ushort[] _codeSelectors = [OracleMap.Code32, OracleMap.Code64, OracleMap.Code16];

    // A far call from a 16-bit segment to a 64-bit one never ends under Linux on the machine the campaigns were made on.
    private static readonly ushort[] _codeSelectorsFrom16 = [OracleMap.Code32, OracleMap.Code16];
    private static readonly ushort[] _stackSelectors = [OracleMap.Data32, OracleMap.Data16, OracleMap.Data32];

    private const ulong AlignmentFlag = 0x4_0000;

    /// <summary>Whether the instruction is one of these.</summary>
    public static bool Concerns(in Instruction instruction) =>
        IsFarTransfer(in instruction) || IsPointerLoad(in instruction) || EntryWays.TouchesSegments(instruction.OpCode);

    /// <summary>Shapes registers and memory for an instruction that <see cref="Concerns"/> accepts.</summary>
    public static void Apply(ref CaseRecord record, CodeSlot slot, Prng random)
    {
        Shape(ref record, slot, random);
        if (slot.Instruction.Mnemonic is Mnemonic.Iret or Mnemonic.Iretd or Mnemonic.Iretq)
            KeepAlignmentFlag(ref record, slot);
    }

    /// <summary>An IRET that sets RFLAGS.AC checks the rest of its stack words with it on Intel's processors. Linux takes the #AC, under an AC that
    /// is still 0, for a split lock and tries again for ever (arch/x86/kernel/traps.c, exc_alignment_check).</summary>
    private static void KeepAlignmentFlag(ref CaseRecord record, CodeSlot slot)
    {
        int step = Step(slot.Instruction, slot.Mode);
        int at = slot.Memory.Length == 0 ? -1 : slot.OffsetInWindow(in record, in slot.Memory[0]);
        if (step == 2 || at < 0 || at + 3 * step > OracleMap.WindowSize)
            return;
        Span<byte> flags = ((Span<byte>)record.Memory)[(at + 2 * step)..];
        BitConverter.TryWriteBytes(flags, (uint)(BitConverter.ToUInt32(flags) & ~AlignmentFlag));
    }

    private static void Shape(ref CaseRecord record, CodeSlot slot, Prng random)
    {
        Instruction instruction = slot.Instruction;
        if (random.OneIn(6))
            return;
        bool far = IsFarTransfer(in instruction);
        bool load = IsPointerLoad(in instruction);
        ushort selector = !far || random.OneIn(4) ? random.Pick<ushort>(_selectors)
            : random.Pick<ushort>(slot.Mode == CodeMode.Bits16 ? _codeSelectorsFrom16 : _codeSelectors);
        if (far && slot.Mode == CodeMode.Bits16 && selector is OracleMap.Code64 or 0x30)
            selector = 0;
        for (int i = 0; i < instruction.OpCount; i++)
            if (instruction.GetOpKind(i) == OpKind.Register
                && instruction.GetOpRegister(i).GetFullRegister() is >= Register.RAX and <= Register.R15 and not Register.RSP and var full)
                record.Registers[full - Register.RAX] = (record.Registers[full - Register.RAX] & ~0xFFFFUL) | selector;
        if (slot.Memory.Length == 0)
            return;
        int step = Step(in instruction, slot.Mode);
        int at = slot.OffsetInWindow(in record, in slot.Memory[0]);
        if (at < 0 || at + 5 * step > OracleMap.WindowSize)
            return;
        Span<byte> memory = ((Span<byte>)record.Memory)[at..];
        if (!far && !load)
        {
            BitConverter.TryWriteBytes(memory, selector);
            return;
        }

        // Offset, selector; then, for IRET, flags; then stack pointer and its selector.
        int n = 0;
        ulong upper = random.OneIn(8) ? random.Next() << 32 : 0;
        Put(memory, n++ * step, step, upper + OracleMap.Code + (uint)random.Below(OracleMap.CodeSize));
        BitConverter.TryWriteBytes(memory[(n++ * step)..], selector);
        if (instruction.Mnemonic is Mnemonic.Iret or Mnemonic.Iretd or Mnemonic.Iretq)
            Put(memory, n++ * step, step, random.Next() & 0x25_0FFF);
        if (load)
            return;
        Put(memory, n++ * step, step, OracleMap.Window + 64);
        BitConverter.TryWriteBytes(memory[(n * step)..], random.Pick<ushort>(_stackSelectors));
    }

    private static bool IsFarTransfer(in Instruction instruction) =>
        instruction.Mnemonic is Mnemonic.Retf or Mnemonic.Iret or Mnemonic.Iretd or Mnemonic.Iretq
            || (instruction.FlowControl is FlowControl.IndirectBranch or FlowControl.IndirectCall && IsFar(instruction.MemorySize));

    private static bool IsPointerLoad(in Instruction instruction) =>
        instruction.Mnemonic is Mnemonic.Lds or Mnemonic.Les or Mnemonic.Lfs or Mnemonic.Lgs or Mnemonic.Lss;

    private static bool IsFar(MemorySize size) => size is MemorySize.SegPtr16 or MemorySize.SegPtr32 or MemorySize.SegPtr64;

    /// <summary>Bytes of an offset: by the pointer's size, or the operand size of RETF and IRET.</summary>
    private static int Step(in Instruction instruction, CodeMode mode) => instruction.Code switch
    {
        Code.Retfw or Code.Retfw_imm16 or Code.Iretw => 2,
        Code.Retfd or Code.Retfd_imm16 or Code.Iretd => 4,
        Code.Retfq or Code.Retfq_imm16 or Code.Iretq => 8,
        _ => instruction.MemorySize.GetSize() switch { 4 => 2, 6 => 4, 10 => 8, _ => mode == CodeMode.Bits16 ? 2 : 4 },
    };

    private static void Put(Span<byte> memory, int at, int size, ulong value)
    {
        for (int i = 0; i < size; i++)
            memory[at + i] = (byte)(value >> (8 * i));
    }
}
