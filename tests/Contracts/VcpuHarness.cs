using Hv.Contracts.Guests;
using Hv.Core;
using Hv.Core.Cpuid;
using Hv.Core.Exits;
using Hv.Core.Memory;
using Hv.Core.Registers;
using Xunit;

namespace Hv.Contracts;

/// <summary>One vCPU of a backend with a guest in it, and a watchdog: a run that takes longer than <see cref="Watchdog"/> is stopped and
/// fails.</summary>
public sealed class VcpuHarness : IDisposable
{
    /// <summary>The longest that one run may take.</summary>
    public static readonly TimeSpan Watchdog = TimeSpan.FromSeconds(20);

    /// <summary>Instructions that a run may retire unless its test says otherwise.</summary>
    public const long UsualBudget = 1_000_000;

    private readonly IPartition _partition;

    public VcpuHarness(IBackend backend, GuestImage image, CpuidTable? cpuid = null)
    {
        Memory = image.CreateMemory();
        _partition = backend.CreatePartition(Memory, new PartitionOptions { Cpuid = cpuid ?? CpuidOfTests });
        Vcpu = _partition.CreateVcpu(0);
        var state = new VcpuState();
        Vcpu.SaveState(state);
        image.ApplyEntry(state);
        Vcpu.LoadState(state);
    }

    /// <summary>A table for vCPUs without a machine: what the guests of these tests need to exist.</summary>
    public static CpuidTable CpuidOfTests => CpuidTables.Default;

    public GuestMemory Memory { get; }

    public IVcpu Vcpu { get; }

    /// <summary>See <see cref="BackendUnderTest.HostCannot"/>.</summary>
    public Func<string, string?>? HostCannot { get; init; }

    public ref GeneralRegisters Registers => ref Vcpu.Registers;

    public IReadOnlyList<ExceptionRecord> Exceptions => ExceptionHandlers.ReadLog(Memory);

    /// <summary>Runs to the next exit.</summary>
    public VmExit Run(long budget = UsualBudget)
    {
        bool timedOut = false;
        VmExit exit;
        using (var timer = new Timer(_ => { timedOut = true; Vcpu.RequestExit(); }, null, Watchdog, Timeout.InfiniteTimeSpan))
            Vcpu.Run(budget, out exit);
        Assert.False(timedOut, $"the guest did not exit within {Watchdog.TotalSeconds} s; RIP {Vcpu.Registers.Rip:x}");
        if (Vcpu.LastFailure is { } failure && HostCannot?.Invoke(failure) is { } reason)
            Assert.Skip(reason);
        return exit;
    }

    /// <summary>Runs to an exit that must have this reason.</summary>
    public VmExit Expect(ExitReason reason, long budget = UsualBudget)
    {
        VmExit exit = Run(budget);
        Assert.True(exit.Reason == reason,
            $"expected {reason}, got {exit.Reason} at RIP {exit.Rip:x} ({Vcpu.LastFailure}); exceptions: {string.Join("; ", Exceptions)}");
        return exit;
    }

    /// <summary>Runs to the guest's <see cref="GuestCode.Done"/>, with no exit before it.</summary>
    public void RunToEnd() => Expect(ExitReason.Halt);

    /// <summary>Answers the last exit.</summary>
    public void Complete(ExitCompletion completion) => Vcpu.Complete(completion);

    /// <summary>What the guest stored into a result slot.</summary>
    public ulong Result(int slot) => Read<ulong>(GuestLayout.Results + (ulong)slot * 8);

    public T Read<T>(ulong address) where T : unmanaged
    {
        Assert.True(Memory.TryRead(new Gpa(address), out T value));
        return value;
    }

    /// <summary>All state, as a snapshot would have it.</summary>
    public VcpuState Save()
    {
        var state = new VcpuState();
        Vcpu.SaveState(state);
        return state;
    }

    public void Dispose()
    {
        Vcpu.Dispose();
        _partition.Dispose();
        Memory.Dispose();
    }
}
