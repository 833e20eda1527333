using Hv.Conformance.Campaigns.Cases;
using Hv.Conformance.Oracle;
using Iced.Intel;
using static Hv.Conformance.Campaigns.Forms.CaseStates;
using static Hv.Conformance.Campaigns.Forms.CaseTraits;

namespace Hv.Conformance.Campaigns.Forms;

/// <summary>Where AMD's processors do otherwise than hv in instructions on general registers and the stack.</summary>
internal static class AmdIntegerDifferences
{
    private const uint Debug = 1, BoundRange = 5;

    /// <summary>The rows.</summary>
    public static IReadOnlyList<VendorDifference> All { get; } =
    [
        new(Maker.Amd, "PUSH of a segment register", "the whole stack word is written, zeros above the selector", "16 bits are written",
            "SDM 2B PUSH: recent processors write 16 bits, others the operand size; APM 3 PUSH: the operand size",
            (CodeSlot slot, in CaseRecord input, in CaseRecord silicon, in CaseRecord ours) => HasSegmentOperand(slot.Instruction, Mnemonic.Push)
                && (silicon.Vector == Outcome.Completed
                    ? Same(slot, in silicon, in ours, Parts.Memory) && WroteZerosAbove(slot, in silicon, in ours)
                    : silicon.Vector is Page or StackFault or Alignment && Untouched(slot, in input, in silicon))),
        new(Maker.Amd, "POP of a segment register", "the whole stack word is read: #PF or #AC", "16 bits are read",
            "SDM 2B POP: the upper bits of the stack word are discarded; APM 3 POP: the operand size",
            (CodeSlot slot, in CaseRecord input, in CaseRecord silicon, in CaseRecord _) => HasSegmentOperand(slot.Instruction, Mnemonic.Pop)
                && silicon.Vector is Page or StackFault or Alignment && Untouched(slot, in input, in silicon)),
        new(Maker.Amd, "F3 90 with REX.B", "XCHG of R8 and RAX", "PAUSE",
            "APM 3 XCHG, NOP: 90h with REX.B is XCHG r8, rAX; SDM 2B PAUSE: F3 90",
            (CodeSlot slot, in CaseRecord input, in CaseRecord silicon, in CaseRecord ours) => slot.Instruction.Mnemonic == Mnemonic.Pause
                && Same(slot, in silicon, in ours, Parts.Registers) && IsExchanged(slot, in input, in silicon)),
        new(Maker.Amd, "INT1 under a hypervisor", "RIP of the instruction", "RIP of the next one",
            "APM 2 8.2.2, SDM 3A 6.15, interrupt 1: a trap; under a hypervisor that takes #DB itself RIP may not have advanced",
            (CodeSlot slot, in CaseRecord input, in CaseRecord silicon, in CaseRecord ours) => slot.Instruction.Mnemonic == Mnemonic.Int1
                && silicon.Vector == Debug && ours.Vector == Debug && Untouched(slot, in input, in silicon)
                && Same(slot, in silicon, in ours, Parts.Fault)),
        new(Maker.Amd, "REP string instructions with an address size of 32 bits in 64-bit code that do no iteration",
            "the registers keep their upper halves", "the registers are zero-extended",
            "SDM 1 3.4.1.1 and APM 1 3.1.2: 32-bit results are zero-extended; not said for registers that are not changed",
            (CodeSlot slot, in CaseRecord input, in CaseRecord silicon, in CaseRecord ours) => slot.Mode == CodeMode.Bits64 && slot.Repeats
                && Same(slot, in silicon, in ours, Parts.Registers | (FaultsInTwoOperands(slot, in silicon, in ours) ? Parts.Fault : Parts.None))
                && SameRegisters(in silicon, in ours, uint.MaxValue) && SameRegisters(in silicon, in input, ulong.MaxValue)),
        new(Maker.Amd, "REP SCAS and REP CMPS that fault after some iterations", "the flags are those of the last iteration",
            "the flags are those from before the instruction",
            "SDM 2B REP: a fault of CMPS or SCAS restores EFLAGS to the state before the instruction; APM 3 REPx does not say so",
            (CodeSlot slot, in CaseRecord input, in CaseRecord silicon, in CaseRecord ours) => slot.Repeats && IsComparison(slot.Instruction)
                && silicon.Vector is Page or StackFault or General or Alignment && Same(slot, in silicon, in ours, Parts.Flags)
                && ((silicon.Rflags ^ input.Rflags) & ~(UndefinedFlags.All | TrapAndResume)) == 0
                && ((ours.Rflags ^ input.Rflags) & ~TrapAndResume) == 0 && silicon.Registers[1] != input.Registers[1]),
        new(Maker.Amd, "RETF and IRET of 64 bits to compatibility mode with RIP above 32 bits", "#GP", "RIP is truncated",
            "SDM 2B RET, 2A IRET and APM 3 RET (Far), IRETx do not say; docs/adr/0083-makers.md",
            (CodeSlot slot, in CaseRecord input, in CaseRecord silicon, in CaseRecord ours) => slot.Mode == CodeMode.Bits64
                && slot.Instruction.Code is Code.Retfq or Code.Retfq_imm16 or Code.Iretq
                && silicon.Vector == General && silicon.ErrorCode == 0 && Untouched(slot, in input, in silicon) && ours.Rip <= uint.MaxValue
                && (Read(in input, (uint)input.Registers[4], 8) ?? ulong.MaxValue) > uint.MaxValue),
        new(Maker.Amd, "a near CALL whose target is beyond the segment's limit or not canonical", "nothing is written",
            "the return address is on the stack",
            "SDM 2A CALL and APM 3 CALL (Near) fix no order of the push and the check",
            (CodeSlot slot, in CaseRecord input, in CaseRecord silicon, in CaseRecord ours)
                => (slot.Instruction.IsCallNear || slot.Instruction.IsCallNearIndirect) && silicon.Vector == General && silicon.ErrorCode == 0
                && Untouched(slot, in input, in silicon) && Same(slot, in silicon, in ours, Parts.Memory)),
        new(Maker.Amd, "BOUND whose second bound faults", "#PF", "#BR of the first bound",
            "SDM 2A BOUND and APM 3 BOUND fix no order of the second read and the first check",
            (CodeSlot slot, in CaseRecord input, in CaseRecord silicon, in CaseRecord ours) => slot.Instruction.Mnemonic == Mnemonic.Bound
                && silicon.Vector is Page or General or StackFault && ours.Vector == BoundRange
                && Untouched(slot, in input, in silicon) && Untouched(slot, in input, in ours)),
    ];

    private static bool HasSegmentOperand(in Instruction instruction, Mnemonic mnemonic) =>
        instruction.Mnemonic == mnemonic && instruction.Op0Kind == OpKind.Register && instruction.Op0Register.IsSegmentRegister();

    /// <summary>Whether memory differs only above the selector of the stack word pushed, where silicon has zeros.</summary>
    private static bool WroteZerosAbove(CodeSlot slot, in CaseRecord silicon, in CaseRecord ours)
    {
        uint top = slot.Mode == CodeMode.Bits16 ? OracleMap.Data + (ushort)silicon.Registers[4] : (uint)silicon.Registers[4];
        return DifferWithin(in silicon, in ours, top + 2, top + (uint)-slot.Instruction.StackPointerIncrement, byZeros: true);
    }

    private static bool IsExchanged(CodeSlot slot, in CaseRecord input, in CaseRecord silicon)
    {
        CaseRecord wanted = input;
        ulong mask = (slot.Bytes[slot.Instruction.Length - 2] & 8) != 0 ? ulong.MaxValue : HasPrefix(slot, 0x66) ? ushort.MaxValue : uint.MaxValue;
        ulong kept = mask == uint.MaxValue ? 0 : ~mask;
        wanted.Registers[0] = (input.Registers[0] & kept) | (input.Registers[8] & mask);
        wanted.Registers[8] = (input.Registers[8] & kept) | (input.Registers[0] & mask);
        return SameRegisters(in wanted, in silicon, ulong.MaxValue);
    }

    private static bool IsComparison(in Instruction instruction) =>
        instruction.Mnemonic is Mnemonic.Scasb or Mnemonic.Scasw or Mnemonic.Scasd or Mnemonic.Scasq
            || (instruction.IsStringInstruction && instruction.Mnemonic is Mnemonic.Cmpsb or Mnemonic.Cmpsw or Mnemonic.Cmpsd or Mnemonic.Cmpsq);
}
