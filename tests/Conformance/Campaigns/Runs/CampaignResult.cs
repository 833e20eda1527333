using Hv.Conformance.Campaigns.Execution;

namespace Hv.Conformance.Campaigns.Runs;

/// <summary>What a campaign found; filled by several threads.</summary>
public sealed class CampaignResult
{
    private readonly Lock _gate = new();
    private readonly SortedDictionary<string, long> _cases = new(StringComparer.Ordinal);
    private readonly SortedDictionary<string, long> _differences = new(StringComparer.Ordinal);
    private readonly Dictionary<string, int> _kinds = [];
    private readonly List<Finding> _findings = [];
    private readonly List<CaseRunner> _runners = [];
    private readonly Dictionary<string, List<Finding>> _examples = new(StringComparer.Ordinal);

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

    /// <summary>Some cases of each kind of <see cref="Forms.VendorDifferences"/> that came up.</summary>
    public IReadOnlyDictionary<string, List<Finding>> Examples => _examples;

    /// <summary>Called for each finding as soon as there is one, before it is minimised, on the thread that has found it.</summary>
    public Action<Finding>? OnFound { get; set; }

    /// <summary>Names a thread's runner, for <see cref="Doing"/>.</summary>
    public void Attend(CaseRunner runner)
    {
        lock (_gate)
            _runners.Add(runner);
    }

    /// <summary>What each thread is doing, for a campaign that hangs.</summary>
    public string Doing()
    {
        lock (_gate)
            return string.Join("; ", _runners.Select(r => r.Doing()));
    }

    /// <summary>Tells of a finding that is not minimised yet.</summary>
    public void Report(Finding finding) => OnFound?.Invoke(finding);

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
    /// <param name="mnemonic">The instruction.</param>
    /// <param name="kind">What differs, as <see cref="Comparison.Kind"/> words it.</param>
    /// <param name="mostOfKind">The most findings of one instruction and kind.</param>
    /// <param name="mostKept">The most of one instruction.</param>
    public bool Note(string mnemonic, string kind, int mostOfKind, int mostKept)
    {
        lock (_gate)
        {
            _differences[mnemonic] = _differences.GetValueOrDefault(mnemonic) + 1;
            int ofKind = _kinds.GetValueOrDefault($"{mnemonic} {kind}"), kept = _kinds.GetValueOrDefault(mnemonic);
            if (ofKind >= mostOfKind || kept >= mostKept)
                return false;
            _kinds[$"{mnemonic} {kind}"] = ofKind + 1;
            _kinds[mnemonic] = kept + 1;
            return true;
        }
    }

    /// <summary>Whether a case on which makers differ should be kept as an example.</summary>
    public bool NoteExample(string what)
    {
        lock (_gate)
        {
            int count = _kinds.GetValueOrDefault(what) + 1;
            _kinds[what] = count;
            return count <= 3;
        }
    }

    /// <summary>Keeps an example.</summary>
    public void KeepExample(string what, Finding finding)
    {
        lock (_gate)
        {
            if (!_examples.TryGetValue(what, out List<Finding>? list))
                _examples[what] = list = [];
            list.Add(finding);
        }
    }

    /// <summary>Keeps a finding.</summary>
    public void Keep(Finding finding)
    {
        lock (_gate)
            _findings.Add(finding);
    }
}
