using Hv.Contracts.Guests;
using Hv.Core;
using Hv.Core.Exits;
using Hv.Core.Hypercalls;
using Hv.Core.Machine;
using Hv.Core.Memory;
using Hv.Core.Paravirt;
using Hv.Core.Registers;
using Xunit;
using static Iced.Intel.AssemblerRegisters;

namespace Hv.Contracts;

/// <summary>Save and restore, on the same backend and on another one, whose exit instruction the stubs then hold.</summary>
public abstract class SnapshotContract(BackendUnderTest subject) : ContractTest(subject)
{
    private const uint Write = (uint)HypercallNumbers.ConsoleWrite;
    private const ulong Text = GuestLayout.Free;

    [Theory]
    [MemberData(nameof(Modes.All), MemberType = typeof(Modes))]
    public void A_guest_goes_on_where_it_was_saved(CodeMode mode) => Moves(mode, Backend);

    [Theory]
    [MemberData(nameof(Modes.All), MemberType = typeof(Modes))]
    public void A_guest_goes_on_on_another_backend(CodeMode mode) => Moves(mode, CreateOther());

    [Fact]
    public void On_another_backend_the_stub_holds_that_backends_exit_instruction_and_going_back_restores_it()
    {
        IBackend other = CreateOther();
        GuestImage image = Letters(CodeMode.Long64);
        using MachineHarness first = Boot(image, needs: BackendCapabilities.Deterministic);
        using var second = new MachineHarness(other, image);
        using MachineHarness third = Boot(image);
        first.Run(200);
        StubRestoration there = Assert.Single(second.Machine.Restore(first.Machine.Save()));
        Assert.Equal((0, GuestLayout.Stub, StubOutcome.Patched), (there.VcpuIndex, there.Stub.Value, there.Outcome));
        Assert.Equal(MachineHarness.StubOf(other), second.ReadBytes(GuestLayout.Stub, other.Encoding.Length + 1));
        second.Run(200);
        third.Machine.Restore(second.Machine.Save());
        Assert.Equal(MachineHarness.StubOf(Backend), third.ReadBytes(GuestLayout.Stub, Backend.Encoding.Length + 1));
        third.RunToEnd();
        Assert.Equal(Alphabet, first.Console + second.Console + third.Console);
    }

    [Fact]
    public void The_registration_moves_with_the_guest()
    {
        GuestImage image = Letters(CodeMode.Long64);
        using MachineHarness first = Boot(image, needs: BackendCapabilities.Deterministic);
        using MachineHarness second = Boot(image);
        first.Run(100);
        second.Machine.Restore(first.Machine.Save());
        Assert.Equal(first.Vcpu.Registration, second.Vcpu.Registration);
        Assert.NotNull(second.Vcpu.Registration);
    }

    [Fact]
    public void A_stub_that_the_guest_has_overwritten_is_left_to_the_guest()
    {
        IBackend other = CreateOther();
        GuestImage image = GuestImage.Of(CodeMode.Long64, c =>
        {
            c.Wrmsr(GuestCode.ApiMagic, GuestLayout.ParaState);
            c.mov(__byte_ptr[(long)GuestLayout.Stub], 0x90);
            c.Done();
        }).WithParaState();
        using MachineHarness run = Boot(image);
        using var second = new MachineHarness(other, image);
        run.RunToEnd();
        byte[] bytes = run.ReadBytes(GuestLayout.Stub, 8);
        Assert.Equal(StubOutcome.BytesChanged, Assert.Single(second.Machine.Restore(run.Machine.Save())).Outcome);
        Assert.Equal(bytes, second.ReadBytes(GuestLayout.Stub, 8));
    }

    [Fact]
    public void Saving_changes_nothing()
    {
        using MachineHarness plain = Boot(Letters(CodeMode.Long64), needs: BackendCapabilities.Deterministic);
        using MachineHarness saved = Boot(Letters(CodeMode.Long64));
        plain.RunToEnd();
        while (saved.Run(13).Reason == StopReason.InstructionLimit)
            saved.Machine.Save();
        Assert.Equal(plain.Console, saved.Console);
        Assert.Equal(plain.Processor.InstructionsRetired, saved.Processor.InstructionsRetired);
    }

    [Theory]
    [MemberData(nameof(Modes.Sizes), MemberType = typeof(Modes))]
    public void Saving_a_vcpu_at_each_exit_before_it_is_answered_changes_nothing(CodeMode mode)
    {
        GuestImage image = GuestImage.Of(mode, c =>
        {
            c.Rdmsr(GuestCode.ApiMagic);
            c.Wrmsr(GuestCode.ApiMagic, GuestLayout.ParaState);
            c.Hypercall(0);
            c.Store(0, eax);
            c.@in(al, 0x71);
            c.mov(edi, (int)GuestLayout.Results + 8);
            c.mov(ecx, 2);
            c.mov(edx, 0x71);
            c.rep.insd();
            c.mov(eax, 1);
            c.cpuid();
            c.Store(3, eax);
            c.Done();
        }).WithParaState();
        using MachineHarness plain = Boot(image);
        using var watched = new MachineHarness(Backend, image, observer: new SavingObserver());
        plain.RunToEnd();
        watched.RunToEnd();
        Assert.Equal(0x5A5AUL, plain.Result(0));
        for (int slot = 0; slot < 4; slot++)
            Assert.Equal(plain.Result(slot), watched.Result(slot));
        Assert.Equal(plain.Exits.Count, (int)watched.Machine.Statistics.Total);
    }

    [Fact]
    public void A_machine_of_another_shape_refuses_the_snapshot()
    {
        using MachineHarness one = Boot(Letters(CodeMode.Long64));
        using MachineHarness two = Boot(Letters(CodeMode.Long64), new VirtualMachineOptions { VcpuCount = 2 });
        using MachineHarness other = Boot(Letters(CodeMode.Long64).WithSlot(0x18_0000, 0x1000, SlotKind.Ram));
        MachineSnapshot snapshot = one.Machine.Save();
        Assert.Throws<ArgumentException>(() => two.Machine.Restore(snapshot));
        Assert.Throws<ArgumentException>(() => other.Machine.Restore(snapshot));
    }

    /// <summary>Saves the vCPU at each exit, as a tracer that prints registers does.</summary>
    private sealed class SavingObserver : IExitObserver
    {
        private readonly VcpuState _state = new();

        public void OnExit(VirtualCpu vcpu, in VmExit exit) => vcpu.Processor.SaveState(_state);
    }

    private static string Alphabet => "ABCDEFGHIJKLMNOPQRSTUVWXYZ";

    private void Moves(CodeMode mode, IBackend target)
    {
        GuestImage image = Letters(mode);
        using MachineHarness whole = Boot(image, needs: BackendCapabilities.Deterministic);
        whole.RunToEnd();
        Assert.Equal(Alphabet, whole.Console);
        ulong length = whole.Processor.InstructionsRetired;
        // Cut at places spread over the run: before and after registration, inside the loop, between CALL and RET of the stub.
        for (long at = 1; at < (long)length; at += 17)
        {
            using MachineHarness first = Boot(image);
            using var second = new MachineHarness(target, image);
            Assert.Equal(StopReason.InstructionLimit, first.Run(at).Reason);
            second.Machine.Restore(first.Machine.Save());
            second.RunToEnd();
            Assert.Equal(Alphabet, first.Console + second.Console);
            Assert.Equal(whole.Registers.Rsp, second.Registers.Rsp);
        }
    }

    /// <summary>Writes the alphabet, a letter a call.</summary>
    private static GuestImage Letters(CodeMode mode) => GuestImage.Of(mode, c =>
    {
        c.Wrmsr(GuestCode.ApiMagic, GuestLayout.ParaState);
        c.mov(__dword_ptr[(long)GuestLayout.Results], (int)Text);
        Iced.Intel.Label loop = c.CreateLabel();
        c.Label(ref loop);
        if (mode == CodeMode.Long64)
        {
            c.mov(edi, __dword_ptr[(long)GuestLayout.Results]);
            c.mov(esi, 1);
            c.mov(eax, Write);
        }
        else
        {
            c.mov(eax, __dword_ptr[(long)GuestLayout.Results]);
            c.mov(ecx, 1);
            c.mov(ebx, Write);
        }

        c.CallStub();
        c.inc(__dword_ptr[(long)GuestLayout.Results]);
        c.cmp(__dword_ptr[(long)GuestLayout.Results], (int)Text + 26);
        c.jne(loop);
        c.Done();
    }).WithParaState().With(Text, System.Text.Encoding.ASCII.GetBytes(Alphabet));
}
