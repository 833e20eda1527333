using Hv.Conformance.Campaigns.Execution;

namespace Hv.Conformance.Campaigns.Runs;

/// <summary>What a campaign found; filled by several threads.</summary>
public sealed class CampaignResult
{
    private readonly Lock _gate = new();
    private readonly SortedDictionary<string, long> _cases = new(StringComparer.Ordinal);
    private readonly SortedDictionary<string, long> _differences = new(StringComparer.Ordinal);
    private readonly List<Finding> _findings = [];

    /// <summary>All cases.</summary>
    public Tally Tally { get; } = new();

    /// <summary>Processor time that the worker processes used.</summary>
    public TimeSpan WorkerTime { get; private set; }

    /// <summary>Cases by mnemonic.</summary>
    public IReadOnlyDictionary<string, long> Cases => _cases;

    /// <summary>Differences by mnemonic.</summary>
    public IReadOnlyDictionary<string, long> Differences => _differences;

    /// <summary>The first findings of each mnemonic, minimised.</summary>
    public IReadOnlyList<Finding> Findings => _findings;

    /// <summary>Adds a batch's numbers.</summary>
    public void Add(Tally tally, IReadOnlyDictionary<string, long> cases)
    {
        lock (_gate)
        {
            Tally.Add(tally);
            foreach ((string name, long count) in cases)
                _cases[name] = _cases.GetValueOrDefault(name) + count;
        }
    }

    /// <summary>Adds a worker's processor time.</summary>
    public void Add(TimeSpan workerTime)
    {
        lock (_gate)
            WorkerTime += workerTime;
    }

    /// <summary>Counts a difference and says whether it should be minimised and kept.</summary>
    public bool Note(string mnemonic, int mostKept)
    {
        lock (_gate)
        {
            long count = _differences.GetValueOrDefault(mnemonic) + 1;
            _differences[mnemonic] = count;
            return count <= mostKept;
        }
    }

    /// <summary>Keeps a finding.</summary>
    public void Keep(Finding finding)
    {
        lock (_gate)
            _findings.Add(finding);
    }
}
