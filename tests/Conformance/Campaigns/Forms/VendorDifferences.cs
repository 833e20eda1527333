using Hv.Conformance.Campaigns.Cases;
using Hv.Conformance.Campaigns.Reporting;
using Hv.Conformance.Oracle;
using Iced.Intel;

namespace Hv.Conformance.Campaigns.Forms;

/// <summary>A point on which processors of different makers differ, and hv's choice.</summary>
/// <param name="Maker">Whose processors do what <paramref name="Silicon"/> says: a case on another maker's is a difference.</param>
/// <param name="What">The case.</param>
/// <param name="Silicon">What they do.</param>
/// <param name="Ours">What hv does.</param>
/// <param name="Citation">The manuals.</param>
/// <param name="Applies">Whether a differing case is of this kind: its slot, its input, silicon's and hv's normalised results.</param>
public sealed record VendorDifference(Maker Maker, string What, string Silicon, string Ours, string Citation, VendorDifferenceTest Applies);

/// <summary>A processor's maker.</summary>
public enum Maker : byte
{
    /// <summary>The same on all that were tried, or a matter of the method.</summary>
    Any,
    Intel,
    Amd,
}

/// <summary>Recognises a case of one kind.</summary>
public delegate bool VendorDifferenceTest(CodeSlot slot, in CaseRecord input, in CaseRecord silicon, in CaseRecord ours);

/// <summary>The list. A differing case that falls under it is counted apart, not as a difference.</summary>
public static class VendorDifferences
{
    private const uint Undefined = 6, StackFault = 12, General = 13, Page = 14, Alignment = 17;
    private static readonly byte[] _prefixes =
        [0x26, 0x2E, 0x36, 0x3E, 0x64, 0x65, 0x66, 0x67, 0xF0, 0xF2, 0xF3, .. Enumerable.Range(0x40, 16).Select(rex => (byte)rex)];

    private const ulong AlignmentFlag = 0x4_0000, WrapStart = 0xFFFF_FF00, WrapSize = 0x100;
    private const uint Fetch = 0x10, WriteOrFetch = 0x12;

    /// <summary>All of them.</summary>
    public static IReadOnlyList<VendorDifference> All { get; } =
    [
        new(Maker.Amd, "near branches with an operand-size prefix in 64-bit code", "operand size 16: RIP is truncated, displacements have 16 bits",
            "the prefix is ignored",
            "SDM 2 Jcc, JMP, CALL, RET (in 64-bit mode the operand size is forced to 64 bits); APM 3 1.2.1, near branches",
            (CodeSlot slot, in CaseRecord _, in CaseRecord _, in CaseRecord _) => slot.Mode == CodeMode.Bits64 && HasPrefix(slot, 0x66)
                && (IsNearBranch(slot.Instruction) || (slot.Instruction.IsInvalid && HasBranchOpcode(slot)))),
        new(Maker.Amd, "LSS, LFS and LGS with REX.W", "REX.W is ignored: a 16:32 pointer", "a 16:64 pointer",
            "SDM 2A LDS/LES/LFS/LGS/LSS (REX.W + 0F B2: m16:64); APM 3 LxS (no such form)",
            (CodeSlot slot, in CaseRecord _, in CaseRecord _, in CaseRecord _)
                => slot.Instruction.Code is Code.Lss_r64_m1664 or Code.Lfs_r64_m1664 or Code.Lgs_r64_m1664),
        new(Maker.Amd, "far CALL and JMP through memory with REX.W", "REX.W is ignored: a 16:32 pointer", "a 16:64 pointer",
            "SDM 2A CALL, JMP (REX.W FF /3, /5: m16:64); APM 3 CALL (Far), JMP (Far)",
            (CodeSlot slot, in CaseRecord _, in CaseRecord _, in CaseRecord _) => slot.Instruction.Code is Code.Call_m1664 or Code.Jmp_m1664),
        new(Maker.Amd, "MOVSXD of 16 bits from memory", "reads 4 bytes", "reads 2 bytes",
            "SDM 2B MOVSX/MOVSXD (MOVSXD r16, r/m16); APM 3 MOVSXD (reg/mem32)",
            (CodeSlot slot, in CaseRecord _, in CaseRecord _, in CaseRecord _) => slot.Instruction.Code == Code.Movsxd_r16_rm16
                && slot.Instruction.Op1Kind == OpKind.Memory),
        new(Maker.Amd, "an access that is both misaligned (RFLAGS.AC) and not translated", "#AC", "#PF",
            "SDM 3A table 6-2 lists page faults first; APM 2 table 8-8 does not order them",
            (CodeSlot _, in CaseRecord input, in CaseRecord silicon, in CaseRecord ours) => (input.Rflags & AlignmentFlag) != 0
                && silicon.Vector == Alignment && ours.Vector == Page),
        new(Maker.Amd, "RETF or IRET whose selector is bad and whose stack words for an outer level are not accessible",
            "#PF on those words, before the selector is checked", "#GP of the selector",
            "SDM 2B RET, 2A IRET: the selector is checked first; APM 3 RET (Far), IRET pop first",
            (CodeSlot slot, in CaseRecord _, in CaseRecord silicon, in CaseRecord ours) => IsFarReturn(slot)
                && silicon.Vector is Page or StackFault or Alignment && ours.Vector is General or StackFault),
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
        new(Maker.Intel, "accesses that wrap around the end of a segment of 4 GiB", "no limit check: #PF, or #AC first", "#GP or #SS",
            "SDM 3A 6.3: where the limit is FFFFFFFFH, these accesses may or may not cause the exceptions; APM 2 4.12.3 has them",
            (CodeSlot slot, in CaseRecord _, in CaseRecord silicon, in CaseRecord ours) => slot.Mode == CodeMode.Bits32
                && ours.Vector is General or StackFault && ours.ErrorCode == 0
                && ((silicon.Vector == Page && (silicon.Address - WrapStart < WrapSize || silicon.Address < WrapSize))
                    || silicon.Vector == Alignment)),
        new(Maker.Intel, "a vector operand that is misaligned and beyond the limit of the stack segment", "#GP of the misalignment",
            "#SS of the limit", "SDM 3A table 6-2 gives both the same priority",
            (CodeSlot slot, in CaseRecord _, in CaseRecord silicon, in CaseRecord ours) => slot.HasExtended && slot.Mode != CodeMode.Bits64
                && silicon.Vector == General && ours.Vector == StackFault),
        new(Maker.Intel, "a far return whose selector lies at the end of what is mapped", "two bytes of its stack word are read",
            "the whole word is read: #PF", "SDM 2B RET, 2A IRET: a 32-bit or 64-bit pop, the upper bits of which are discarded",
            (CodeSlot slot, in CaseRecord _, in CaseRecord silicon, in CaseRecord ours) => IsFarReturn(slot) && ours.Vector == Page
                && (ours.ErrorCode & WriteOrFetch) == 0 && ours.Address % OracleMap.PageSize == 0 && silicon.Vector != Page),
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
        new(Maker.Amd, "FS or GS base plus a non-canonical offset that together are canonical", "#GP", "#PF or success",
            "SDM 1 3.3.7.1: the linear address counts",
            (CodeSlot slot, in CaseRecord _, in CaseRecord silicon, in CaseRecord ours) => silicon.Vector == General && ours.Vector == Page
                && slot.Instruction.MemorySegment is Register.FS or Register.GS),
        new(Maker.Any, "a far transfer from 64-bit code to compatibility mode", "RSP's upper half is cleared", "the upper halves stay",
            "SDM 1 3.4.1.1: the upper halves are undefined after the switch",
            (CodeSlot slot, in CaseRecord _, in CaseRecord silicon, in CaseRecord ours) => slot.Mode == CodeMode.Bits64
                && silicon.Vector == ours.Vector && silicon.Rip == ours.Rip
                && (IsFarReturn(slot) || slot.Instruction.IsCallFarIndirect || slot.Instruction.IsJmpFarIndirect) && SameRegisters(in silicon,
                    in ours, uint.MaxValue)),
        new(Maker.Amd, "MOVS and CMPS both of whose operands fault", "the fault of the one it reads first",
            "the fault of the operand whose segment check fails", "SDM and APM fix no order of two operands",
            (CodeSlot slot, in CaseRecord _, in CaseRecord silicon, in CaseRecord ours) => silicon.Vector < 32 && ours.Vector < 32
                && silicon.Rip == ours.Rip
                && slot.Instruction.Mnemonic is Mnemonic.Movsb or Mnemonic.Movsw or Mnemonic.Movsd or Mnemonic.Movsq
                    or Mnemonic.Cmpsb or Mnemonic.Cmpsw or Mnemonic.Cmpsd or Mnemonic.Cmpsq),
        new(Maker.Any, "XSAVE and XRSTOR that ask for state which the host has enabled", "more is saved or loaded", "x87, SSE and AVX state only",
            "SDM 1 13.3: what XCR0 has enabled",
            (CodeSlot slot, in CaseRecord input, in CaseRecord _, in CaseRecord _) => (input.Registers[0] & OperandState.HostComponents) != 0
                && slot.Instruction.Mnemonic is Mnemonic.Xsave or Mnemonic.Xsave64 or Mnemonic.Xsaveopt or Mnemonic.Xsaveopt64 or Mnemonic.Xrstor
                    or Mnemonic.Xrstor64),
        new(Maker.Any, "LSL of the kernel's per-processor segment (selectors 78h to 7Bh)", "the number of the processor that the worker runs on", "0",
            "Linux arch/x86/entry/vdso/vma.c: not a property of the processor",
            (CodeSlot slot, in CaseRecord _, in CaseRecord silicon, in CaseRecord ours) => slot.Instruction.Mnemonic == Mnemonic.Lsl
                && silicon.Vector == ours.Vector && silicon.Rflags == ours.Rflags),
        new(Maker.Amd, "LOCK MOV to or from CR0", "means CR8 (AltMovCr8): #GP at CPL 3", "#UD",
            "SDM 2B MOV (control registers): LOCK is #UD; APM 3 MOV CRn: LOCK MOV CR0 is MOV CR8",
            (CodeSlot slot, in CaseRecord _, in CaseRecord silicon, in CaseRecord ours) => slot.Instruction.IsInvalid
                && silicon.Vector == General && ours.Vector == Undefined
                && HasPrefix(slot, 0xF0) && slot.Bytes.AsSpan().IndexOfAny((byte)0x20, (byte)0x22) is > 0 and var at && slot.Bytes[at - 1] == 0x0F),
    ];

    private static readonly VendorDifference[] _here = [.. All.Where(d => d.Maker is Maker.Any || d.Maker == HostProcessor.Maker())];

    /// <summary>The kind that a differing case is of, or null.</summary>
    public static VendorDifference? Find(CodeSlot slot, in CaseRecord input, in CaseRecord silicon, in CaseRecord ours)
    {
        foreach (VendorDifference difference in _here)
            if (difference.Applies(slot, in input, in silicon, in ours))
                return difference;
        return null;
    }

    /// <summary>E8, E9 or 0F 80..8F after prefixes: with a 32-bit displacement it may be too long for Iced, and with a 16-bit one it is
    /// not.</summary>
    private static bool HasBranchOpcode(CodeSlot slot)
    {
        ReadOnlySpan<byte> rest = slot.Bytes.AsSpan().TrimStart(_prefixes);
        return rest.Length > 1 && (rest[0] is 0xE8 or 0xE9 || (rest[0] == 0x0F && rest[1] is >= 0x80 and <= 0x8F));
    }

    /// <summary>The fault of fetching too much: the 16th byte, the end of a 16-bit segment, a missing page.</summary>
    private static bool EndsEarly(CodeSlot slot, in CaseRecord result) =>
        (result.Vector == General && (slot.Bytes.Length >= 15 || slot.Mode == CodeMode.Bits16))
            || (result.Vector == Page && (result.ErrorCode & Fetch) != 0);

    private static bool SameRegisters(in CaseRecord a, in CaseRecord b, ulong mask)
    {
        for (int i = 0; i < 16; i++)
            if (((a.Registers[i] ^ b.Registers[i]) & mask) != 0)
                return false;
        return true;
    }

    private static bool IsFarReturn(CodeSlot slot) => slot.Instruction.Mnemonic is Mnemonic.Retf or Mnemonic.Iret or Mnemonic.Iretd or Mnemonic.Iretq;

    private static bool IsNearBranch(in Instruction instruction) =>
        instruction.IsJccShortOrNear || instruction.IsJmpShortOrNear || instruction.IsCallNear || instruction.IsJmpNearIndirect
            || instruction.IsCallNearIndirect
        || instruction.IsLoop || instruction.IsLoopcc || instruction.IsJcxShort || instruction.Mnemonic == Mnemonic.Ret;

    private static bool HasPrefix(CodeSlot slot, byte prefix)
    {
        int prefixes = slot.Bytes.Length - slot.Bytes.AsSpan().TrimStart(_prefixes).Length;
        return slot.Bytes.AsSpan(0, prefixes).Contains(prefix);
    }
}
