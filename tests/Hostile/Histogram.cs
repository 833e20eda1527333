namespace Hv.Hostile;

/// <summary>How the cases ended: counts by kind and outcome. A campaign whose cases all end alike tests nothing, so that is a failure too.</summary>
internal sealed class Histogram
{
    /// <summary>Cases of a kind below which its spread is not judged.</summary>
    public const int LeastCases = 50;

    private const int LeastOutcomes = 3;
    private const double LargestShare = 0.95;

    private readonly SortedDictionary<string, SortedDictionary<string, int>> _counts = new(StringComparer.Ordinal);

    public int Total { get; private set; }

    public void Add(string kind, string outcome)
    {
        if (!_counts.TryGetValue(kind, out SortedDictionary<string, int>? outcomes))
            _counts[kind] = outcomes = new(StringComparer.Ordinal);
        outcomes[outcome] = outcomes.GetValueOrDefault(outcome) + 1;
        Total++;
    }

    /// <summary>One line for each kind whose outcomes are too much alike.</summary>
    public IReadOnlyList<string> Degenerate()
    {
        var found = new List<string>();
        foreach ((string kind, SortedDictionary<string, int> outcomes) in _counts)
        {
            int total = outcomes.Values.Sum();
            if (total < LeastCases)
                continue;
            (string most, int count) = outcomes.MaxBy(o => o.Value);
            if (outcomes.Count < LeastOutcomes || count > LargestShare * total)
                found.Add($"{kind}: {count} of {total} cases ended as \"{most}\", {outcomes.Count} outcomes in all: the generator has degenerated");
        }

        return found;
    }

    public void Print(TextWriter output)
    {
        foreach ((string kind, SortedDictionary<string, int> outcomes) in _counts)
        {
            int total = outcomes.Values.Sum();
            output.WriteLine($"{kind}: {total} cases");
            foreach ((string outcome, int count) in outcomes.OrderByDescending(o => o.Value))
                output.WriteLine($"  {count,8} {100.0 * count / total,5:F1}%  {outcome}");
        }
    }
}
