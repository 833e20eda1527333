using Hv.Conformance.Ring0.Cases;
using Hv.Conformance.Ring0.Engines;
using Hv.Conformance.Ring0.Results;

namespace Hv.Conformance.Ring0;

/// <summary>What a campaign found.</summary>
public sealed class CampaignOutcome(KnownDifferences known)
{
    /// <summary>Cases run, by family.</summary>
    public SortedDictionary<string, long> Cases { get; } = new(StringComparer.Ordinal);

    /// <summary>Cases for which the manual's tables have an expectation, by family.</summary>
    public SortedDictionary<string, long> Expected { get; } = new(StringComparer.Ordinal);

    /// <summary>How cases ended on the first engine.</summary>
    public SortedDictionary<string, long> Outcomes { get; } = new(StringComparer.Ordinal);

    /// <summary>Cases in which the first engine, hv, is not as the manual says.</summary>
    public List<string> AgainstManual { get; } = [];

    /// <summary>Differences between engines that nothing explains.</summary>
    public List<string> Unexplained { get; } = [];

    /// <summary>Differences explained by a recorded row, with the number of cases.</summary>
    public Dictionary<KnownDifference, long> Explained { get; } = [];

    /// <summary>Cases left out for an engine, by reason.</summary>
    public Dictionary<(string Engine, string Why), long> LeftOut { get; } = [];

    /// <summary>Takes a case's results, the first engine's first.</summary>
    public void Add(Ring0Case @case, IReadOnlyList<Engine> engines, IReadOnlyList<CaseResult?> results)
    {
        CaseResult ours = results[0] ?? throw new InvalidOperationException("the first engine leaves no case out");
        Cases[@case.Family] = Cases.GetValueOrDefault(@case.Family) + 1;
        string kind = ours.Outcome.Split('(', '@')[0];
        Outcomes[kind] = Outcomes.GetValueOrDefault(kind) + 1;
        if (@case.Expected is { } expected)
        {
            Expected[@case.Family] = Expected.GetValueOrDefault(@case.Family) + 1;
            string[] wrong = [.. ours.Against(expected)];
            if (wrong.Length > 0)
                AgainstManual.Add($"{@case.Name}: {engines[0].Name}: {string.Join("; ", wrong)} [{expected.Citation}]");
        }

        for (int i = 1; i < results.Count; i++)
        {
            if (results[i] is { } theirs)
                Compare(@case, engines[i].Name, ours, theirs);
            else if (@case.LeftOut is { } left)
                LeftOut[left] = LeftOut.GetValueOrDefault(left) + 1;
        }
    }

    private void Compare(Ring0Case @case, string engine, CaseResult ours, CaseResult theirs)
    {
        (string Field, string Mine, string Theirs)[] differences = [.. ours.Differences(theirs)];
        if (differences.Length == 0)
            return;
        (string Field, string Mine, string Theirs)[] open = differences;
        foreach (KnownDifference row in known.For(engine, @case, theirs))
        {
            if (!open.Any(d => row.Covers(d.Field)))
                continue;
            open = [.. open.Where(d => !row.Covers(d.Field))];
            Explained[row] = Explained.GetValueOrDefault(row) + 1;
        }

        if (open.Length > 0)
            Unexplained.Add($"{@case.Name}: {engine}: {string.Join("; ", open.Select(d => $"{d.Field} hv {d.Mine} {engine} {d.Theirs}"))}" +
                (@case.Expected is { } e ? $" [manual: {e.Outcome}, {e.Citation}]" : ""));
    }
}
