using System.Runtime.ExceptionServices;
using Microsoft.Extensions.Hosting;

namespace Hv.Host.Running;

/// <summary>What the hosted service leaves behind for the process to exit with.</summary>
internal sealed class RunOutcome
{
    private ExceptionDispatchInfo? _failure;
    private int _code = (int)ExitCode.Interrupted;

    /// <summary>The guest's run is over.</summary>
    public void Complete(int code) => _code = code;

    /// <summary>The guest's run failed.</summary>
    public void Fail(Exception failure) => _failure = ExceptionDispatchInfo.Capture(failure);

    /// <summary>The exit code; rethrows the failure if there was one.</summary>
    public int Get()
    {
        _failure?.Throw();
        return _code;
    }
}

/// <summary>The hosted service: runs the guest on a thread of its own and then stops the host. Ctrl-C and SIGTERM stop the host, and with it the
/// guest.</summary>
internal sealed class GuestService : BackgroundService
{
    private readonly GuestRunner _runner;
    private readonly RunOutcome _outcome;
    private readonly IHostApplicationLifetime _lifetime;

    public GuestService(GuestRunner runner, RunOutcome outcome, IHostApplicationLifetime lifetime)
    {
        _runner = runner;
        _outcome = outcome;
        _lifetime = lifetime;
    }

    /// <inheritdoc/>
    protected override Task ExecuteAsync(CancellationToken stoppingToken) =>
        Task.Factory.StartNew(Run, CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);

    private void Run()
    {
        try
        {
            _outcome.Complete(_runner.Run(_lifetime.ApplicationStopping));
        }
        catch (Exception e)
        {
            // Nothing above this frame can report it better: the process's main method prints the one line.
            _outcome.Fail(e);
        }

        _lifetime.StopApplication();
    }
}
