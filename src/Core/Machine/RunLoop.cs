using System.Runtime.CompilerServices;
using Hv.Core.Exits;

namespace Hv.Core.Machine;

/// <summary>The life of one exit: run, look, count, answer. Nothing here allocates.</summary>
[SkipLocalsInit]
internal sealed class RunLoop(ExitDispatcher dispatcher, IExitObserver? observer)
{
    /// <summary>Runs one vCPU for at most <paramref name="budget"/> instructions.</summary>
    /// <param name="vcpu">A vCPU that is prepared to run.</param>
    /// <param name="budget">At least 1.</param>
    /// <param name="session">The run; its end ends the slice.</param>
    /// <param name="gate">Held while an exit is answered, so that handlers are called one at a time; null where one thread runs all vCPUs.</param>
    /// <returns>Instructions retired, at most <paramref name="budget"/>; 0 where the backend cannot count.</returns>
    // Apart from the scheduler and without a lock of its own, so that what each exit uses stays in registers.
    [MethodImpl(MethodImplOptions.NoInlining)]
    public long RunSlice(VirtualCpu vcpu, long budget, RunSession session, object? gate)
    {
        IVcpu processor = vcpu.Processor;
        ulong start = processor.InstructionsRetired;
        vcpu.SliceStart = start;
        long used = 0;
        do
        {
            if (vcpu.HasInterrupts)
                vcpu.DeliverInterrupt();
            processor.Run(budget - used, out VmExit exit);
            observer?.OnExit(vcpu, in exit);
            vcpu.Statistics.Count(exit.Reason);
            bool goOn = gate is null ? dispatcher.Dispatch(vcpu, in exit, session) : DispatchAlone(gate, vcpu, in exit, session);
            used = (long)(processor.InstructionsRetired - start);
            if (!goOn)
                break;
        }
        while (used < budget && !session.IsStopped);
        vcpu.Statistics.Instructions += used;
        return used;
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private bool DispatchAlone(object gate, VirtualCpu vcpu, in VmExit exit, RunSession session)
    {
        lock (gate)
            return dispatcher.Dispatch(vcpu, in exit, session);
    }
}
