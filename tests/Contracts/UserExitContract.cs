using Hv.Contracts.Guests;
using Hv.Core;
using Hv.Core.Hypercalls;
using Hv.Core.Machine;
using Xunit;
using static Iced.Intel.AssemblerRegisters;

namespace Hv.Contracts;

/// <summary>Hypercalls that user level answers: delivered, and the answer is never lost (docs/adr/0010-pending-hypercall.md).</summary>
public abstract class UserExitContract(BackendUnderTest subject) : ContractTest(subject)
{
    private const uint Number = 0x1001;

    [Theory]
    [MemberData(nameof(Modes.Sizes), MemberType = typeof(Modes))]
    public void It_stops_the_run_with_the_call_and_takes_the_answer(CodeMode mode)
    {
        using MachineHarness run = Boot(Caller(mode), Options());
        StopInfo stop = run.Expect(StopReason.UserExit);
        Assert.Equal(0, stop.VcpuIndex);
        Assert.Equal((ulong)Number, run.Vcpu.Pending?.Arguments.Number);
        Assert.Equal(77UL, run.Vcpu.Pending?.Arguments.A0);
        Assert.Equal(CompletionOutcome.Completed, run.Vcpu.CompleteHypercall(0xFFFF_FFFF_FFFF_FC18));
        Assert.Null(run.Vcpu.Pending);
        run.RunToEnd();
        Assert.Equal(0xFFFF_FC18UL, run.Result(0) & 0xFFFFFFFF);
        Assert.Equal(mode == CodeMode.Long64 ? 0xFFFF_FFFFUL : 0, run.Result(1));
    }

    [Fact]
    public void Until_it_is_answered_the_vcpu_does_not_run()
    {
        using MachineHarness run = Boot(Caller(CodeMode.Long64), Options());
        run.Expect(StopReason.UserExit);
        ulong rip = run.Registers.Rip;
        Assert.Equal(StopReason.UserExit, run.Run().Reason);
        Assert.Equal(StopReason.UserExit, run.Run().Reason);
        Assert.Equal(rip, run.Registers.Rip);
        run.Vcpu.CompleteHypercall(5);
        run.RunToEnd();
        Assert.Equal(5UL, run.Result(0));
    }

    [Fact]
    public void It_is_answered_once()
    {
        using MachineHarness run = Boot(Caller(CodeMode.Long64), Options());
        Assert.Equal(CompletionOutcome.NotPending, run.Vcpu.CompleteHypercall(1));
        run.Expect(StopReason.UserExit);
        ulong id = run.Vcpu.Pending!.Value.Id;
        Assert.Equal(CompletionOutcome.NotPending, run.Vcpu.CompleteHypercall(id + 1, 1));
        Assert.Equal(CompletionOutcome.Completed, run.Vcpu.CompleteHypercall(id, 2));
        Assert.Equal(CompletionOutcome.NotPending, run.Vcpu.CompleteHypercall(id, 3));
        run.RunToEnd();
        Assert.Equal(2UL, run.Result(0));
    }

    [Fact]
    public void Registers_written_in_between_stay_and_the_answer_is_not_lost()
    {
        using MachineHarness run = Boot(Caller(CodeMode.Long64), Options());
        run.Expect(StopReason.UserExit);
        run.Registers.Rbx = 0xB0B;
        run.Registers.Rax = 0xBAD;
        run.Vcpu.CompleteHypercall(9);
        run.RunToEnd();
        Assert.Equal((9UL, 0xB0BUL), (run.Result(0), run.Registers.Rbx));
    }

    [Fact]
    public void After_a_reset_nobody_waits_for_the_answer()
    {
        using MachineHarness run = Boot(Caller(CodeMode.Long64), Options());
        run.Expect(StopReason.UserExit);
        ulong id = run.Vcpu.Pending!.Value.Id;
        run.Machine.Reset();
        ulong rax = run.Registers.Rax;
        Assert.Null(run.Vcpu.Pending);
        Assert.Equal(CompletionOutcome.VcpuWasReset, run.Vcpu.CompleteHypercall(id, 0x5555));
        Assert.Equal(rax, run.Registers.Rax);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_snapshot_taken_in_between_holds_the_call(bool otherBackend)
    {
        GuestImage image = Caller(CodeMode.Long64);
        using MachineHarness run = Boot(image, Options());
        using var second = new MachineHarness(otherBackend ? CreateOther() : Backend, image, Options());
        run.Expect(StopReason.UserExit);
        MachineSnapshot snapshot = run.Machine.Save();
        second.Machine.Restore(snapshot);
        Assert.Equal(run.Vcpu.Pending, second.Vcpu.Pending);
        Assert.Equal(StopReason.UserExit, second.Run().Reason);
        Assert.Equal(CompletionOutcome.Completed, second.Vcpu.CompleteHypercall(0xABC));
        second.RunToEnd();
        Assert.Equal(0xABCUL, second.Result(0));
        run.Vcpu.CompleteHypercall(0xDEF); // the first machine still is its own
        run.RunToEnd();
        Assert.Equal(0xDEFUL, run.Result(0));
    }

    [Fact]
    public void A_restore_to_before_the_call_ends_the_wait()
    {
        using MachineHarness run = Boot(Caller(CodeMode.Long64), Options());
        MachineSnapshot snapshot = run.Machine.Save();
        run.Expect(StopReason.UserExit);
        ulong id = run.Vcpu.Pending!.Value.Id;
        run.Machine.Restore(snapshot);
        Assert.Equal(CompletionOutcome.VcpuWasReset, run.Vcpu.CompleteHypercall(id, 1));
        run.Expect(StopReason.UserExit);
        Assert.NotEqual(id, run.Vcpu.Pending!.Value.Id);
        run.Vcpu.CompleteHypercall(4);
        run.RunToEnd();
        Assert.Equal(4UL, run.Result(0));
    }

    private static VirtualMachineOptions Options() => new() { Hypercalls = [new RecordingHypercall(Number, HypercallOutcome.ExitToUser)] };

    private static GuestImage Caller(CodeMode mode) => GuestImage.Of(mode, c =>
    {
        c.Wrmsr(GuestCode.ApiMagic, GuestLayout.ParaState);
        c.Hypercall(Number, 77);
        c.Store(0, eax);
        if (mode == CodeMode.Long64)
            c.shr(rax, 32);
        else
            c.xor(eax, eax);
        c.test(eax, eax); // a shift by more than 1 leaves OF undefined
        c.Store(1, eax);
        c.Done();
    }).WithParaState();
}
