using System.Runtime.CompilerServices;
using Hv.Core.Exits;

namespace Hv.Core.Machine;

/// <summary>The life of one exit: run, look, count, answer. One for each vCPU; nothing here allocates.</summary>
[SkipLocalsInit]
internal sealed class RunLoop : IExitSink
{
    private readonly VirtualCpu _vcpu;
    private readonly ExitDispatcher _dispatcher;
    private readonly IExitObserver? _observer;
    private readonly object? _gate;

    // The vCPU's own: looked at at every exit, so not by way of the vCPU.
    private readonly ExitStatistics _statistics;
    private readonly InterruptQueue _interrupts;
    private RunSession? _session;
    private bool _goesOn;

    /// <summary>Makes a vCPU's loop.</summary>
    /// <param name="vcpu">The vCPU.</param>
    /// <param name="dispatcher">What answers its exits.</param>
    /// <param name="observer">Sees each exit first; null for none.</param>
    /// <param name="gate">Held while an exit is answered, so that handlers are called one at a time; null where one thread runs all vCPUs.</param>
    public RunLoop(VirtualCpu vcpu, ExitDispatcher dispatcher, IExitObserver? observer, object? gate)
    {
        _vcpu = vcpu;
        _dispatcher = dispatcher;
        _observer = observer;
        _gate = gate;
        _statistics = vcpu.Statistics;
        _interrupts = vcpu.Interrupts;
    }

    /// <summary>Runs the vCPU, which is prepared to, for at most <paramref name="budget"/> instructions.</summary>
    /// <param name="budget">At least 1.</param>
    /// <param name="session">The run; its end ends the slice.</param>
    /// <returns>Instructions retired, at most <paramref name="budget"/>; 0 where the backend cannot count.</returns>
    public long RunSlice(long budget, RunSession session)
    {
        IVcpu processor = _vcpu.Processor;
        ulong start = processor.InstructionsRetired;
        _vcpu.SliceStart = start;
        _session = session;
        processor.Sink = this;
        long left = budget;
        try
        {
            do
            {
                if (!_interrupts.IsEmpty)
                    _vcpu.DeliverInterrupt();
                _goesOn = true;
                processor.Run(left, out VmExit exit);
                if (exit.Reason != ExitReason.Answered)
                    OnExit(in exit);
                left = budget - (long)(processor.InstructionsRetired - start);
            }
            while (_goesOn && left > 0 && !session.IsStopped);
        }
        finally
        {
            processor.Sink = null;
        }

        _statistics.Instructions += budget - left;
        return budget - left;
    }

    /// <inheritdoc/>
    public bool OnExit(in VmExit exit)
    {
        _observer?.OnExit(_vcpu, in exit);
        _statistics.Count(exit.Reason);
        RunSession session = _session!;
        bool goesOn = _gate is null ? _dispatcher.Dispatch(_vcpu, in exit, session) : DispatchAlone(in exit, session);
        if (goesOn)
            return !session.IsStopped && _interrupts.IsEmpty;
        _goesOn = false;
        return false;
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private bool DispatchAlone(in VmExit exit, RunSession session)
    {
        lock (_gate!)
            return _dispatcher.Dispatch(_vcpu, in exit, session);
    }
}
