namespace Hv.Core.Machine;

/// <summary>Calls back once, unless disposed before; after <see cref="Dispose"/> no call is under way, so that the machine may be freed.</summary>
internal sealed class RunTimer : IDisposable
{
    private static readonly TimeSpan Longest = TimeSpan.FromMilliseconds(uint.MaxValue - 1);

    private readonly Timer _timer;

    public RunTimer(TimeSpan after, Action callback) =>
        _timer = new Timer(_ => callback(), null, after < Longest ? after : Longest, Timeout.InfiniteTimeSpan);

    public void Dispose()
    {
        using var done = new ManualResetEvent(false);
        if (_timer.Dispose(done))
            done.WaitOne();
    }
}
