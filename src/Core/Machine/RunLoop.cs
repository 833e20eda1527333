using System.Runtime.CompilerServices;
using Hv.Core.Exits;

namespace Hv.Core.Machine;

/// <summary>The life of one exit: run, look, count, answer. Nothing here allocates.</summary>
[SkipLocalsInit]
internal sealed class RunLoop(ExitDispatcher dispatcher, IExitObserver? observer)
{
    /// <summary>Runs one vCPU for at most <paramref name="budget"/> instructions, where one thread runs all vCPUs.</summary>
    /// <param name="vcpu">A vCPU that is prepared to run.</param>
    /// <param name="budget">At least 1.</param>
    /// <param name="session">The run; its end ends the slice.</param>
    /// <returns>Instructions retired, at most <paramref name="budget"/>; 0 where the backend cannot count.</returns>
    public long RunSlice(VirtualCpu vcpu, long budget, RunSession session) => Run(vcpu, budget, session, default(Ungated));

    /// <summary>As <see cref="RunSlice(VirtualCpu, long, RunSession)"/>, where each vCPU has a thread: <paramref name="gate"/> is held while an exit
    /// is answered, so that handlers are called one at a time.</summary>
    public long RunSlice(VirtualCpu vcpu, long budget, RunSession session, object gate) => Run(vcpu, budget, session, new Gated(gate));

    // Apart from the scheduler and without a lock of its own, so that what each exit uses stays in registers.
    [MethodImpl(MethodImplOptions.NoInlining)]
    private long Run<TGate>(VirtualCpu vcpu, long budget, RunSession session, TGate gate) where TGate : struct, IGate
    {
        IVcpu processor = vcpu.Processor;
        ulong start = processor.InstructionsRetired;
        vcpu.SliceStart = start;
        long left = budget;
        do
        {
            if (vcpu.HasInterrupts)
                vcpu.DeliverInterrupt();
            processor.Run(left, out VmExit exit);
            observer?.OnExit(vcpu, in exit);
            vcpu.Statistics.Count(exit.Reason);
            bool goOn = gate.Dispatch(dispatcher, vcpu, in exit, session);
            left = budget - (long)(processor.InstructionsRetired - start);
            if (!goOn)
                break;
        }
        while (left > 0 && !session.IsStopped);
        vcpu.Statistics.Instructions += budget - left;
        return budget - left;
    }

    /// <summary>What stands between an exit and its answer.</summary>
    private interface IGate
    {
        bool Dispatch(ExitDispatcher dispatcher, VirtualCpu vcpu, in VmExit exit, RunSession session);
    }

    private readonly struct Ungated : IGate
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public bool Dispatch(ExitDispatcher dispatcher, VirtualCpu vcpu, in VmExit exit, RunSession session) =>
            dispatcher.Dispatch(vcpu, in exit, session);
    }

    private readonly struct Gated(object gate) : IGate
    {
        public bool Dispatch(ExitDispatcher dispatcher, VirtualCpu vcpu, in VmExit exit, RunSession session)
        {
            lock (gate)
                return dispatcher.Dispatch(vcpu, in exit, session);
        }
    }
}
