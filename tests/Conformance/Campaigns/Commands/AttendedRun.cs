using System.Runtime.InteropServices;
using Hv.Conformance.Campaigns.Runs;
using Hv.Conformance.Oracle;

namespace Hv.Conformance.Campaigns.Commands;

/// <summary>Runs a campaign so that what it has found is not lost: a signal ends it early, a thread that does not come back is left behind, and an
/// exception in it is told. The results are the caller's to print in each case.</summary>
public static class AttendedRun
{
    private static readonly TimeSpan _look = TimeSpan.FromMilliseconds(100), _heartbeat = TimeSpan.FromSeconds(30);

    /// <summary>How long a campaign may go on after its end: batches and minimising take less.</summary>
    private static readonly TimeSpan _grace = TimeSpan.FromSeconds(60);

    /// <summary>Runs <paramref name="campaign"/> until it returns; Ctrl-C and SIGTERM bring its limits forward, and once more end the process.</summary>
    /// <returns>What went wrong, or null.</returns>
    public static string? Run(CampaignLimits limits, CampaignResult result, Action campaign) => Run(limits, result, campaign, _grace);

    /// <summary>The same with another grace.</summary>
    public static string? Run(CampaignLimits limits, CampaignResult result, Action campaign, TimeSpan grace)
    {
        void Stop(PosixSignalContext signal)
        {
            signal.Cancel = !limits.IsStopped;
            limits.Stop();
        }

        using PosixSignalRegistration interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, Stop);
        using PosixSignalRegistration terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, Stop);
        // A thread of its own: the campaign's threads may take all of the pool's.
        Task running = Task.Factory.StartNew(campaign, TaskCreationOptions.LongRunning);
        TimeSpan beat = limits.Elapsed, reached = TimeSpan.MaxValue;
        long casesBefore = -1;
        try
        {
            while (!running.Wait(_look))
            {
                TimeSpan now = limits.Elapsed;
                long cases = result.Tally.Cases;
                if (now - beat >= _heartbeat)
                {
                    beat = now;
                    Console.Error.WriteLine($"{now:hh\\:mm\\:ss} {cases:N0} cases, {result.Tally.Differences:N0} differences");
                    if (cases == casesBefore)
                        Console.Error.WriteLine($"no case has ended since; {result.Doing()}");
                    casesBefore = cases;
                }

                if (reached == TimeSpan.MaxValue && limits.Reached)
                    reached = now;
                if (reached != TimeSpan.MaxValue && now - reached >= grace)
                    return $"it did not come to its end within {grace.TotalSeconds:N0} s; {result.Doing()}";
            }

            return null;
        }
        catch (AggregateException e) when (e.Flatten().InnerExceptions.OfType<OracleFailedException>().FirstOrDefault() is { } failed)
        {
            return failed.Message;
        }
        catch (AggregateException e)
        {
            return $"a thread of it failed: {e.GetBaseException()}";
        }
    }
}
