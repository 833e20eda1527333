namespace Hv.Core.Machine;

/// <summary>One run of a machine: the first stop wins, from whichever thread it comes.</summary>
internal sealed class RunSession
{
    private StopInfo _info;
    private int _claimed;
    private bool _stopped;

    /// <summary>Whether the run is over: vCPUs look at this between two exits.</summary>
    public bool IsStopped => Volatile.Read(ref _stopped);

    /// <summary>Why; valid once <see cref="IsStopped"/>.</summary>
    public StopInfo Info => _info;

    /// <summary>Ends the run, unless something else did.</summary>
    public void Stop(in StopInfo info)
    {
        if (Interlocked.Exchange(ref _claimed, 1) != 0)
            return;
        _info = info;
        Volatile.Write(ref _stopped, true);
    }
}
