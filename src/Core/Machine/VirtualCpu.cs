using Hv.Core.Hypercalls;
using Hv.Core.Paravirt;
using Hv.Core.Registers;

namespace Hv.Core.Machine;

/// <summary>What the machine does with a vCPU.</summary>
public enum VcpuActivity : byte
{
    /// <summary>It runs when its turn comes.</summary>
    Running,

    /// <summary>It executed HLT and waits for an interrupt.</summary>
    Halted,

    /// <summary>It waits for another vCPU, or the host, to start it.</summary>
    WaitForStart,

    /// <summary>It shut down, and stays so until a reset.</summary>
    Shutdown,
}

/// <summary>
/// One vCPU of a machine: the backend's processor with what the core keeps for it. Use it while the machine does not run, or from a handler that it
/// called;
/// <see cref="QueueInterrupt"/> may come from any thread.
/// </summary>
public sealed class VirtualCpu
{
    private readonly InterruptQueue _interrupts = new();
    private VcpuState? _startState;
    private PendingHypercall? _pending;
    private ulong _lastCall;
    private ulong _lostCall;

    internal VirtualCpu(VirtualMachine machine, IVcpu processor)
    {
        Machine = machine;
        Processor = processor;
        Index = processor.Index;
        Activity = InitialActivity;
    }

    /// <summary>Its machine.</summary>
    public VirtualMachine Machine { get; }

    /// <summary>Its index in the machine, from 0.</summary>
    public int Index { get; }

    /// <summary>The backend's processor. Only the machine calls its <c>Run</c> and <c>Complete</c>.</summary>
    public IVcpu Processor { get; }

    /// <summary>What the machine does with it.</summary>
    public VcpuActivity Activity { get; internal set; }

    /// <summary>Its registration with the 2007 interface, or null.</summary>
    public ParaRegistration? Registration { get; internal set; }

    /// <summary>The hypercall that waits for its result from user level, or null. While there is one the vCPU does not run.</summary>
    public PendingHypercall? Pending => _pending;

    /// <summary>Its counters.</summary>
    public ExitStatistics Statistics { get; } = new();

    /// <summary>Gives the result of <see cref="Pending"/>: RAX is written (outside long mode its low 32 bits, zero-extended) and the vCPU can run
    /// on.</summary>
    public CompletionOutcome CompleteHypercall(ulong result)
    {
        if (_pending is { } call)
            return CompleteHypercall(call.Id, result);
        return _lostCall == _lastCall && _lostCall != 0 ? CompletionOutcome.VcpuWasReset : CompletionOutcome.NotPending;
    }

    /// <summary>As <see cref="CompleteHypercall(ulong)"/>, for one call: a late answer cannot reach the call after it.</summary>
    /// <param name="id">The call's <see cref="PendingHypercall.Id"/>.</param>
    /// <param name="result">The result.</param>
    public CompletionOutcome CompleteHypercall(ulong id, ulong result)
    {
        if (_pending is not { } call || call.Id != id)
            return id == _lostCall && id != 0 ? CompletionOutcome.VcpuWasReset : CompletionOutcome.NotPending;
        Processor.Registers.Rax = call.Arguments.Fit(result);
        _pending = null;
        return CompletionOutcome.Completed;
    }

    /// <summary>Loads a state and makes the vCPU run with it when its turn comes, whatever it did before. A pending hypercall is ended as by a reset;
    /// the registration stays.</summary>
    /// <exception cref="InvalidOperationException">The machine runs.</exception>
    public void Start(VcpuState state)
    {
        Machine.Enter();
        try
        {
            Processor.LoadState(state);
            LosePending();
            _startState = null;
            Activity = VcpuActivity.Running;
        }
        finally
        {
            Machine.Leave();
        }
    }

    /// <summary>For another vCPU's use: starts a vCPU that waits for it, with this state, when its turn comes. False when it does not wait.</summary>
    public bool TryStart(VcpuState state)
    {
        if (Activity != VcpuActivity.WaitForStart || Interlocked.CompareExchange(ref _startState, state, null) is not null)
            return false;
        Machine.Wake(this);
        return true;
    }

    /// <summary>Queues an external interrupt (32..255; lower vectors are exceptions). Delivered as soon as the guest can take it; wakes a halted
    /// vCPU.
    /// May be called from any thread.</summary>
    public void QueueInterrupt(byte vector)
    {
        _interrupts.Add(vector);
        Machine.Wake(this);
        Processor.RequestExit();
    }

    /// <summary>The state after RESET: the registration is dropped (the stub's bytes stay: they are the guest's memory), a pending hypercall is
    /// ended, waiting
    /// interrupts are gone. Memory is left alone. vCPU 0 runs again, another one waits to be started.</summary>
    /// <exception cref="InvalidOperationException">The machine runs.</exception>
    public void Reset()
    {
        Machine.Enter();
        try
        {
            Processor.Reset();
            Registration = null;
            LosePending();
            _interrupts.Clear();
            _startState = null;
            Activity = InitialActivity;
        }
        finally
        {
            Machine.Leave();
        }
    }

    /// <summary>Forgets the registration, as a reset does, with the processor left alone.</summary>
    /// <param name="revertStub">Whether the guest's own bytes go back where the stub is. Leave it off while another vCPU uses the stub.</param>
    /// <returns>What became of the stub; null when there was no registration or the stub stays.</returns>
    public StubOutcome? DropRegistration(bool revertStub)
    {
        ParaRegistration? dropped = Registration;
        Registration = null;
        return revertStub && dropped is { } registration ? StubPatcher.Revert(Machine.Memory, registration.Stub) : null;
    }

    /// <summary>Gives back a registration that was saved from this vCPU or from one of another backend; the guest's memory must be back already. The
    /// stub gets
    /// this backend's exit instruction (docs/adr/0013-stub-room.md).</summary>
    /// <returns>What became of the stub; the vCPU is registered in any case.</returns>
    /// <exception cref="InvalidOperationException">The machine runs.</exception>
    public StubOutcome RestoreRegistration(in ParaRegistration saved)
    {
        Machine.Enter();
        try
        {
            return StubMigration.Apply(this, in saved);
        }
        finally
        {
            Machine.Leave();
        }
    }

    private VcpuActivity InitialActivity => Index == 0 ? VcpuActivity.Running : VcpuActivity.WaitForStart;

    /// <summary>Whether it can run now. Applies a start and delivers an interrupt where either waits.</summary>
    internal bool Prepare()
    {
        if (_pending is not null || Activity == VcpuActivity.Shutdown)
            return false;
        if (_startState is { } state)
        {
            Processor.LoadState(state);
            Activity = VcpuActivity.Running;
            Volatile.Write(ref _startState, null);
        }

        if (Activity is VcpuActivity.Running or VcpuActivity.Halted && !_interrupts.IsEmpty)
            DeliverInterrupt();
        return Activity == VcpuActivity.Running;
    }

    /// <summary>What <see cref="IVcpu.InstructionsRetired"/> was when its slice began.</summary>
    internal ulong SliceStart { get; set; }

    /// <summary>External interrupts that wait.</summary>
    internal InterruptQueue Interrupts => _interrupts;

    /// <summary>Delivers the highest waiting interrupt, or asks to be told when the guest can take it.</summary>
    internal void DeliverInterrupt()
    {
        int vector = _interrupts.Highest();
        if (vector < 0)
            return;
        if (Processor.TryInterrupt((byte)vector))
        {
            _interrupts.Remove((byte)vector);
            Activity = VcpuActivity.Running;
        }

        Processor.RequestInterruptWindow(!_interrupts.IsEmpty);
    }

    /// <summary>Holds the vCPU until the hypercall is completed. The exit instruction has retired.</summary>
    internal void Suspend(in HypercallArguments arguments) => _pending = new PendingHypercall(++_lastCall, arguments);

    internal VcpuSnapshot Save()
    {
        var state = new VcpuState();
        Processor.SaveState(state);
        return new VcpuSnapshot(state, Activity, Registration, _pending, _startState, _interrupts.Save());
    }

    internal void Restore(VcpuSnapshot saved)
    {
        Processor.LoadState(saved.State);
        Activity = saved.Activity;
        Registration = saved.Registration;
        if (_pending?.Id != saved.Pending?.Id)
            LosePending();
        _pending = saved.Pending;
        _lastCall = Math.Max(_lastCall, saved.Pending?.Id ?? 0);
        _startState = saved.StartState;
        _interrupts.Load(saved.Interrupts);
    }

    private void LosePending()
    {
        if (_pending is { } call)
            _lostCall = call.Id;
        _pending = null;
    }
}
