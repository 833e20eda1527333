using Hv.Core.Devices;
using Hv.Core.Exits;
using Hv.Core.Hypercalls;
using Hv.Core.Machine;
using Hv.Core.Tests.Fakes;

namespace Hv.Core.Tests.Machine;

/// <summary>Backends whose vCPUs each need a thread.</summary>
public sealed class ThreadedTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public void Each_vcpu_runs_on_a_named_thread_of_its_own()
    {
        using Guest guest = NewGuest(3);
        for (int i = 0; i < 3; i++)
            guest.FakeOf(i).Play(Script.Out(1, 1, 1), Script.Out(1, 1, 1));

        Assert.Equal(StopReason.AllHalted, guest.Machine.Run(default, Token).Reason);

        for (int i = 0; i < 3; i++)
        {
            Assert.Equal(3ul, guest.FakeOf(i).InstructionsRetired);
            Assert.All(guest.FakeOf(i).Threads, name => Assert.Equal($"hv vCPU {i}", name));
        }
    }

    [Fact]
    public void A_single_vcpu_runs_on_the_callers_thread()
    {
        using Guest guest = NewGuest(1);

        guest.Play(Script.Out(1, 1, 1));

        Assert.DoesNotContain("hv vCPU 0", guest.Fake.Threads);
    }

    [Fact]
    public void Handlers_are_called_one_at_a_time()
    {
        var port = new ExclusivePort();
        using Guest guest = NewGuest(4, port);
        for (int i = 0; i < 4; i++)
            guest.FakeOf(i).Play([.. Enumerable.Repeat(Script.Out(0x77, 1, 1), 200)]);

        guest.Machine.Run(default, Token);

        Assert.Equal(800, port.Calls);
    }

    [Fact]
    public void A_stop_from_one_vcpu_joins_all()
    {
        for (int round = 0; round < 50; round++)
        {
            using Guest guest = NewGuest(3);
            guest.FakeOf(0).Play(Script.Spin);
            guest.FakeOf(1).Play(Script.Spin);
            guest.FakeOf(2).Registers.Rax = HypercallNumbers.Exit;
            guest.FakeOf(2).Registers.Rdi = 4;
            guest.FakeOf(2).Play(new Step(1000, Script.Hypercall().Exit));

            StopInfo stop = guest.Machine.Run(default, Token);

            Assert.Equal((StopReason.Exited, 4, 2), (stop.Reason, stop.ExitCode, stop.VcpuIndex));
        }
    }

    [Fact]
    public void The_time_limit_joins_all()
    {
        using Guest guest = NewGuest(2);
        guest.FakeOf(0).Play(Script.Spin);

        Assert.Equal(StopReason.TimeLimit, guest.Machine.Run(new RunLimits(Timeout: TimeSpan.FromMilliseconds(30)), Token).Reason);
    }

    [Fact]
    public void The_instruction_limit_holds_roughly()
    {
        using Guest guest = NewGuest(2);
        guest.FakeOf(0).Play(Script.Spin);
        guest.FakeOf(1).Play(Script.Spin);

        Assert.Equal(StopReason.InstructionLimit, guest.Machine.Run(new RunLimits(5_000_000), Token).Reason);

        Assert.InRange(guest.Machine.Statistics.Instructions, 5_000_000, 7_000_000);
    }

    [Fact]
    public void A_started_vcpu_wakes_up()
    {
        for (int round = 0; round < 50; round++)
        {
            using Guest guest = NewGuest(2, all: false);
            guest.Fake.Registers.Rax = HypercallNumbers.StartVcpu;
            guest.Fake.Registers.Rdi = 1;
            guest.Fake.Play(Script.Hypercall());

            Assert.Equal(StopReason.AllHalted, guest.Machine.Run(default, Token).Reason);

            Assert.Equal(0ul, guest.Fake.Registers.Rax);
            Assert.Equal(1ul, guest.FakeOf(1).InstructionsRetired);
        }
    }

    [Fact]
    public async Task An_interrupt_from_outside_wakes_a_halted_vcpu_while_another_runs()
    {
        using Guest guest = NewGuest(2);
        guest.FakeOf(0).Play(Script.Spin);
        Task<StopInfo> run = Task.Run(() => guest.Machine.Run(default, Token), Token);
        while (guest.Machine.Vcpus[1].Activity != VcpuActivity.Halted)
            await Task.Delay(1, Token);

        guest.Machine.Vcpus[1].QueueInterrupt(0x55);
        while (guest.Machine.Vcpus[1].Statistics[ExitReason.Halt] < 2)
            await Task.Delay(1, Token);
        guest.Machine.RequestStop(0);

        Assert.Equal(StopReason.Exited, (await run).Reason);
        Assert.Equal([0x55], guest.FakeOf(1).Delivered);
    }

    [Fact]
    public void An_exception_on_a_vcpus_thread_reaches_the_caller()
    {
        using Guest guest = NewGuest(2, new ThrowingPort());
        guest.FakeOf(0).Play(Script.Spin);
        guest.FakeOf(1).Play(Script.Out(0x78, 1, 1));

        Assert.Equal("the disk is gone", Assert.Throws<HvException>(() => guest.Machine.Run(default, Token)).Message);
    }

    [Fact]
    public void A_user_exit_stops_all_and_the_others_go_on_afterwards()
    {
        using Guest guest = NewGuest(2, hypercall: new UserCall());
        guest.FakeOf(0).Play(Script.Spin);
        guest.FakeOf(1).Registers.Rax = 0x100;
        guest.FakeOf(1).Play(Script.Hypercall());

        StopInfo stop = guest.Machine.Run(default, Token);
        Assert.Equal((StopReason.UserExit, 1), (stop.Reason, stop.VcpuIndex));
        Assert.Equal(CompletionOutcome.Completed, guest.Machine.Vcpus[1].CompleteHypercall(5));
        guest.FakeOf(0).Play();

        Assert.Equal(StopReason.AllHalted, guest.Machine.Run(default, Token).Reason);
        Assert.Equal(5ul, guest.FakeOf(1).Registers.Rax);
    }

    private static Guest NewGuest(int vcpus, IPortHandler? port = null, IHypercallHandler? hypercall = null, bool all = true)
    {
        var guest = new Guest(
            new VirtualMachineOptions { VcpuCount = vcpus, Ports = port is null ? [] : [port], Hypercalls = hypercall is null ? [] : [hypercall] },
            new FakeBackend(capabilities: BackendCapabilities.ThreadPerVcpu));
        foreach (VirtualCpu vcpu in guest.Machine.Vcpus.Where(_ => all))
            vcpu.Activity = VcpuActivity.Running;
        return guest;
    }

    private sealed class ExclusivePort() : Port(0x77)
    {
        private int _inside;

        public int Calls { get; private set; }

        public override void Write(VirtualCpu vcpu, ushort port, int size, uint value)
        {
            Assert.Equal(1, Interlocked.Increment(ref _inside));
            Calls++;
            Interlocked.Decrement(ref _inside);
        }
    }

    private sealed class ThrowingPort() : Port(0x78)
    {
        public override void Write(VirtualCpu vcpu, ushort port, int size, uint value) => throw new HvException("the disk is gone");
    }

    private sealed class UserCall : IHypercallHandler
    {
        public ulong Number => 0x100;

        public HypercallOutcome Invoke(VirtualCpu vcpu, in HypercallArguments arguments) => HypercallOutcome.ExitToUser;
    }
}
