using Hv.Conformance.Campaigns.Cases;
using Hv.Conformance.Oracle;
using Iced.Intel;
using static Hv.Conformance.Campaigns.Forms.CaseTraits;

namespace Hv.Conformance.Campaigns.Forms;

/// <summary>Where Intel's processors do otherwise than hv.</summary>
internal static class IntelDifferences
{
    private const ulong WrapStart = 0xFFFF_FF00, WrapSize = 0x100;

    /// <summary>The rows.</summary>
    public static IReadOnlyList<VendorDifference> All { get; } =
    [
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
    ];
}
