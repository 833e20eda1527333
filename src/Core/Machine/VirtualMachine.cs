using System.Diagnostics;
using Hv.Core.Memory;
using Hv.Core.Paravirt;

namespace Hv.Core.Machine;

/// <summary>
/// A guest: a backend's partition, its vCPUs and what answers their exits. Made by <see cref="VirtualMachineFactory"/>. One thread at a time uses
/// it; only
/// <see cref="RequestStop"/> and <see cref="VirtualCpu.QueueInterrupt"/> may come from another.
/// </summary>
public sealed class VirtualMachine : IDisposable
{
    private readonly IPartition _partition;
    private readonly VirtualCpu[] _vcpus;
    private readonly VirtualMachineOptions _options;
    private readonly RoundRobinScheduler _roundRobin;
    private readonly ThreadedScheduler? _threaded;
    private long _clockStart = Stopwatch.GetTimestamp();
    private ulong _clockOffset;
    private RunSession _session = new();
    private int _running;
    private int _runner;
    private bool _disposed;

    internal VirtualMachine(IBackend backend, GuestMemory memory, VirtualMachineOptions options, ExitDispatcher dispatcher, MachineLog log)
    {
        Backend = backend;
        Memory = memory;
        Log = log;
        _options = options;
        _partition = backend.CreatePartition(memory, new PartitionOptions
        {
            Cpuid = options.Cpuid,
            TscFrequency = options.TscFrequency,
            RandomSeed = options.RandomSeed,
        });
        _vcpus = new VirtualCpu[options.VcpuCount];
        for (int i = 0; i < _vcpus.Length; i++)
            _vcpus[i] = new VirtualCpu(this, _partition.CreateVcpu(i));
        // A single vCPU has the caller's thread for its own.
        bool isThreaded = backend.Capabilities.HasFlag(BackendCapabilities.ThreadPerVcpu) && _vcpus.Length > 1;
        object? gate = isThreaded ? new object() : null;
        RunLoop[] loops = [.. _vcpus.Select(v => new RunLoop(v, dispatcher, options.Observer, gate))];
        _roundRobin = new RoundRobinScheduler(_vcpus, loops, options.Quantum, backend.Capabilities.HasFlag(BackendCapabilities.Deterministic));
        if (isThreaded)
            _threaded = new ThreadedScheduler(_vcpus, loops);
    }

    /// <summary>What runs the guest.</summary>
    public IBackend Backend { get; }

    /// <summary>The guest's memory. The machine does not own it.</summary>
    public GuestMemory Memory { get; }

    /// <summary>The vCPUs, by index.</summary>
    public IReadOnlyList<VirtualCpu> Vcpus => _vcpus;

    /// <summary>The sum of the vCPUs' counters, taken now.</summary>
    public ExitStatistics Statistics
    {
        get
        {
            var sum = new ExitStatistics();
            foreach (VirtualCpu vcpu in _vcpus)
                sum.Add(vcpu.Statistics);
            return sum;
        }
    }

    internal MachineLog Log { get; }

    /// <summary>
    /// Runs the guest until something stops it. After <see cref="StopReason.UserExit"/>, a limit or a cancellation it can run on. A vCPU with a
    /// pending hypercall
    /// does not run until it is completed; the others do.
    /// </summary>
    /// <exception cref="InvalidOperationException">It runs already.</exception>
    /// <exception cref="HvException">The host failed.</exception>
    public StopInfo Run(in RunLimits limits, CancellationToken cancel = default)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        Enter();
        try
        {
            RunSession session = _session;
            using CancellationTokenRegistration registration = cancel.UnsafeRegister(
                _ => StopFromOutside(session, new StopInfo { Reason = StopReason.Cancelled, VcpuIndex = -1 }), null);
            using RunTimer? timer = limits.HasTimeout
                ? new RunTimer(limits.Timeout, () => StopFromOutside(session, new StopInfo { Reason = StopReason.TimeLimit, VcpuIndex = -1 }))
                : null;
            if (_threaded is not null)
                _threaded.Run(limits.InstructionBudget, session);
            else
                _roundRobin.Run(limits.InstructionBudget, session);
            return session.Info;
        }
        finally
        {
            _session = new RunSession();
            Leave();
        }
    }

    /// <summary>Ends the present run, or the next one at once, with <see cref="StopReason.Exited"/> and this code. For handlers, and from any
    /// thread.</summary>
    public void RequestStop(int code) => StopFromOutside(_session, new StopInfo { Reason = StopReason.Exited, VcpuIndex = -1, ExitCode = code });

    /// <summary>Copies the whole machine. It must not run.</summary>
    public MachineSnapshot Save()
    {
        Enter();
        try
        {
            VcpuSnapshot[] vcpus = [.. _vcpus.Select(v => v.Save())];
            return new MachineSnapshot(MemorySnapshot.Of(Memory), vcpus, _roundRobin.Current, _roundRobin.QuantumLeft, NanosecondsNow(null));
        }
        finally
        {
            Leave();
        }
    }

    /// <summary>Makes this machine what the saved one was, on whatever backend this one has: registered stubs get this backend's exit
    /// instruction.</summary>
    /// <returns>What became of each registered vCPU's stub.</returns>
    /// <exception cref="ArgumentException">The snapshot has other memory slots or another number of vCPUs.</exception>
    public IReadOnlyList<StubRestoration> Restore(MachineSnapshot snapshot)
    {
        if (snapshot.Vcpus.Count != _vcpus.Length)
            throw new ArgumentException($"the snapshot has {snapshot.Vcpus.Count} vCPUs, the machine {_vcpus.Length}", nameof(snapshot));
        Enter();
        try
        {
            snapshot.Memory.CopyTo(Memory);
            for (int i = 0; i < _vcpus.Length; i++)
                _vcpus[i].Restore(snapshot.Vcpus[i]);
            _roundRobin.Current = snapshot.Current;
            _roundRobin.QuantumLeft = snapshot.QuantumLeft;
            _clockOffset = 0;
            _clockStart = Stopwatch.GetTimestamp();
            _clockOffset = snapshot.Nanoseconds - (_options.Clock == GuestClock.Instructions ? RetiredNow(null) : 0);
            return StubMigration.Apply(this);
        }
        finally
        {
            Leave();
        }
    }

    /// <summary>Resets every vCPU (<see cref="VirtualCpu.Reset"/>). Memory is left alone, as by a warm reset; the clock goes on.</summary>
    public void Reset()
    {
        foreach (VirtualCpu vcpu in _vcpus)
            vcpu.Reset();
    }

    /// <summary>Frees the backend's part. The memory is left to its owner.</summary>
    public void Dispose()
    {
        if (_disposed)
            return;
        _disposed = true;
        foreach (VirtualCpu vcpu in _vcpus)
            vcpu.Processor.Dispose();
        _partition.Dispose();
    }

    /// <summary>A patch in force at <paramref name="stub"/>, by whichever vCPU.</summary>
    internal PatchedStub? FindStub(Gpa stub)
    {
        foreach (VirtualCpu vcpu in _vcpus)
        {
            if (vcpu.Registration is { } registration && registration.Stub.Address == stub)
                return registration.Stub;
        }

        return null;
    }

    /// <summary>The guest's clock, in ns.</summary>
    /// <param name="running">The vCPU whose exit is being handled, or null while none runs.</param>
    internal ulong NanosecondsNow(VirtualCpu? running) => _clockOffset + (_options.Clock == GuestClock.Instructions
        ? RetiredNow(running)
        : (ulong)Stopwatch.GetElapsedTime(_clockStart).Ticks * 100);

    /// <summary>Makes a vCPU that waits see new work.</summary>
    internal void Wake(VirtualCpu vcpu) => _threaded?.Wake(vcpu);

    private ulong RetiredNow(VirtualCpu? running)
    {
        ulong sum = running is null ? 0 : running.Processor.InstructionsRetired - running.SliceStart;
        foreach (VirtualCpu vcpu in _vcpus)
            sum += (ulong)vcpu.Statistics.Instructions;
        return sum;
    }

    private void StopFromOutside(RunSession session, in StopInfo info)
    {
        session.Stop(info);
        // A handler's own vCPU sees the end of the run at its next exit; a kick would only show up as an exit of the next run.
        if (Volatile.Read(ref _runner) == Environment.CurrentManagedThreadId)
            return;
        foreach (VirtualCpu vcpu in _vcpus)
            vcpu.Processor.RequestExit();
        _threaded?.WakeAll();
    }

    /// <summary>Claims the machine for one operation.</summary>
    /// <exception cref="InvalidOperationException">It runs.</exception>
    internal void Enter()
    {
        if (Interlocked.Exchange(ref _running, 1) != 0)
            throw new InvalidOperationException("the machine is running; stop it first");
        Volatile.Write(ref _runner, Environment.CurrentManagedThreadId);
    }

    internal void Leave()
    {
        Volatile.Write(ref _runner, 0);
        Volatile.Write(ref _running, 0);
    }
}
