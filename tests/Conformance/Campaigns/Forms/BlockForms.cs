using Hv.Conformance.Campaigns.Reporting;
using Iced.Intel;

namespace Hv.Conformance.Campaigns.Forms;

/// <summary>What blocks are made of: 64-bit forms whose results are the same to the last bit. A block has no place for the conditions of
/// <see cref="VendorDifferences"/>, so what this machine's processor does otherwise than hv stays out.</summary>
internal static class BlockForms
{
    private static readonly bool _amd = HostProcessor.Maker() == Maker.Amd;

    private static readonly HashSet<Mnemonic> _onAmd =
    [
        // Another NaN; underflow without inexact; an exchange with REX.B.
        Mnemonic.Dpps, Mnemonic.Vdpps, Mnemonic.Dppd, Mnemonic.Vdppd, Mnemonic.Vcvtps2ph, Mnemonic.Pause,
        // Stores that both fault and have an exception.
        Mnemonic.Fst, Mnemonic.Fstp, Mnemonic.Fist, Mnemonic.Fistp, Mnemonic.Fisttp, Mnemonic.Fbstp,
        // Pointers in memory, or those of a masked exception that becomes unmasked.
        Mnemonic.Fnsave, Mnemonic.Fnstenv, Mnemonic.Fldcw,
        // MXCSR.MM.
        Mnemonic.Ldmxcsr, Mnemonic.Vldmxcsr, Mnemonic.Fxrstor,
        // The byte that CR2 names.
        Mnemonic.Maskmovdqu, Mnemonic.Vmaskmovdqu, Mnemonic.Vmaskmovps, Mnemonic.Vmaskmovpd, Mnemonic.Vpmaskmovd, Mnemonic.Vpmaskmovq,
        // TOP when it faults.
        Mnemonic.Maskmovq,
    ];

    /// <summary>Whether blocks may have <paramref name="form"/>.</summary>
    public static bool Contains(Form form)
    {
        Mnemonic mnemonic = form.OpCode.Mnemonic;
        return form.Mode == CodeMode.Bits64 && form.Way == EntryWay.Quick && !TracksState(form) && !RoundedResults.Contains(mnemonic)
            && !(_amd && DiffersOnAmd(form, mnemonic));
    }

    /// <summary>Whether blocks may not have an encoding of such a form: what makers differ on would only be found again.</summary>
    public static bool LeavesOut(in Instruction instruction) => instruction.Code == Code.Movsxd_r16_rm16
        || instruction.SegmentPrefix is Register.FS or Register.GS
        || (_amd && instruction.IsStringInstruction && (instruction.HasRepPrefix || instruction.HasRepnePrefix)
            && (HasShortAddress(in instruction) || instruction.Mnemonic is Mnemonic.Scasb or Mnemonic.Scasw or Mnemonic.Scasd or Mnemonic.Scasq
                or Mnemonic.Cmpsb or Mnemonic.Cmpsw or Mnemonic.Cmpsd or Mnemonic.Cmpsq));

    private static bool HasShortAddress(in Instruction instruction)
    {
        for (int i = 0; i < instruction.OpCount; i++)
            if (instruction.GetOpKind(i) is OpKind.MemorySegESI or OpKind.MemorySegEDI or OpKind.MemoryESEDI)
                return true;
        return false;
    }

    /// <summary>XSAVE writes which parts are in use, and a processor may say so of parts that hold their first values (SDM 1 13.6). FXRSTOR64 takes
    /// any FIP, and how much of it a processor keeps is its own affair.</summary>
    private static bool TracksState(Form form) =>
        form.Feature.Contains("XSAVE", StringComparison.Ordinal) || form.OpCode.Mnemonic == Mnemonic.Fxrstor64;

    /// <summary>By the rows for AMD's processors (<see cref="AmdExtendedDifferences"/>, <see cref="AmdIntegerDifferences"/>).</summary>
    private static bool DiffersOnAmd(Form form, Mnemonic mnemonic) => Approximations.Has(mnemonic) || StoredStates.Has(mnemonic)
        || TinyResults.Has(mnemonic) || form.Feature.Contains("SHA", StringComparison.Ordinal) || _onAmd.Contains(mnemonic) || StoresMmx(form)
        || IsGather(form) || TakesStackWordWhole(form.Code);

    private static bool IsGather(Form form) => form.OpCode.OpCount == 3
        && form.OpCode.GetOpKind(1) is OpCodeOperandKind.mem_vsib32x or OpCodeOperandKind.mem_vsib32y or OpCodeOperandKind.mem_vsib64x
            or OpCodeOperandKind.mem_vsib64y;

    private static bool StoresMmx(Form form) => form.OpCode.OpCount == 2
        && form.OpCode.GetOpKind(0) is OpCodeOperandKind.mem or OpCodeOperandKind.r32_or_mem or OpCodeOperandKind.r64_or_mem
            or OpCodeOperandKind.mm_or_mem
        && form.OpCode.GetOpKind(1) == OpCodeOperandKind.mm_reg;

    private static bool TakesStackWordWhole(Code code) => code is Code.Pushq_FS or Code.Pushq_GS or Code.Popq_FS or Code.Popq_GS or Code.Pushw_FS
        or Code.Pushw_GS or Code.Popw_FS or Code.Popw_GS;

    /// <summary>Takes away from a block's initial state and results what this machine's processor does otherwise in any instruction: AMD's report #AC
    /// before #PF, and keep the FDP of the last x87 operand in memory for an exception of another instruction.</summary>
    public static bool LeavesOutAlignmentAndDataPointer => _amd;
}
