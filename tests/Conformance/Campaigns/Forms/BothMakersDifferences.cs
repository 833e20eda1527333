using Hv.Conformance.Campaigns.Cases;
using Hv.Conformance.Oracle;
using Iced.Intel;
using static Hv.Conformance.Campaigns.Forms.CaseTraits;

namespace Hv.Conformance.Campaigns.Forms;

/// <summary>Where both makers' processors do otherwise than hv, or the method does.</summary>
internal static class BothMakersDifferences
{
    /// <summary>Counted by a second run, and not by a look at the case.</summary>
    public static VendorDifference Unsteady { get; } = new(Maker.Any, "a result that silicon does not give twice",
        "another result when the same batch runs again, #UD of a defined instruction for one", "the same result both times",
        "a matter of the machine's hypervisor, not of the processor",
        (CodeSlot _, in CaseRecord _, in CaseRecord _, in CaseRecord _) => false);

    /// <summary>The rows.</summary>
    public static IReadOnlyList<VendorDifference> All { get; } =
    [
        new(Maker.Any, "a far return or IRET that faults on one of several words of its stack",
            "the fault is that of the word it reads first: CS or the flags",
            "the fault is that of the lowest word",
            "SDM and APM fix no order of the reads of one instruction",
            (CodeSlot slot, in CaseRecord _, in CaseRecord silicon, in CaseRecord ours) => IsFarReturn(slot)
                && silicon.Rip == ours.Rip && silicon.Vector is Page or StackFault or Alignment && ours.Vector is Page or StackFault or Alignment
                && (silicon.Vector != ours.Vector || (silicon.ErrorCode == ours.ErrorCode && (uint)(silicon.Address - ours.Address) + 40 < 80))),
        new(Maker.Any, "a far CALL that faults on its target", "the return address is on the stack already", "nothing is written",
            "SDM 2A CALL and APM 3 CALL (Far) fix no order of the pushes and the check",
            (CodeSlot slot, in CaseRecord _, in CaseRecord silicon, in CaseRecord ours) => (slot.Instruction.IsCallFar
                || slot.Instruction.IsCallFarIndirect)
                && silicon.Vector == General && ours.Vector == General && silicon.ErrorCode == ours.ErrorCode && SameRegisters(in silicon,
                    in ours, ulong.MaxValue)),
        new(Maker.Any, "a far CALL both whose target and whose stack fault", "the fault of the push", "the fault of the target",
            "SDM 2A CALL: the target is checked first; APM 3 CALL pushes first",
            (CodeSlot slot, in CaseRecord _, in CaseRecord silicon, in CaseRecord ours) => slot.Instruction.IsCallFarIndirect
                && silicon.Vector is Page or StackFault or Alignment && ours.Vector is General or StackFault or Page),
        new(Maker.Any, "a far CALL from 16-bit or 32-bit code to 64-bit code", "never comes back from Linux's single-step trap", "completes",
            "a matter of the method, not of the processor",
            (CodeSlot slot, in CaseRecord _, in CaseRecord silicon, in CaseRecord _) => slot.Mode != CodeMode.Bits64
                && slot.Instruction.FlowControl is FlowControl.IndirectCall or FlowControl.Call && silicon.Vector == Outcome.WorkerDied),
        new(Maker.Any, "undefined encodings that run past 15 bytes or past the end of the code",
            "#UD as soon as nothing can make it defined, or the whole is fetched first (#GP or #PF)", "the same, at other bytes",
            "SDM 3A table 6-2 gives both the same priority",
            (CodeSlot slot, in CaseRecord _, in CaseRecord silicon, in CaseRecord ours) => slot.Instruction.IsInvalid
                && ((ours.Vector == Undefined && EndsEarly(slot, in silicon)) || (silicon.Vector == Undefined && EndsEarly(slot, in ours)))),
        new(Maker.Any, "a far CALL that leaves or enters 64-bit code and whose stack faults", "the pushes go by the new mode",
            "the pushes go by the old mode",
            "SDM 2A CALL and APM 3 CALL (Far) do not say which stack width the pushes use",
            (CodeSlot slot, in CaseRecord _, in CaseRecord silicon, in CaseRecord ours)
                => (slot.Instruction.IsCallFarIndirect || slot.Instruction.IsCallFar)
                && (slot.Mode == CodeMode.Bits64 ? ours.Vector is StackFault or Page : silicon.Vector == Page && silicon.Address <= ushort.MaxValue)),
        new(Maker.Any, "a far transfer from 64-bit code to compatibility mode", "RSP's upper half is cleared", "the upper halves stay",
            "SDM 1 3.4.1.1: the upper halves are undefined after the switch",
            (CodeSlot slot, in CaseRecord _, in CaseRecord silicon, in CaseRecord ours) => slot.Mode == CodeMode.Bits64
                && silicon.Vector == ours.Vector && silicon.Rip == ours.Rip
                && (IsFarReturn(slot) || slot.Instruction.IsCallFarIndirect || slot.Instruction.IsJmpFarIndirect) && SameRegisters(in silicon,
                    in ours, uint.MaxValue)),
        new(Maker.Any, "XSAVE and XRSTOR that ask for state which the host has enabled", "more is saved or loaded", "x87, SSE and AVX state only",
            "SDM 1 13.3: what XCR0 has enabled",
            (CodeSlot slot, in CaseRecord input, in CaseRecord _, in CaseRecord _) => (input.Registers[0] & OperandState.HostComponents) != 0
                && slot.Instruction.Mnemonic is Mnemonic.Xsave or Mnemonic.Xsave64 or Mnemonic.Xsaveopt or Mnemonic.Xsaveopt64 or Mnemonic.Xrstor
                    or Mnemonic.Xrstor64),
        new(Maker.Any, "LSL of the kernel's per-processor segment (selectors 78h to 7Bh)", "the number of the processor that the worker runs on", "0",
            "Linux arch/x86/entry/vdso/vma.c: not a property of the processor",
            (CodeSlot slot, in CaseRecord _, in CaseRecord silicon, in CaseRecord ours) => slot.Instruction.Mnemonic == Mnemonic.Lsl
                && silicon.Vector == ours.Vector && silicon.Rflags == ours.Rflags),
        Unsteady,
    ];
}
