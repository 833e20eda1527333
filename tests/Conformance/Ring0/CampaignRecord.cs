using System.Globalization;
using System.Text;
using System.Text.Json;
using Hv.Conformance.Ring0.Engines;
using Hv.Conformance.Ring0.Families;

namespace Hv.Conformance.Ring0;

/// <summary>The numbers of one campaign, as kept in the repository.</summary>
public sealed record CampaignRecord
{
    /// <summary>The file's name in the directory of recorded runs.</summary>
    public const string FileName = "ring0.json";

    private static readonly JsonSerializerOptions _json = new() { WriteIndented = true };

    /// <summary>When it ended, UTC, to the minute.</summary>
    public required string Date { get; init; }
    public required ulong Seed { get; init; }
    public required IReadOnlyList<string> Engines { get; init; }
    public required IReadOnlyList<FamilyCount> Families { get; init; }
    public required SortedDictionary<string, long> Outcomes { get; init; }
    public required IReadOnlyList<DifferenceCount> Differences { get; init; }
    public required IReadOnlyList<DifferenceCount> LeftOut { get; init; }
    public required long AgainstManual { get; init; }
    public required long Unexplained { get; init; }

    /// <summary>A family's numbers.</summary>
    public sealed record FamilyCount(string Name, string About, long Cases, long Expected);

    /// <summary>A decided difference's numbers.</summary>
    public sealed record DifferenceCount(string Engine, string Cases, string Wrong, string Why, long Count);

    /// <summary>The record of an ended campaign.</summary>
    public static CampaignRecord Of(ulong seed, IReadOnlyList<Family> families, IReadOnlyList<Engine> engines, CampaignOutcome outcome) => new()
    {
        Date = DateTime.UtcNow.ToString("yyyy-MM-dd HH:mm", CultureInfo.InvariantCulture),
        Seed = seed,
        Engines = [.. engines.Select(e => e.Version)],
        Families = [.. families.Select(f => new FamilyCount(f.Name, f.About, outcome.Cases.GetValueOrDefault(f.Name),
            outcome.Expected.GetValueOrDefault(f.Name)))],
        Outcomes = outcome.Outcomes,
        Differences = [.. outcome.Explained.Select(d => new DifferenceCount(d.Key.Engine, d.Key.Case, d.Key.Wrong, d.Key.Why, d.Value))
            .OrderBy(d => d.Engine, StringComparer.Ordinal).ThenByDescending(d => d.Count)],
        LeftOut = [.. outcome.LeftOut.Select(l => new DifferenceCount(l.Key.Engine, "", l.Key.Engine, l.Key.Why, l.Value))],
        AgainstManual = outcome.AgainstManual.Count,
        Unexplained = outcome.Unexplained.Count,
    };

    /// <summary>Writes the record into the directory of recorded runs.</summary>
    public void Save(string directory) => File.WriteAllText(Path.Combine(directory, FileName), JsonSerializer.Serialize(this, _json) + "\n");

    /// <summary>The kept record as a section of docs/conformance.md; empty where none is kept.</summary>
    public static string Section(string directory)
    {
        string path = Path.Combine(directory, FileName);
        return File.Exists(path) && JsonSerializer.Deserialize<CampaignRecord>(File.ReadAllText(path), _json) is { } record ? record.Render() : "";
    }

    private string Render()
    {
        var text = new StringBuilder();
        text.Append(CultureInfo.InvariantCulture, $"""

            ## Ring 0

            Privileged and system instructions and exception delivery. Small guests run each case on hv and on
            {string.Join(" and ", Engines.Skip(1))}; the rules of the manuals'
            pseudo-code, with citations, are tables beside the cases (`tests/Conformance/Ring0/Families`) and decide. Compared are vector, error code,
            frame, control, debug and model-specific registers, selectors, general registers, and every word of the 120 KiB that hold a case's code,
            stacks, descriptor and page tables. How it is done is in [ADR 0085](adr/0085-ring0-guests.md), how it decides in
            [ADR 0086](adr/0086-the-manual-decides.md).

            {Families.Sum(f => f.Cases):N0} cases of {Date} (UTC), seed {Seed}: {AgainstManual:N0} in which hv is not as the manual says,
            {Unexplained:N0} unexplained differences.

            | family | what | cases | of them with the manual's expectation |
            |---|---|---|---|

            """);
        foreach (FamilyCount family in Families)
            text.AppendLine(CultureInfo.InvariantCulture, $"| {family.Name} | {family.About} | {family.Cases:N0} | {family.Expected:N0} |");
        text.AppendLine(CultureInfo.InvariantCulture,
            $"\nOutcomes: {string.Join(", ", Outcomes.OrderByDescending(o => o.Value).Select(o => $"{o.Key} {o.Value:N0}"))}.\n");
        text.AppendLine("Differences from hv, decided by the manual (rows of `tests/Conformance/Ring0/ring0.differences`):\n");
        text.AppendLine("| engine | wrong | what the manual says, and what the engine does | cases |\n|---|---|---|---|");
        foreach (DifferenceCount d in Differences)
            text.AppendLine(CultureInfo.InvariantCulture, $"| {d.Engine} | {d.Wrong} | {d.Why} | {d.Count:N0} |");
        foreach (DifferenceCount d in LeftOut)
            text.AppendLine(CultureInfo.InvariantCulture, $"| {d.Engine} | {d.Wrong} | not run there: {d.Why} | {d.Count:N0} |");
        return text.ToString().ReplaceLineEndings("\n");
    }
}
