using Hv.Conformance.Campaigns.Execution;
using Hv.Conformance.Campaigns.Runs;

namespace Hv.Conformance.Campaigns.Reporting;

/// <summary>Tells of each finding as soon as there is one, as it was found and not minimised yet: on standard error and, where the run is to be kept, in
/// a file that a campaign which ends takes away again, its findings being kept by then.</summary>
public sealed class FindingJournal
{
    private readonly Lock _gate = new();
    private readonly string? _path;

    /// <summary>Listens to <paramref name="result"/>.</summary>
    /// <param name="result">The campaign's.</param>
    /// <param name="path">The file, which is begun anew; null for none.</param>
    public FindingJournal(CampaignResult result, string? path)
    {
        _path = path;
        Forget();
        result.OnFound = Tell;
    }

    /// <summary>Takes the file away.</summary>
    public void Forget()
    {
        if (_path is not null)
            File.Delete(_path);
    }

    private void Tell(Finding finding)
    {
        lock (_gate)
        {
            Console.Error.WriteLine($"found: {finding.Instruction}: {finding.Difference}\n  {finding.Line}");
            if (_path is not null)
                File.AppendAllLines(_path, finding.AsRecorded());
        }
    }
}
