using System.Diagnostics;

namespace Hv.Conformance.Campaigns.Runs;

/// <summary>When a campaign ends, and what makes it repeatable.</summary>
/// <param name="Seed">The same seed gives the same cases.</param>
/// <param name="MostCases">The most cases.</param>
/// <param name="Time">The most time.</param>
/// <param name="Threads">Threads, each with a worker process of its own.</param>
public sealed record CampaignLimits(ulong Seed, long MostCases, TimeSpan Time, int Threads)
{
    private readonly Stopwatch _clock = Stopwatch.StartNew();

    private volatile bool _stopped;

    /// <summary>Whether the campaign was told to end before its limits.</summary>
    public bool IsStopped => _stopped;

    /// <summary>Time since the campaign began.</summary>
    public TimeSpan Elapsed => _clock.Elapsed;

    /// <summary>Ends the campaign after the batches that run now.</summary>
    public void Stop() => _stopped = true;

    /// <summary>Whether a limit is reached.</summary>
    public bool Reached(long cases) => _stopped || cases >= MostCases || _clock.Elapsed >= Time;
}
