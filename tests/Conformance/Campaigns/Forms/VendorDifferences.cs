namespace Hv.Conformance.Campaigns.Forms;

/// <summary>A point on which processors of different makers differ, and hv's choice.</summary>
/// <param name="What">The case.</param>
/// <param name="Silicon">What the processor of the kept runs does.</param>
/// <param name="Ours">What hv does.</param>
/// <param name="Citation">The manuals.</param>
public sealed record VendorDifference(string What, string Silicon, string Ours, string Citation);

/// <summary>The list; a case that falls under it is not counted as a difference.</summary>
public static class VendorDifferences
{
    /// <summary>All of them.</summary>
    public static IReadOnlyList<VendorDifference> All { get; } = [];
}
