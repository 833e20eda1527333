using Hv.Conformance.Campaigns.Cases;
using Hv.Conformance.Campaigns.Execution;
using Hv.Conformance.Oracle;
using Iced.Intel;
using static Hv.Conformance.Campaigns.Forms.CaseStates;
using static Hv.Conformance.Campaigns.Forms.CaseTraits;

namespace Hv.Conformance.Campaigns.Forms;

/// <summary>Where AMD's processors do otherwise than hv in x87, MMX, SSE and AVX instructions.</summary>
internal static class AmdExtendedDifferences
{
    private const uint SimdFault = 19, MisalignedMask = 1 << 17, EnvironmentPointers = 6, EnvironmentSize = 28;
    private const ushort ErrorSummary = 0x80;
    private const uint UnderflowFlag = 0x10, InexactFlag = 0x20, UnderflowMask = 0x800;

    /// <summary>The rows.</summary>
    public static IReadOnlyList<VendorDifference> All { get; } =
    [
        new(Maker.Amd, "misaligned operands of 16 and 32 bytes that need no alignment, RFLAGS.AC set", "#AC", "no #AC",
            "SDM 3A 6.15, interrupt 17: #AC of MOVUPS, MOVUPD, MOVDQU and LDDQU may or may not be generated, depending on the processor; APM 4 2.2",
            (CodeSlot slot, in CaseRecord input, in CaseRecord silicon, in CaseRecord ours) => (input.Rflags & AlignmentFlag) != 0
                && silicon.Vector == Alignment && ours.Vector is Outcome.Completed or SimdFault or Page
                && NeedsNoAlignment(slot.Instruction) && IsMisaligned(slot, in input) && Untouched(slot, in input, in silicon)),
        new(Maker.Amd, "SHA instructions with a misaligned operand", "no #GP of the misalignment", "#GP",
            "SDM 2B SHA1RNDS4 and others: exceptions of type 4, with #GP for operands that are not on 16-byte boundaries",
            (CodeSlot slot, in CaseRecord input, in CaseRecord silicon, in CaseRecord ours)
                => slot.Instruction.CpuidFeatures.Contains(CpuidFeature.SHA) && ours.Vector == General && IsMisaligned(slot, in input)
                && (silicon.Vector is Outcome.Completed || Untouched(slot, in input, in silicon))
                && Same(slot, in silicon, in ours, Parts.Fault | Parts.Vectors)
                && SameVectors(in silicon.Extended, in ours.Extended, except: slot.Instruction.Op0Register.GetNumber())),
        new(Maker.Amd, "VPEXTRD and VPINSRD with VEX.W outside 64-bit code", "#UD", "VEX.W is ignored",
            "SDM 2B PEXTRB/PEXTRD/PEXTRQ, PINSRB/PINSRD/PINSRQ: VEX.W is ignored outside 64-bit mode; APM 4 gives W1 to 64-bit mode only",
            (CodeSlot slot, in CaseRecord input, in CaseRecord silicon, in CaseRecord _) => slot.Mode != CodeMode.Bits64
                && slot.Instruction.Mnemonic is Mnemonic.Vpextrd or Mnemonic.Vpinsrd && HasVexW(slot)
                && silicon.Vector == Undefined && Untouched(slot, in input, in silicon)),
        new(Maker.Amd, "RCPPS, RSQRTPS, RCPSS and RSQRTSS", "other approximations", "Intel's",
            "SDM 2B RCPPS, RSQRTPS and APM 4 RCPPS, RSQRTPS: the relative error is at most 1.5 * 2^-12; docs/adr/0028-vector-floating-point.md",
            (CodeSlot slot, in CaseRecord _, in CaseRecord silicon, in CaseRecord ours) => Approximations.Has(slot.Instruction.Mnemonic)
                && Same(slot, in silicon, in ours, Parts.Vectors) && Approximations.Agree(slot.Instruction, in silicon.Extended, in ours.Extended)),
        new(Maker.Amd, "DPPS and DPPD with several NaNs", "the NaN that the additions of the manual's operation give, the same for a lane's elements",
            "the NaN depends on the element", "APM 4 DPPS and SDM 2A DPPS have one sum for all elements; docs/adr/0028-vector-floating-point.md",
            (CodeSlot slot, in CaseRecord _, in CaseRecord silicon, in CaseRecord ours)
                => slot.Instruction.Mnemonic is Mnemonic.Dpps or Mnemonic.Vdpps or Mnemonic.Dppd or Mnemonic.Vdppd
                && Same(slot, in silicon, in ours, Parts.Vectors)
                && DotProducts.DifferByNan(slot.Instruction, in silicon.Extended, in ours.Extended)),
        new(Maker.Amd, "a gather that faults", "elements of the mask that are not done stay, and upper halves of YMM",
            "the signs are spread, upper halves are cleared",
            "SDM 2C VPGATHERDD: the operation spreads the signs first; APM 4 VPGATHERDD: the mask is cleared element by element",
            (CodeSlot slot, in CaseRecord input, in CaseRecord silicon, in CaseRecord ours) => Gathers.Has(slot.Instruction)
                && silicon.Vector < 32 && Same(slot, in silicon, in ours, Parts.Vectors)
                && Gathers.Agree(slot.Instruction, in input.Extended, in silicon.Extended, in ours.Extended)),
        new(Maker.Amd, "VCVTPS2PH to memory that faults and has floating-point exceptions", "the fault, MXCSR stays",
            "#XM first; the fault has set MXCSR's flags", "SDM 2C VCVTPS2PH, APM 4 VCVTPS2PH: not ordered; docs/adr/0028-vector-floating-point.md",
            (CodeSlot slot, in CaseRecord input, in CaseRecord silicon, in CaseRecord ours) => slot.Instruction.Mnemonic == Mnemonic.Vcvtps2ph
                && slot.Instruction.Op0Kind == OpKind.Memory
                && silicon.Vector is Page or StackFault or General or Alignment && Untouched(slot, in input, in silicon)
                && (ours.Vector == SimdFault ? Untouched(slot, in input, in ours, Parts.Mxcsr) : Same(slot, in silicon, in ours, Parts.Mxcsr))),
        new(Maker.Amd, "an x87 store that faults and has an unmasked exception", "the fault", "the exception waits, nothing is stored",
            "SDM 1 8.5 and APM 2 8.5: an x87 exception and the fault of a memory operand are not ordered",
            (CodeSlot slot, in CaseRecord input, in CaseRecord silicon, in CaseRecord ours) => IsX87Store(slot.Instruction)
                && silicon.Vector is Page or StackFault or General or Alignment && Untouched(slot, in input, in silicon)
                && ours.Vector == Outcome.Completed && (ours.Extended.Status & ErrorSummary) != 0
                && Same(slot, in silicon, in ours, Parts.Fault | Parts.Status | Parts.Pointers)),
        new(Maker.Amd, "FSTP and FBSTP of 80 bits that fault in their second page", "nothing is written", "the bytes in the first page are written",
            "SDM and APM do not say that a store which faults writes nothing",
            (CodeSlot slot, in CaseRecord input, in CaseRecord silicon, in CaseRecord ours) => IsX87Store(slot.Instruction)
                && silicon.Vector == Page && Untouched(slot, in input, in silicon) && Same(slot, in silicon, in ours, Parts.Memory)),
        new(Maker.Amd, "FRSTOR that faults on the registers behind its environment", "control, status and tags may be the image's already",
            "nothing is loaded", "SDM 2A FRSTOR, APM 5 FRSTOR: neither says what a fault leaves behind",
            (CodeSlot slot, in CaseRecord input, in CaseRecord silicon, in CaseRecord ours) => slot.Instruction.Mnemonic == Mnemonic.Frstor
                && silicon.Vector is Page or StackFault or General or Alignment && Untouched(slot, in input, in ours)
                && Same(slot, in silicon, in ours, Parts.Extended) && SameButControls(in silicon.Extended, in ours.Extended)),
        new(Maker.Amd, "an MMX store that faults", "TOP stays", "TOP is 0 already",
            "SDM 1 9.6.2, APM 5 1.3: MMX instructions set TOP to 0; docs/adr/0029-vector-integers.md",
            (CodeSlot slot, in CaseRecord input, in CaseRecord silicon, in CaseRecord ours) => UsesMmx(slot.Instruction) && silicon.Vector < 32
                && Untouched(slot, in input, in silicon) && Same(slot, in silicon, in ours, Parts.Status)
                && ours.Extended.Status == (silicon.Extended.Status & ~0x3800)),
        new(Maker.Amd, "VCVTPS2PH of a denormal, underflow unmasked", "underflow alone", "underflow and inexact",
            "SDM 1 4.9.1.5: an unmasked underflow is inexact only if the rounded result is; docs/adr/0028-vector-floating-point.md",
            (CodeSlot slot, in CaseRecord _, in CaseRecord silicon, in CaseRecord ours) => slot.Instruction.Mnemonic == Mnemonic.Vcvtps2ph
                && silicon.Vector == SimdFault && (silicon.Extended.Mxcsr & UnderflowMask) == 0 && (silicon.Extended.Mxcsr & UnderflowFlag) != 0
                && ours.Extended.Mxcsr == (silicon.Extended.Mxcsr | InexactFlag) && Same(slot, in silicon, in ours, Parts.Mxcsr)),
        new(Maker.Amd, "x87 functions and remainders with a tiny result", "underflow is reported", "inexact alone, or nothing",
            "SDM 1 8.5.5: tiny results underflow; hv has what Intel's processors do (docs/adr/0025-x87-transcendentals.md)",
            (CodeSlot slot, in CaseRecord _, in CaseRecord silicon, in CaseRecord ours) => TinyResults.Has(slot.Instruction.Mnemonic)
                && Same(slot, in silicon, in ours, Parts.Extended) && TinyResults.Agree(in silicon.Extended, in ours.Extended)),
        new(Maker.Amd, "the byte that a page fault of XSAVE, XRSTOR, VMASKMOV or MASKMOVDQU names", "the lowest that faults",
            "that which is probed first",
            "SDM 3A 4.7, APM 2 8.4.2: CR2 holds the faulting address; no order of an operand's bytes",
            (CodeSlot slot, in CaseRecord input, in CaseRecord silicon, in CaseRecord ours) => silicon.Vector == Page && ours.Vector == Page
                && IsProbed(slot.Instruction) && SameCause(in silicon, in ours)
                && IsNear(silicon.Address, ours.Address, wraps: RunsPastTheEnd(slot, in input))
                && Untouched(slot, in input, in silicon) && Same(slot, in silicon, in ours, Parts.Fault)),
        new(Maker.Amd, "XSAVE, XRSTOR, FXSAVE and FXRSTOR of a misaligned area, RFLAGS.AC set", "#GP", "#AC",
            "SDM 2A FXSAVE, 2D XSAVE: whether #AC is signalled in place of #GP may vary with the implementation",
            (CodeSlot slot, in CaseRecord input, in CaseRecord silicon, in CaseRecord ours) => (input.Rflags & AlignmentFlag) != 0
                && SavesState(slot.Instruction.Mnemonic) && silicon.Vector == General && ours.Vector == Alignment
                && Untouched(slot, in input, in silicon) && Untouched(slot, in input, in ours)),
        new(Maker.Amd, "XSAVE, XRSTOR, FXSAVE and FXRSTOR of an area that is misaligned and beyond the stack segment", "#GP of the misalignment",
            "#SS", "SDM 3A table 6-2 gives both the same priority",
            (CodeSlot slot, in CaseRecord input, in CaseRecord silicon, in CaseRecord ours) => SavesState(slot.Instruction.Mnemonic)
                && slot.LinearAddress(in input, in slot.Memory[0]) % 64 != 0 && silicon.Vector == General && ours.Vector == StackFault
                && Untouched(slot, in input, in silicon) && Untouched(slot, in input, in ours)),
        new(Maker.Amd, "VMASKMOV and x87 states whose operand runs past the end of a 16-bit or 32-bit address space",
            "its parts wrap with the address size", "its parts lie behind it, beyond the limit",
            "SDM 1 3.3.7, APM 1 2.2.3: addresses are truncated to the address size; not said of one operand's parts",
            (CodeSlot slot, in CaseRecord input, in CaseRecord silicon, in CaseRecord ours)
                => (IsMaskMove(slot.Instruction) || StoresEnvironment(slot.Instruction.Mnemonic) || LoadsEnvironment(slot.Instruction.Mnemonic))
                && RunsPastTheEnd(slot, in input) && (silicon.Vector == Outcome.Completed || Untouched(slot, in input, in silicon))
                && Untouched(slot, in input, in ours) && ours.Vector is Page or General or StackFault),
        new(Maker.Amd, "MASKMOVDQU whose operand runs past the end of a 16-bit or 32-bit address space", "#GP or #SS", "its upper quadword wraps",
            "APM 2 4.12.3; SDM 3A 6.3: where the limit is FFFFFFFFH, such accesses may or may not cause the exceptions",
            (CodeSlot slot, in CaseRecord input, in CaseRecord silicon, in CaseRecord ours)
                => slot.Instruction.Mnemonic is Mnemonic.Maskmovdqu or Mnemonic.Vmaskmovdqu && RunsPastTheEnd(slot, in input)
                && silicon.Vector is General or StackFault && silicon.ErrorCode == 0 && ours.Vector is Page or Alignment or Outcome.Completed
                && Untouched(slot, in input, in silicon) && Same(slot, in silicon, in ours, Parts.Fault | Parts.Memory)),
        new(Maker.Amd, "XSAVE and FXSAVE", "MXCSR_MASK has bit 17; FOP, FIP and FDP are zeros unless an unmasked x87 exception is pending",
            "MXCSR_MASK is FFFFh; the pointers are stored", "APM 2 11.4.4.1, APM 1 4.2.2 (MXCSR.MM); SDM 1 11.6.6; docs/adr/0027-x87-pointers.md",
            (CodeSlot slot, in CaseRecord input, in CaseRecord silicon, in CaseRecord ours) => StoredStates.Has(slot.Instruction.Mnemonic)
                && Same(slot, in silicon, in ours, Parts.Memory | Parts.Pointers) && AreKeptOrLost(in input, in silicon, in ours)
                && StoredStates.Agree(slot, in input, in silicon, in ours)),
        new(Maker.Amd, "x87 pointers of before the instruction", "zeros where the kernel has saved and loaded the state in between, and " +
            "the low 32 bits where an unmasked exception is pending and the machine's hypervisor has",
            "the pointers stay", "APM 2 11.4.4.1: XSAVE saves zeros, and without REX.W 32 bits; a matter of Linux's and the hypervisor's schedulers",
            (CodeSlot slot, in CaseRecord input, in CaseRecord silicon, in CaseRecord ours) => StoresEnvironment(slot.Instruction.Mnemonic)
                ? Same(slot, in silicon, in ours, Parts.Memory) && slot.LinearAddress(in input, in slot.Memory[0]) is var area
                    && DifferWithin(in silicon, in ours, area + EnvironmentPointers, area + EnvironmentSize, byZeros: true)
                : Same(slot, in silicon, in ours, Parts.Pointers) && AreKeptOrLost(in input, in silicon, in ours)),
        new(Maker.Amd, "FDP and FIP that FXRSTOR64 or XRSTOR64 loads", "canonical with 57 bits, or with 48 where linear addresses have no more", "64 bits",
            "SDM 2A FXRSTOR and APM 5 FXRSTOR do not say what becomes of an address that is not canonical",
            (CodeSlot slot, in CaseRecord _, in CaseRecord silicon, in CaseRecord ours)
                => slot.Instruction.Mnemonic is Mnemonic.Fxrstor64 or Mnemonic.Xrstor64
                && Same(slot, in silicon, in ours, Parts.Pointers) && silicon.Extended.Opcode == ours.Extended.Opcode
                && (AreCanonical(in silicon, in ours, 57) || AreCanonical(in silicon, in ours, 48))),
        new(Maker.Amd, "MXCSR bit 17", "MM, misaligned exception mask: may be loaded", "reserved: #GP",
            "APM 1 4.2.2 (MXCSR.MM; CPUID 8000_0001h ECX[7]); SDM 1 10.2.3: bits 31:16 are reserved",
            (CodeSlot slot, in CaseRecord input, in CaseRecord silicon, in CaseRecord ours)
                => silicon.Vector == Outcome.Completed && silicon.Extended.Mxcsr >> 16 == MisalignedMask >> 16 && ours.Vector == General
                && Untouched(slot, in input, in ours) && Same(slot, in silicon, in ours, Parts.Fault
                    | (slot.Instruction.Mnemonic is Mnemonic.Ldmxcsr or Mnemonic.Vldmxcsr ? Parts.Mxcsr : Parts.Extended))),
    ];

    private static bool AreKeptOrLost(in CaseRecord input, in CaseRecord silicon, in CaseRecord ours)
    {
        bool pending = (input.Extended.Status & SavedPointers.ErrorSummary) != 0;
        return IsKeptOrLost(silicon.Extended.Opcode, ours.Extended.Opcode, input.Extended.Opcode, false)
            && IsKeptOrLost(silicon.Extended.InstructionPointer, ours.Extended.InstructionPointer, input.Extended.InstructionPointer, pending)
            && IsKeptOrLost(silicon.Extended.OperandPointer, ours.Extended.OperandPointer, input.Extended.OperandPointer, pending);
    }

    private static bool IsKeptOrLost(ulong silicon, ulong ours, ulong before, bool orHalf) =>
        silicon == ours || (ours == before && (silicon == 0 || (orHalf && silicon == (uint)before)));

    private static bool AreCanonical(in CaseRecord silicon, in CaseRecord ours, int bits) =>
        silicon.Extended.InstructionPointer == Canonical(ours.Extended.InstructionPointer, bits)
        && silicon.Extended.OperandPointer == Canonical(ours.Extended.OperandPointer, bits);

    private static ulong Canonical(ulong address, int bits) => (ulong)((long)(address << (64 - bits)) >> (64 - bits));

    /// <summary>VEX encodings and the legacy instructions whose memory operand may lie anywhere.</summary>
    private static bool NeedsNoAlignment(in Instruction instruction) => instruction.Encoding == EncodingKind.VEX
        || instruction.Mnemonic is Mnemonic.Movups or Mnemonic.Movupd or Mnemonic.Movdqu or Mnemonic.Lddqu or Mnemonic.Pcmpestri
            or Mnemonic.Pcmpestrm or Mnemonic.Pcmpistri or Mnemonic.Pcmpistrm or Mnemonic.Pcmpestri64 or Mnemonic.Pcmpestrm64;

    private static bool IsMisaligned(CodeSlot slot, in CaseRecord input)
    {
        foreach (UsedMemory memory in slot.Memory)
            if (slot.LinearAddress(in input, in memory) % Math.Max(memory.MemorySize.GetSize(), 1) != 0)
                return true;
        return false;
    }

    private static bool HasVexW(CodeSlot slot)
    {
        int at = slot.Bytes.AsSpan().IndexOf((byte)0xC4);
        return at >= 0 && at + 2 < slot.Bytes.Length && (slot.Bytes[at + 2] & 0x80) != 0;
    }

    private static bool IsX87Store(in Instruction instruction) => instruction.Op0Kind == OpKind.Memory
        && instruction.Mnemonic is Mnemonic.Fst or Mnemonic.Fstp or Mnemonic.Fist or Mnemonic.Fistp or Mnemonic.Fisttp or Mnemonic.Fbstp;

    private static bool UsesMmx(in Instruction instruction)
    {
        for (int i = 0; i < instruction.OpCount; i++)
            if (instruction.GetOpKind(i) == OpKind.Register && instruction.GetOpRegister(i).IsMM())
                return true;
        return false;
    }

    private static bool StoresEnvironment(Mnemonic mnemonic) => mnemonic is Mnemonic.Fnstenv or Mnemonic.Fnsave;

    private static bool LoadsEnvironment(Mnemonic mnemonic) => mnemonic is Mnemonic.Fldenv or Mnemonic.Frstor;

    private static bool IsProbed(in Instruction instruction) => SavesState(instruction.Mnemonic) || IsMaskMove(in instruction)
        || instruction.Mnemonic is Mnemonic.Maskmovdqu or Mnemonic.Vmaskmovdqu;

    /// <summary>Whether two addresses may lie in one operand, which may wrap with 16 or 32 bits.</summary>
    private static bool IsNear(ulong a, ulong b, bool wraps) => wraps ? (ushort)(a + ExtendedState.Size - b) < 2 * ExtendedState.Size
        : a + ExtendedState.Size - b < 2 * ExtendedState.Size;

    /// <summary>Whether two page faults have one error code, or in different pages one that differs by a page that is present.</summary>
    private static bool SameCause(in CaseRecord a, in CaseRecord b) => a.ErrorCode == b.ErrorCode
        || ((a.ErrorCode ^ b.ErrorCode) == 1 && a.Address / OracleMap.PageSize != b.Address / OracleMap.PageSize);

    private static bool IsMaskMove(in Instruction instruction) =>
        instruction.Mnemonic is Mnemonic.Vmaskmovps or Mnemonic.Vmaskmovpd or Mnemonic.Vpmaskmovd or Mnemonic.Vpmaskmovq;

    /// <summary>Whether the operand wraps with an address size of 16 or 32 bits.</summary>
    private static bool RunsPastTheEnd(CodeSlot slot, in CaseRecord input)
    {
        UsedMemory memory = slot.Memory[0];
        ulong end = (ulong)CodeSlot.EffectiveAddress(in input, in memory) + (uint)memory.MemorySize.GetSize();
        return memory.AddressSize switch
        {
            CodeSize.Code16 => end > ushort.MaxValue + 1ul,
            CodeSize.Code32 => end > uint.MaxValue + 1ul,
            _ => false,
        };
    }

    private static bool SavesState(Mnemonic mnemonic) => StoredStates.Has(mnemonic)
        || mnemonic is Mnemonic.Fxrstor or Mnemonic.Fxrstor64 or Mnemonic.Xrstor or Mnemonic.Xrstor64;

    private static bool SameButControls(in ExtendedState silicon, in ExtendedState ours)
    {
        ExtendedState state = silicon;
        (state.Control, state.Tags) = (ours.Control, ours.Tags);
        state.SetStatus(ours.Status);
        return ExtendedComparison.Same(in state, in ours);
    }
}
