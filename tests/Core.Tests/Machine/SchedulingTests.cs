using Hv.Core.Exits;
using Hv.Core.Machine;
using Hv.Core.Registers;
using Hv.Core.Tests.Fakes;

namespace Hv.Core.Tests.Machine;

/// <summary>Whose turn it is (docs/adr/0014-scheduling.md), and interrupts.</summary>
public sealed class SchedulingTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public void Vcpus_run_in_turn_a_quantum_each()
    {
        string trace = Trace(quantum: 10, limits: [60]);

        // Each vCPU exits after every 4 plain instructions: twice in each quantum of 10.
        Assert.Equal("001122001122", trace);
    }

    [Fact]
    public void The_same_guest_gives_the_same_run() => Assert.Equal(Trace(7, [1000]), Trace(7, [1000]));

    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    [InlineData(13)]
    public void A_run_cut_by_limits_interleaves_as_one_that_is_not(int piece) =>
        Assert.Equal(Trace(7, [390]), Trace(7, [.. Enumerable.Repeat((long)piece, 390 / piece)]));

    [Fact]
    public void Another_quantum_is_another_interleaving() => Assert.NotEqual(Trace(7, [1000]), Trace(8, [1000]));

    [Fact]
    public void A_halted_vcpu_gives_its_turn_away()
    {
        using var guest = new Guest(new VirtualMachineOptions { VcpuCount = 2, Quantum = 100 });
        guest.Machine.Vcpus[1].Activity = VcpuActivity.Running;
        guest.FakeOf(1).Play(new Step(1000));
        guest.Fake.Play(new Step(1));

        guest.Machine.Run(default, Token);

        Assert.Equal(2ul, guest.FakeOf(0).InstructionsRetired);
        Assert.Equal(1001ul, guest.FakeOf(1).InstructionsRetired);
    }

    [Fact]
    public void A_backend_that_cannot_count_gives_its_turn_away_at_each_return()
    {
        using var guest = new Guest(
            new VirtualMachineOptions { VcpuCount = 2, Quantum = 100 }, new FakeBackend(capabilities: BackendCapabilities.None));
        guest.Machine.Vcpus[1].Activity = VcpuActivity.Running;
        guest.FakeOf(1).Play(new Step(250));
        guest.Fake.Play(new Step(250));

        Assert.Equal(StopReason.AllHalted, guest.Machine.Run(default, Token).Reason);
    }

    [Fact]
    public void An_interrupt_wakes_a_halted_vcpu()
    {
        using var guest = new Guest();
        Assert.Equal(StopReason.AllHalted, guest.Play(new Step(3)).Reason);

        guest.Cpu.QueueInterrupt(0x30);

        Assert.Equal(StopReason.AllHalted, guest.Machine.Run(default, Token).Reason);
        Assert.Equal([0x30], guest.Fake.Delivered);
        Assert.Equal(2, guest.Machine.Statistics[ExitReason.Halt]);
    }

    [Fact]
    public void The_highest_vector_is_first_and_each_is_delivered_once()
    {
        using var guest = new Guest();
        foreach (byte vector in (byte[])[0x20, 0xFF, 0x40, 0x3F, 0x40])
            guest.Cpu.QueueInterrupt(vector);

        guest.Play(Script.Out(1, 1, 1), Script.Out(1, 1, 1), Script.Out(1, 1, 1), Script.Out(1, 1, 1));

        Assert.Equal([0xFF, 0x40, 0x3F, 0x20], guest.Fake.Delivered);
    }

    [Fact]
    public void An_interrupt_that_cannot_be_taken_waits_for_the_window()
    {
        using var guest = new Guest();
        guest.Fake.InterruptsEnabled = false;
        guest.Cpu.QueueInterrupt(0x30);
        guest.Fake.BeforeExit = v =>
        {
            Assert.True(v.WindowRequested);
            v.InterruptsEnabled = true;
        };

        guest.Play(new Step(5, Script.Plain(ExitReason.InterruptWindow).Exit), new Step(5));

        Assert.Equal([0x30], guest.Fake.Delivered);
        Assert.False(guest.Fake.WindowRequested);
    }

    [Fact]
    public void A_halted_vcpu_with_interrupts_off_stays_halted()
    {
        using var guest = new Guest();
        guest.Fake.InterruptsEnabled = false;
        guest.Play(new Step(3));

        guest.Cpu.QueueInterrupt(0x30);

        Assert.Equal(StopReason.AllHalted, guest.Machine.Run(default, Token).Reason);
        Assert.Empty(guest.Fake.Delivered);
    }

    [Fact]
    public void The_host_starts_any_vcpu_with_a_state()
    {
        using var guest = new Guest(new VirtualMachineOptions { VcpuCount = 2 });
        var state = new VcpuState();
        state.General.Rip = 0x7C00;

        guest.Machine.Vcpus[1].Start(state);

        Assert.Equal(0x7C00ul, guest.FakeOf(1).Registers.Rip);
        Assert.Equal(VcpuActivity.Running, guest.Machine.Vcpus[1].Activity);
    }

    private static string Trace(int quantum, long[] limits)
    {
        var observer = new OrderObserver();
        using var guest = new Guest(new VirtualMachineOptions { VcpuCount = 3, Quantum = quantum, Observer = observer });
        for (int i = 0; i < 3; i++)
        {
            guest.Machine.Vcpus[i].Activity = VcpuActivity.Running;
            guest.FakeOf(i).Play(new Step(4, Script.Out(1, 1, 1).Exit, JumpTo: 0));
        }

        foreach (long limit in limits)
            Assert.Equal(StopReason.InstructionLimit, guest.Machine.Run(new RunLimits(limit), Token).Reason);
        return observer.Order;
    }

    private sealed class OrderObserver : IExitObserver
    {
        public string Order { get; private set; } = "";

        public void OnExit(VirtualCpu vcpu, in VmExit exit)
        {
            if (exit.Reason == ExitReason.PortIo)
                Order += vcpu.Index;
        }
    }
}
