using Hv.Conformance.Campaigns.Cases;

namespace Hv.Conformance.Campaigns.Execution;

/// <summary>What became of a campaign's cases. A harness can lie, for example by running stale code for ever: then the outcomes degenerate, and the
/// campaign fails.</summary>
public sealed class Tally
{
    private const long EnoughToJudge = 10_000;
    private readonly long[] _outcomes = new long[Oracle.Outcome.WorkerDied + 1];

    /// <summary>Cases compared.</summary>
    public long Cases { get; private set; }

    /// <summary>Cases whose result on silicon was the very state of the case before.</summary>
    public long Repeats { get; set; }

    /// <summary>Cases left out because they touched the worker's own pages.</summary>
    public long Discarded { get; set; }

    /// <summary>Cases of instructions that hv does not have or whose result is the host's own.</summary>
    public long OutsideModel { get; set; }

    /// <summary>Cases made, and no fewer: those run again alone may count twice.</summary>
    public long Made => Cases + Discarded + OutsideModel;

    /// <summary>Cases that differed.</summary>
    public long Differences { get; set; }

    /// <summary>Cases that fall under <see cref="Forms.VendorDifferences"/>, by kind.</summary>
    public SortedDictionary<string, long> VendorDifferences { get; } = new(StringComparer.Ordinal);

    /// <summary>Silicon's outcomes, by vector or <see cref="Oracle.Outcome"/> value.</summary>
    public IReadOnlyDictionary<uint, long> Outcomes =>
        Enumerable.Range(0, _outcomes.Length).Where(o => _outcomes[o] != 0).ToDictionary(o => (uint)o, o => _outcomes[o]);

    /// <summary>Counts one compared case.</summary>
    public void Count(uint outcome)
    {
        Cases++;
        _outcomes[outcome]++;
    }

    /// <summary>Counts a case on which makers differ.</summary>
    public void CountVendorDifference(string what) => VendorDifferences[what] = VendorDifferences.GetValueOrDefault(what) + 1;

    /// <summary>Adds another tally.</summary>
    public void Add(Tally other)
    {
        Cases += other.Cases;
        Repeats += other.Repeats;
        Discarded += other.Discarded;
        OutsideModel += other.OutsideModel;
        Differences += other.Differences;
        foreach ((string what, long count) in other.VendorDifferences)
            VendorDifferences[what] = VendorDifferences.GetValueOrDefault(what) + count;
        for (int i = 0; i < _outcomes.Length; i++)
            _outcomes[i] += other._outcomes[i];
    }

    /// <summary>Why the outcomes cannot be trusted, or null.</summary>
    /// <param name="leastCompleted">The share of cases that should have completed, 0..1.</param>
    public string? Degenerate(double leastCompleted)
    {
        if (Cases < EnoughToJudge)
            return null;
        double completed = (double)_outcomes[Oracle.Outcome.Completed] / Cases;
        if (completed < leastCompleted)
            return $"only {completed:P1} of the cases completed, fewer than {leastCompleted:P0}: the harness is not executing what it thinks";
        if (Repeats > Cases / 4)
            return $"{Repeats} of {Cases} cases ended in the state of the case before: the worker is executing stale code or states";
        if (_outcomes.Count(o => o != 0) < 2)
            return "every case had the same outcome";
        return null;
    }

    /// <summary>The histogram as text.</summary>
    public string Histogram() => string.Join('\n', Outcomes.OrderByDescending(o => o.Value)
        .Select(o => $"  {CaseText.OutcomeName(o.Key),-22} {o.Value,14:N0} {(double)o.Value / Math.Max(1, Cases),8:P2}"));
}
