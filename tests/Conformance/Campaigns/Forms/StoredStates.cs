using Hv.Conformance.Campaigns.Cases;
using Hv.Conformance.Campaigns.Execution;
using Hv.Conformance.Campaigns.Reporting;
using Hv.Conformance.Oracle;
using Iced.Intel;
using static Hv.Conformance.Campaigns.Forms.CaseStates;

namespace Hv.Conformance.Campaigns.Forms;

/// <summary>The areas that FXSAVE and XSAVE write: FOP, FIP, FDP and MXCSR_MASK are another's on AMD's processors (APM 2 11.4.4.1).</summary>
internal static class StoredStates
{
    private const uint OpcodeOffset = 6, InstructionPointerOffset = 8, MxcsrOffset = 24, MaskOffset = 28, MaskEnd = 32;
    private const uint MxcsrMask = 0x2_FFFF;
    private static readonly bool _here = HostProcessor.Maker() == Maker.Amd;

    /// <summary>Whether an instruction writes such an area.</summary>
    public static bool Has(Mnemonic mnemonic) =>
        mnemonic is Mnemonic.Fxsave or Mnemonic.Fxsave64 or Mnemonic.Xsave or Mnemonic.Xsave64 or Mnemonic.Xsaveopt or Mnemonic.Xsaveopt64;

    /// <summary>Whether this machine's processor stores such an area otherwise than hv.</summary>
    public static bool Differ(Mnemonic mnemonic) => _here && Has(mnemonic);

    /// <summary>Whether two areas differ only in what AMD's processors store otherwise, which is as it should be on silicon's side.</summary>
    public static bool Agree(CodeSlot slot, in CaseRecord input, in CaseRecord silicon, in CaseRecord ours)
    {
        if (slot.Memory.Length == 0)
            return false;
        uint area = slot.LinearAddress(in input, in slot.Memory[0]);
        bool pending = (input.Extended.Status & SavedPointers.ErrorSummary) != 0;
        for (int i = 0; i < CaseMemory.Length; i++)
        {
            byte stored = silicon.Memory[i];
            if (stored == ours.Memory[i])
                continue;
            uint at = MemoryAddress(i) - area;
            // With one pending, a switch of the machine's hypervisor cuts FIP and FDP down to 32 bits.
            bool pointer = at is >= OpcodeOffset and < MxcsrOffset && stored == 0
                && (!pending || (at >= InstructionPointerOffset && (at & 4) != 0));
            bool mask = at is >= MaskOffset and < MaskEnd && stored == (byte)(MxcsrMask >> (int)(8 * (at - MaskOffset)));
            if (!pointer && !mask)
                return false;
        }

        return true;
    }
}
