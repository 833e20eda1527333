using Hv.Conformance.Campaigns.Cases;
using Hv.Conformance.Oracle;
using Iced.Intel;
using static Hv.Conformance.Campaigns.Forms.CaseStates;
using static Hv.Conformance.Campaigns.Forms.CaseTraits;

namespace Hv.Conformance.Campaigns.Forms;

/// <summary>Where AMD's processors do otherwise than hv.</summary>
internal static class AmdDifferences
{
    private const uint PushedMost = 16;

    /// <summary>The rows.</summary>
    public static IReadOnlyList<VendorDifference> All { get; } =
    [
        new(Maker.Amd, "near branches with an operand-size prefix in 64-bit code", "operand size 16: RIP is truncated, displacements have 16 bits",
            "the prefix is ignored",
            "SDM 2 Jcc, JMP, CALL, RET (in 64-bit mode the operand size is forced to 64 bits); APM 3 1.2.1, near branches",
            (CodeSlot slot, in CaseRecord input, in CaseRecord silicon, in CaseRecord ours) => slot.Mode == CodeMode.Bits64 && HasPrefix(slot, 0x66)
                && (IsNearBranch(slot.Instruction) ? IsTransfer(slot, in input, in silicon, in ours)
                    : slot.Instruction.IsInvalid && HasBranchOpcode(slot))),
        new(Maker.Amd, "LSS, LFS and LGS with REX.W", "REX.W is ignored: a 16:32 pointer", "a 16:64 pointer",
            "SDM 2A LDS/LES/LFS/LGS/LSS (REX.W + 0F B2: m16:64); APM 3 LxS (no such form)",
            (CodeSlot slot, in CaseRecord input, in CaseRecord silicon, in CaseRecord ours)
                => slot.Instruction.Code is Code.Lss_r64_m1664 or Code.Lfs_r64_m1664 or Code.Lgs_r64_m1664
                && (silicon.Vector != Outcome.Completed ? Untouched(slot, in input, in silicon)
                    : Same(slot, in silicon, in ours, Parts.Fault | Parts.Registers)
                    && SameRegisters(in silicon, in ours, ulong.MaxValue, except: slot.Instruction.Op0Register)
                    && silicon.Registers[slot.Instruction.Op0Register.GetNumber()] <= uint.MaxValue)),
        new(Maker.Amd, "far CALL and JMP through memory with REX.W", "REX.W is ignored: a 16:32 pointer", "a 16:64 pointer",
            "SDM 2A CALL, JMP (REX.W FF /3, /5: m16:64); APM 3 CALL (Far), JMP (Far)",
            (CodeSlot slot, in CaseRecord input, in CaseRecord silicon, in CaseRecord ours)
                => slot.Instruction.Code is Code.Call_m1664 or Code.Jmp_m1664
                && IsTransfer(slot, in input, in silicon, in ours)),
        new(Maker.Amd, "MOVSXD of 16 bits from memory", "reads 4 bytes", "reads 2 bytes",
            "SDM 2B MOVSX/MOVSXD (MOVSXD r16, r/m16); APM 3 MOVSXD (reg/mem32)",
            (CodeSlot slot, in CaseRecord input, in CaseRecord silicon, in CaseRecord _) => slot.Instruction.Code == Code.Movsxd_r16_rm16
                && slot.Instruction.Op1Kind == OpKind.Memory && silicon.Vector is Page or Alignment or General or StackFault
                && Untouched(slot, in input, in silicon)),
        new(Maker.Amd, "an access that is both misaligned (RFLAGS.AC) and not translated", "#AC", "#PF",
            "SDM 3A table 6-2 lists page faults first; APM 2 table 8-8 does not order them",
            (CodeSlot slot, in CaseRecord input, in CaseRecord silicon, in CaseRecord ours) => (input.Rflags & AlignmentFlag) != 0
                && silicon.Vector == Alignment && silicon.ErrorCode == 0 && ours.Vector == Page && Same(slot, in silicon, in ours, Parts.Fault)),
        new(Maker.Amd, "RETF or IRET whose selector is bad and whose stack words for an outer level are not accessible",
            "#PF on those words, before the selector is checked", "#GP of the selector",
            "SDM 2B RET, 2A IRET: the selector is checked first; APM 3 RET (Far), IRET pop first",
            (CodeSlot slot, in CaseRecord input, in CaseRecord silicon, in CaseRecord ours) => IsFarReturn(slot)
                && silicon.Vector is Page or StackFault or Alignment && ours.Vector is General or StackFault
                && Untouched(slot, in input, in silicon)),
        new(Maker.Amd, "FS or GS base plus a non-canonical offset that together are canonical", "#GP", "#PF or success",
            "SDM 1 3.3.7.1: the linear address counts",
            (CodeSlot slot, in CaseRecord input, in CaseRecord silicon, in CaseRecord ours) => slot.Mode == CodeMode.Bits64
                && silicon.Vector == General && ours.Vector == Page && slot.Instruction.MemorySegment is Register.FS or Register.GS
                && Untouched(slot, in input, in silicon)),
        new(Maker.Amd, "MOVS and CMPS both of whose operands fault", "the fault of the one it reads first",
            "the fault of the operand whose segment check fails", "SDM and APM fix no order of two operands",
            (CodeSlot slot, in CaseRecord _, in CaseRecord silicon, in CaseRecord ours) => FaultsInTwoOperands(slot, in silicon, in ours)
                && Same(slot, in silicon, in ours, Parts.Fault)),
        new(Maker.Amd, "LOCK MOV to or from CR0", "means CR8 (AltMovCr8): #GP at CPL 3", "#UD",
            "SDM 2B MOV (control registers): LOCK is #UD; APM 3 MOV CRn: LOCK MOV CR0 is MOV CR8",
            (CodeSlot slot, in CaseRecord _, in CaseRecord silicon, in CaseRecord ours) => slot.Instruction.IsInvalid
                && silicon.Vector == General && ours.Vector == Undefined
                && HasPrefix(slot, 0xF0) && slot.Bytes.AsSpan().IndexOfAny((byte)0x20, (byte)0x22) is > 0 and var at && slot.Bytes[at - 1] == 0x0F),
    ];

    /// <summary>Whether the results are those of one branch of 64-bit code, but for where it leads to, the stack words it pushes and whether it
    /// faults.</summary>
    private static bool IsTransfer(CodeSlot slot, in CaseRecord input, in CaseRecord silicon, in CaseRecord ours)
    {
        CaseRecord before = input;
        before.Rflags = input.Rflags & ~TrapAndResume | silicon.Rflags & TrapAndResume;
        CaseRecord after = silicon.Vector < 32 ? before : ours;
        return Same(slot, in silicon, in after, Parts.Fault | Parts.Registers | Parts.Memory)
            && SameRegisters(in silicon, in after, ulong.MaxValue, except: Register.RSP)
            && DifferWithin(in silicon, in after, (uint)input.Registers[4] - PushedMost, (uint)input.Registers[4], byZeros: false);
    }
}
