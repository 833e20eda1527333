using System.Diagnostics;
using Hv.Core.Cpuid;
using Hv.Core.Exits;
using Hv.Core.Machine;
using Hv.Core.Tests.Fakes;

namespace Hv.Core.Tests.Machine;

/// <summary>Why and when a machine stops.</summary>
public sealed class RunTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public void Hlt_with_nothing_to_wake_it_stops_the_machine()
    {
        using var guest = new Guest();

        StopInfo stop = guest.Play(new Step(10));

        Assert.Equal(StopReason.AllHalted, stop.Reason);
        Assert.Equal(-1, stop.VcpuIndex);
        Assert.Equal(11, guest.Machine.Statistics.Instructions);
        Assert.Equal(1, guest.Machine.Statistics[ExitReason.Halt]);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(64)]
    public void Waiting_vcpus_do_not_keep_a_machine_alive(int vcpus)
    {
        using var guest = new Guest(new VirtualMachineOptions { VcpuCount = vcpus });

        Assert.Equal(StopReason.AllHalted, guest.Play().Reason);
        Assert.Equal(1, guest.Machine.Statistics.Total);
    }

    [Fact]
    public void A_shutdown_of_one_vcpu_stops_the_machine_for_good()
    {
        using var guest = new Guest(new VirtualMachineOptions { VcpuCount = 2 });
        guest.Machine.Vcpus[1].Activity = VcpuActivity.Running;
        guest.FakeOf(1).Play(new Step(10), Script.Plain(ExitReason.Shutdown));

        StopInfo stop = guest.Play(Script.Spin);

        Assert.Equal(StopReason.GuestShutdown, stop.Reason);
        Assert.Equal(1, stop.VcpuIndex);
        Assert.Equal(ExitReason.Shutdown, stop.Exit.Reason);
        Assert.Equal(VcpuActivity.Shutdown, guest.Machine.Vcpus[1].Activity);
        guest.Machine.Reset();
        Assert.Equal(VcpuActivity.WaitForStart, guest.Machine.Vcpus[1].Activity);
    }

    [Theory]
    [InlineData(ExitReason.EntryFailed, StopReason.EntryFailed, "field X breaks rule Y")]
    [InlineData(ExitReason.InternalError, StopReason.InternalError, "field X breaks rule Y")]
    [InlineData(ExitReason.Unknown, StopReason.UnhandledExit, "fake exit 77")]
    public void A_backends_failure_is_a_value_with_its_words(ExitReason exit, StopReason reason, string message)
    {
        using var guest = new Guest();

        StopInfo stop = guest.Play(Script.Plain(exit, 77));

        Assert.Equal(reason, stop.Reason);
        Assert.Equal(message, stop.Message);
        Assert.Equal(0, stop.VcpuIndex);
        Assert.Equal(77ul, stop.Exit.Raw.Code);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(99)]
    [InlineData(100_001)]
    public void The_instruction_limit_is_exact(long limit)
    {
        using var guest = new Guest();
        guest.Fake.Play(new Step(7, Script.Out(1, 1, 1).Exit, JumpTo: 0));

        StopInfo stop = guest.Machine.Run(new RunLimits(limit), Token);

        Assert.Equal(StopReason.InstructionLimit, stop.Reason);
        Assert.Equal((ulong)limit, guest.Fake.InstructionsRetired);
        Assert.Equal(limit, guest.Machine.Statistics.Instructions);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(1001)]
    public void The_instruction_limit_is_exact_over_several_vcpus(long limit)
    {
        using var guest = new Guest(new VirtualMachineOptions { VcpuCount = 3, Quantum = 10 });
        for (int i = 0; i < 3; i++)
        {
            guest.Machine.Vcpus[i].Activity = VcpuActivity.Running;
            guest.FakeOf(i).Play(Script.Spin);
        }

        Assert.Equal(StopReason.InstructionLimit, guest.Machine.Run(new RunLimits(limit), Token).Reason);

        Assert.Equal(limit, guest.Machine.Vcpus.Sum(v => (long)v.Processor.InstructionsRetired));
    }

    [Fact]
    public void A_limit_of_0_is_none()
    {
        using var guest = new Guest();
        guest.Fake.Play(new Step(100));

        Assert.Equal(StopReason.AllHalted, guest.Machine.Run(RunLimits.None, Token).Reason);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public void The_time_limit_holds_for_a_guest_that_never_exits(int vcpus)
    {
        using var guest = new Guest(new VirtualMachineOptions { VcpuCount = vcpus });
        guest.Fake.Play(Script.Spin);
        long start = Stopwatch.GetTimestamp();

        StopInfo stop = guest.Machine.Run(new RunLimits(Timeout: TimeSpan.FromMilliseconds(50)), Token);

        Assert.Equal(StopReason.TimeLimit, stop.Reason);
        Assert.InRange(Stopwatch.GetElapsedTime(start).TotalMilliseconds, 45, 10_000);
    }

    [Fact]
    public void The_time_limit_holds_for_a_guest_that_only_exits()
    {
        using var guest = new Guest();
        guest.Fake.Play(new Step(0, Script.Out(1, 1, 1).Exit, JumpTo: 0));

        Assert.Equal(StopReason.TimeLimit, guest.Machine.Run(new RunLimits(Timeout: TimeSpan.FromMilliseconds(20)), Token).Reason);
    }

    [Fact]
    public void A_very_long_time_limit_is_no_error()
    {
        using var guest = new Guest();

        Assert.Equal(StopReason.AllHalted, guest.Machine.Run(new RunLimits(Timeout: TimeSpan.MaxValue), Token).Reason);
    }

    [Fact]
    public async Task Cancellation_stops_a_guest_that_never_exits()
    {
        using var guest = new Guest();
        guest.Fake.Play(Script.Spin);
        using var source = new CancellationTokenSource();
        Task<StopInfo> run = Task.Run(() => guest.Machine.Run(default, source.Token), Token);
        await Task.Delay(20, Token);

        await source.CancelAsync();

        Assert.Equal(StopReason.Cancelled, (await run).Reason);
    }

    [Fact]
    public void A_token_cancelled_before_stops_at_once()
    {
        using var guest = new Guest();
        guest.Fake.Play(Script.Spin);

        Assert.Equal(StopReason.Cancelled, guest.Machine.Run(default, new CancellationToken(true)).Reason);
        Assert.Equal(0ul, guest.Fake.InstructionsRetired);
    }

    [Fact]
    public async Task A_stop_requested_from_another_thread_stops_the_run()
    {
        using var guest = new Guest();
        guest.Fake.Play(Script.Spin);
        Task<StopInfo> run = Task.Run(() => guest.Machine.Run(default, Token), Token);
        await Task.Delay(20, Token);

        guest.Machine.RequestStop(5);

        StopInfo stop = await run;
        Assert.Equal(StopReason.Exited, stop.Reason);
        Assert.Equal(5, stop.ExitCode);
    }

    [Fact]
    public void A_stop_requested_before_a_run_ends_it_at_once_and_only_it()
    {
        using var guest = new Guest();
        guest.Machine.RequestStop(3);

        Assert.Equal(3, guest.Play(new Step(5)).ExitCode);
        Assert.Equal(StopReason.AllHalted, guest.Play(new Step(5)).Reason);
    }

    [Fact]
    public void A_handlers_stop_takes_effect_before_the_next_instruction()
    {
        var door = new StoppingPort();
        using var guest = new Guest(new VirtualMachineOptions { Ports = [door] });

        StopInfo stop = guest.Play(Script.Out(0xF4, 1, 9), Script.Out(0xF4, 1, 10));

        Assert.Equal(StopReason.Exited, stop.Reason);
        Assert.Equal(9, stop.ExitCode);
        Assert.Equal(1ul, guest.Fake.InstructionsRetired);
        Assert.Equal(10, guest.Machine.Run(default, Token).ExitCode);
        Assert.Equal(0, guest.Machine.Statistics[ExitReason.Cancelled]);
    }

    [Fact]
    public void A_handlers_exception_reaches_the_caller_and_the_machine_can_go_on()
    {
        using var guest = new Guest(new VirtualMachineOptions { Ports = [new FailingPort()] });

        Assert.Throws<HvException>(() => guest.Play(Script.Out(0xF5, 1, 9)));

        Assert.Equal(StopReason.AllHalted, guest.Play(new Step(5)).Reason);
    }

    [Fact]
    public void Cpuid_comes_from_the_table_with_the_upper_halves_cleared()
    {
        using var guest = new Guest(new VirtualMachineOptions { Cpuid = new CpuidTable([new(7, 2, new(1, 2, 3, 4))]) });
        guest.Fake.Registers.Rax = guest.Fake.Registers.Rbx = guest.Fake.Registers.Rcx = guest.Fake.Registers.Rdx = ulong.MaxValue;
        guest.Fake.Registers.Rsi = ulong.MaxValue;

        guest.Play(Script.Cpuid(7, 2));

        Assert.Equal((1ul, 2ul, 3ul, 4ul), (guest.Fake.Registers.Rax, guest.Fake.Registers.Rbx, guest.Fake.Registers.Rcx, guest.Fake.Registers.Rdx));
        Assert.Equal(ulong.MaxValue, guest.Fake.Registers.Rsi);
        Assert.Equal(ExitCompletion.Retire, guest.Fake.LastCompletion);
    }

    [Fact]
    public void An_intercepted_exception_is_given_to_the_guest()
    {
        using var guest = new Guest();

        guest.Play(new Step(0, MadeExit.FromException(Script.At(), default, new ExceptionExit(14, true, 6, 0xDEAD))));

        Assert.Equal(ExitCompletion.Fault(14, true, 6, 0xDEAD), guest.Fake.LastCompletion);
    }

    [Fact]
    public void A_stray_kick_is_no_stop()
    {
        using var guest = new Guest();
        guest.Fake.RequestExit();

        Assert.Equal(StopReason.AllHalted, guest.Play(new Step(5)).Reason);
        Assert.Equal(6ul, guest.Fake.InstructionsRetired);
    }

    [Fact]
    public void An_observer_sees_each_exit_in_order()
    {
        var observer = new Observer();
        using var guest = new Guest(new VirtualMachineOptions { Observer = observer });

        guest.Play(Script.Out(1, 1, 1), Script.Cpuid(0, 0), Script.Rdmsr(1));

        Assert.Equal([ExitReason.PortIo, ExitReason.Cpuid, ExitReason.MsrRead, ExitReason.Halt], observer.Seen);
        Assert.Equal(4, guest.Machine.Statistics.Total);
    }

    [Fact]
    public void A_machine_that_runs_refuses_what_would_disturb_it()
    {
        var port = new MeddlingPort();
        using var guest = new Guest(new VirtualMachineOptions { Ports = [port] });

        guest.Play(Script.Out(0xF6, 1, 0));

        Assert.Equal(5, port.Refused);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(-1)]
    [InlineData(65)]
    public void A_number_of_vcpus_out_of_range_is_refused(int vcpus)
    {
        ArgumentException e = Assert.Throws<ArgumentException>(() => new Guest(new VirtualMachineOptions { VcpuCount = vcpus }));

        Assert.Contains("1 to 64", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_quantum_of_0_is_refused() => Assert.Throws<ArgumentException>(() => new Guest(new VirtualMachineOptions { Quantum = 0 }));

    [Fact]
    public void Disposing_frees_the_vcpus_and_leaves_the_memory()
    {
        using Core.Memory.GuestMemory memory = Core.Memory.GuestMemory.OfSize(Guest.MemorySize);
        var guest = new Guest(memory: memory);
        FakeVcpu fake = guest.Fake;

        guest.Dispose();

        Assert.True(fake.Disposed);
        Assert.True(memory.TryWrite(new Gpa(0), 1));
        Assert.Throws<ObjectDisposedException>(() => guest.Machine.Run(default, Token));
    }

    private sealed class Observer : IExitObserver
    {
        public List<ExitReason> Seen { get; } = [];

        public void OnExit(VirtualCpu vcpu, in VmExit exit) => Seen.Add(exit.Reason);
    }

    private sealed class StoppingPort : Port
    {
        public StoppingPort() : base(0xF4) { }

        public override void Write(VirtualCpu vcpu, ushort port, int size, uint value) => vcpu.Machine.RequestStop((int)value);
    }

    private sealed class FailingPort : Port
    {
        public FailingPort() : base(0xF5) { }

        public override void Write(VirtualCpu vcpu, ushort port, int size, uint value) => throw new HvException("the disk is gone");
    }

    private sealed class MeddlingPort : Port
    {
        public MeddlingPort() : base(0xF6) { }

        public int Refused { get; private set; }

        public override void Write(VirtualCpu vcpu, ushort port, int size, uint value)
        {
            VirtualMachine machine = vcpu.Machine;
            Action[] all = [vcpu.Reset, machine.Reset, () => machine.Save(), () => vcpu.Start(new()), () => machine.Run(default, Token)];
            foreach (Action one in all)
            {
                Assert.Throws<InvalidOperationException>(one);
                Refused++;
            }
        }
    }
}

/// <summary>A port that reads 0.</summary>
public abstract class Port(ushort number) : Core.Devices.IPortHandler
{
    public Core.Devices.PortRange Range => new(number, number);

    public uint Read(VirtualCpu vcpu, ushort port, int size) => 0;

    public abstract void Write(VirtualCpu vcpu, ushort port, int size, uint value);
}
