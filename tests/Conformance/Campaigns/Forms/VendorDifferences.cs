using Hv.Conformance.Campaigns.Cases;
using Hv.Conformance.Campaigns.Execution;
using Hv.Conformance.Campaigns.Reporting;
using Hv.Conformance.Oracle;

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
    /// <summary>All of them.</summary>
    public static IReadOnlyList<VendorDifference> All { get; } =
        [.. AmdIntegerDifferences.All, .. AmdDifferences.All, .. AmdEncodingDifferences.All, .. AmdExtendedDifferences.All,
            .. IntelDifferences.All, .. BothMakersDifferences.All];

    /// <summary>The row for results that silicon gives once and not again; see <see cref="CaseRunner"/>.</summary>
    public static VendorDifference Unsteady => BothMakersDifferences.Unsteady;

    private static readonly VendorDifference[] _here = [.. All.Where(d => d.Maker is Maker.Any || d.Maker == HostProcessor.Maker())];

    /// <summary>The kind that a differing case is of, or null.</summary>
    public static VendorDifference? Find(CodeSlot slot, in CaseRecord input, in CaseRecord silicon, in CaseRecord ours)
    {
        foreach (VendorDifference difference in _here)
            if (difference.Applies(slot, in input, in silicon, in ours))
                return difference;
        // The pointers may have been cut in any case, one that another row is about too.
        CaseRecord mended = silicon;
        return slot.HasExtended && SavedPointers.MendCut(ref mended.Extended, in input.Extended, in ours.Extended)
            ? Find(slot, in input, in mended, in ours) : null;
    }
}
