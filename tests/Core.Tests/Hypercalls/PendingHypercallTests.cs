using Hv.Core.Exits;
using Hv.Core.Hypercalls;
using Hv.Core.Machine;
using Hv.Core.Registers;
using Hv.Core.Tests.Fakes;

namespace Hv.Core.Tests.Hypercalls;

/// <summary>Hypercalls for user level: what 2.6.24 lost (docs/adr/0010-pending-hypercall.md).</summary>
public sealed class PendingHypercallTests : IDisposable
{
    private const ulong ForUser = 0x100;
    private const GuestMode Protected32 = GuestMode.Protected | GuestMode.Code32;

    private readonly Guest _guest = NewGuest();

    public void Dispose() => _guest.Dispose();

    [Fact]
    public void It_is_delivered_with_number_and_arguments()
    {
        StopInfo stop = CallUser();

        Assert.Equal(StopReason.UserExit, stop.Reason);
        Assert.Equal(0, stop.VcpuIndex);
        Assert.Equal(ExitReason.Hypercall, stop.Exit.Reason);
        PendingHypercall pending = Assert.NotNull(_guest.Cpu.Pending);
        Assert.Equal(new HypercallArguments(ForUser, 11, 22, 33, 44, 55, 66, true), pending.Arguments);
        // Retired at once, with RAX still the guest's.
        Assert.Equal(ExitCompletion.Retire, _guest.Fake.LastCompletion);
        Assert.Equal(ForUser, _guest.Fake.Registers.Rax);
    }

    [Fact]
    public void The_vcpu_does_not_run_before_it_is_completed()
    {
        CallUser();
        int completions = _guest.Fake.Completions;

        StopInfo again = _guest.Machine.Run(default, TestContext.Current.CancellationToken);

        Assert.Equal(StopReason.UserExit, again.Reason);
        Assert.Equal(0, again.VcpuIndex);
        Assert.Equal(completions, _guest.Fake.Completions);
    }

    [Fact]
    public void Other_vcpus_run_meanwhile()
    {
        using var guest = NewGuest(2);
        CallUser(guest);
        guest.FakeOf(1).Play(new Step(500));
        guest.Machine.Vcpus[1].Activity = VcpuActivity.Running;

        Assert.Equal(StopReason.UserExit, guest.Machine.Run(default, TestContext.Current.CancellationToken).Reason);

        Assert.Equal(501ul, guest.FakeOf(1).InstructionsRetired);
    }

    [Fact]
    public void Completion_writes_rax_alone_and_the_guest_goes_on()
    {
        CallUser();
        GeneralRegisters expected = _guest.Fake.Registers;
        expected.Rax = 0xFFFF_FFFF_FFFF_FC18;

        Assert.Equal(CompletionOutcome.Completed, _guest.Cpu.CompleteHypercall(unchecked((ulong)-1000)));

        Assert.Equivalent(expected, _guest.Fake.Registers, strict: true);
        Assert.Null(_guest.Cpu.Pending);
        Assert.Equal(StopReason.AllHalted, _guest.Machine.Run(default, TestContext.Current.CancellationToken).Reason);
    }

    [Fact]
    public void Outside_long_mode_the_result_is_32_bits()
    {
        _guest.Fake.Registers.Rbx = ForUser;
        _guest.Play(Script.Hypercall(Protected32));

        _guest.Cpu.CompleteHypercall(ulong.MaxValue);

        Assert.Equal(0xFFFF_FFFFul, _guest.Fake.Registers.Rax);
    }

    [Fact]
    public void It_survives_register_writes()
    {
        CallUser();
        _guest.Fake.Registers = new GeneralRegisters { Rip = 0xBEEF, Rax = 1, Rbx = 2 };

        Assert.Equal(CompletionOutcome.Completed, _guest.Cpu.CompleteHypercall(7));

        Assert.Equal(7ul, _guest.Fake.Registers.Rax);
        Assert.Equal(2ul, _guest.Fake.Registers.Rbx);
        Assert.Equal(0xBEEFul, _guest.Fake.Registers.Rip);
    }

    [Fact]
    public void Completing_twice_is_reported_and_harmless()
    {
        CallUser();
        _guest.Cpu.CompleteHypercall(7);

        Assert.Equal(CompletionOutcome.NotPending, _guest.Cpu.CompleteHypercall(8));

        Assert.Equal(7ul, _guest.Fake.Registers.Rax);
    }

    [Fact]
    public void Completing_what_never_was_is_reported() => Assert.Equal(CompletionOutcome.NotPending, _guest.Cpu.CompleteHypercall(8));

    [Fact]
    public void A_reset_ends_it_and_the_late_answer_learns_so()
    {
        CallUser();
        ulong id = _guest.Cpu.Pending!.Value.Id;

        _guest.Cpu.Reset();
        ulong rax = _guest.Fake.Registers.Rax;

        Assert.Null(_guest.Cpu.Pending);
        Assert.Equal(CompletionOutcome.VcpuWasReset, _guest.Cpu.CompleteHypercall(9));
        Assert.Equal(CompletionOutcome.VcpuWasReset, _guest.Cpu.CompleteHypercall(id, 9));
        Assert.Equal(rax, _guest.Fake.Registers.Rax);
    }

    [Fact]
    public void A_late_answer_cannot_reach_the_call_after_the_reset()
    {
        CallUser();
        ulong old = _guest.Cpu.Pending!.Value.Id;
        _guest.Cpu.Reset();
        CallUser();

        Assert.Equal(CompletionOutcome.VcpuWasReset, _guest.Cpu.CompleteHypercall(old, 9));

        Assert.NotNull(_guest.Cpu.Pending);
        Assert.Equal(ForUser, _guest.Fake.Registers.Rax);
        Assert.Equal(CompletionOutcome.Completed, _guest.Cpu.CompleteHypercall(_guest.Cpu.Pending.Value.Id, 10));
        Assert.Equal(10ul, _guest.Fake.Registers.Rax);
        Assert.Equal(CompletionOutcome.NotPending, _guest.Cpu.CompleteHypercall(11));
    }

    [Fact]
    public void It_is_saved_and_restored_on_another_machine()
    {
        CallUser();
        ulong id = _guest.Cpu.Pending!.Value.Id;
        MachineSnapshot snapshot = _guest.Machine.Save();
        using var other = NewGuest(backend: new FakeBackend("Other", FakeBackend.Two));

        other.Machine.Restore(snapshot);

        Assert.Equal(_guest.Cpu.Pending, other.Cpu.Pending);
        Assert.Equal(StopReason.UserExit, other.Machine.Run(default, TestContext.Current.CancellationToken).Reason);
        Assert.Equal(CompletionOutcome.Completed, other.Cpu.CompleteHypercall(id, 0x51));
        Assert.Equal(0x51ul, other.Fake.Registers.Rax);
        // The original is not disturbed.
        Assert.Equal(CompletionOutcome.Completed, _guest.Cpu.CompleteHypercall(id, 0x52));
    }

    [Fact]
    public void Restoring_a_state_without_it_ends_it()
    {
        MachineSnapshot before = _guest.Machine.Save();
        CallUser();
        ulong id = _guest.Cpu.Pending!.Value.Id;

        _guest.Machine.Restore(before);

        Assert.Null(_guest.Cpu.Pending);
        Assert.Equal(CompletionOutcome.VcpuWasReset, _guest.Cpu.CompleteHypercall(id, 1));
        Assert.NotEqual(id, CallUser(_guest) is var _ ? _guest.Cpu.Pending!.Value.Id : 0);
    }

    private StopInfo CallUser() => CallUser(_guest);

    private static StopInfo CallUser(Guest guest)
    {
        guest.Fake.Registers =
            new GeneralRegisters { Rip = 0x1003, Rflags = 2, Rax = ForUser, Rdi = 11, Rsi = 22, Rdx = 33, Rcx = 44, R8 = 55, R9 = 66 };
        return guest.Play(Script.Hypercall());
    }

    private static Guest NewGuest(int vcpus = 1, IBackend? backend = null) =>
        new(new VirtualMachineOptions { VcpuCount = vcpus, Hypercalls = [new UserHandler()] }, backend);

    private sealed class UserHandler : IHypercallHandler
    {
        public ulong Number => ForUser;

        public HypercallOutcome Invoke(VirtualCpu vcpu, in HypercallArguments arguments) => HypercallOutcome.ExitToUser;
    }
}
