using System.Diagnostics;

namespace Hv.Conformance.Campaigns.Runs;

/// <summary>When a campaign ends, and what makes it repeatable.</summary>
/// <param name="Seed">The same seed gives the same cases.</param>
/// <param name="MostCases">The most cases made, to whole batches.</param>
/// <param name="Time">The most time.</param>
/// <param name="Threads">Threads, each with a worker process of its own.</param>
public sealed record CampaignLimits(ulong Seed, long MostCases, TimeSpan Time, int Threads)
{
    private readonly Stopwatch _clock = Stopwatch.StartNew();

    private volatile bool _stopped, _allGivenOut;
    private long _batch = -1;

    /// <summary>Whether the campaign was told to end before its limits.</summary>
    public bool IsStopped => _stopped;

    /// <summary>Time since the campaign began.</summary>
    public TimeSpan Elapsed => _clock.Elapsed;

    /// <summary>Ends the campaign after the batches that run now.</summary>
    public void Stop() => _stopped = true;

    /// <summary>Runs <paramref name="body"/> on each thread. One that fails ends the campaign for the others too.</summary>
    /// <exception cref="AggregateException">One has failed.</exception>
    public void OnThreads(Action body) => Parallel.For(0, Threads, new ParallelOptions { MaxDegreeOfParallelism = Threads }, _ =>
    {
        try
        {
            body();
        }
        catch
        {
            Stop();
            throw;
        }
    });

    /// <summary>Whether a limit is reached: no batch begins any more.</summary>
    public bool Reached => _stopped || _allGivenOut || _clock.Elapsed >= Time;

    /// <summary>Gives out the next batch, to any thread. How many there are follows from <see cref="MostCases"/> and not from how far the threads
    /// have come, so that any number of them runs the same cases.</summary>
    /// <param name="cases">The cases that each batch of this campaign makes, compared or not.</param>
    /// <param name="number">The batch's number, from 0.</param>
    /// <returns>Whether there is one.</returns>
    public bool TryBegin(int cases, out long number)
    {
        number = -1;
        if (Reached)
            return false;
        number = Interlocked.Increment(ref _batch);
        if (number < MostCases / cases + (MostCases % cases == 0 ? 0 : 1))
            return true;
        _allGivenOut = true;
        return false;
    }
}
