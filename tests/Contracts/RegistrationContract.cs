using Hv.Contracts.Guests;
using Hv.Core;
using Hv.Core.Machine;
using Hv.Core.Memory;
using Hv.Core.Paravirt;
using Xunit;
using static Iced.Intel.AssemblerRegisters;

namespace Hv.Contracts;

/// <summary>The probe and the registration of the 2007 interface, with every refusal (docs/abi.md).</summary>
public abstract class RegistrationContract(BackendUnderTest subject) : ContractTest(subject)
{
    private const uint Refused = 0xFFFFFFFF, Untouched = 0xFFFFFFFF;
    private const ulong HighPage = 0x1_0000_0000;

    [Theory]
    [MemberData(nameof(Modes.All), MemberType = typeof(Modes))]
    public void A_guest_probes_registers_and_calls_in_every_mode(CodeMode mode)
    {
        using MachineHarness run = Boot(GuestImage.Of(mode, c =>
        {
            c.Rdmsr(GuestCode.ApiMagic);
            c.Store(0, eax);
            c.Wrmsr(GuestCode.ApiMagic, GuestLayout.ParaState);
            c.Rdmsr(GuestCode.ApiMagic);
            c.Store(1, eax);
            c.Store(2, edx);
            c.Hypercall(0);
            c.Store(3, eax);
            c.Done();
        }).WithParaState());
        run.RunToEnd();
        Assert.Empty(run.Exceptions);
        Assert.Equal((0UL, GuestLayout.ParaState, 0UL, 0x5A5AUL), (run.Result(0), run.Result(1), run.Result(2), run.Result(3)));
        ParaState record = run.ParaState;
        Assert.Equal((1u, 1u, 4096u, 0, GuestLayout.Stub), (record.GuestVersion, record.HostVersion, record.Size, record.Ret, record.HypercallGpa));
        Assert.Equal(MachineHarness.StubOf(Backend), run.ReadBytes(GuestLayout.Stub, Backend.Encoding.Length + 1));
        ParaRegistration registration = Assert.NotNull(run.Vcpu.Registration);
        Assert.Equal((GuestLayout.ParaState, GuestLayout.Stub, 1u),
            (registration.ParaStateAddress.Value, registration.Stub.Address.Value, registration.GuestVersion));
    }

    [Theory]
    [MemberData(nameof(Modes.All), MemberType = typeof(Modes))]
    public void With_the_interface_off_probe_and_registration_are_gp(CodeMode mode)
    {
        using MachineHarness run = Boot(
            GuestImage.Of(mode, c =>
            {
                c.Rdmsr(GuestCode.ApiMagic);
                c.Wrmsr(GuestCode.ApiMagic, GuestLayout.ParaState);
                c.Done();
            }).WithParaState(),
            new VirtualMachineOptions { ParaInterfaceEnabled = false },
            BackendCapabilities.GuestExceptions);
        run.RunToEnd();
        Assert.Equal([(13, 0u), (13, 0u)], run.Exceptions.Select(e => ((int)e.Vector, e.ErrorCode)));
        AssertUntouched(run, GuestLayout.ParaState);
        Assert.Null(run.Vcpu.Registration);
    }

    [Fact]
    public void An_unpatched_stub_returns_minus_38()
    {
        using MachineHarness run = Boot(GuestImage.Of(CodeMode.Long64, c =>
        {
            c.Hypercall(0);
            c.Store(0, eax);
            c.Done();
        }));
        run.RunToEnd();
        Assert.Equal(unchecked((uint)-38), run.Result(0));
    }

    [Theory]
    [InlineData(0x1)]
    [InlineData(0x4)]
    [InlineData(0x800)]
    [InlineData(0xFFF)]
    public void An_unaligned_pointer_is_gp_and_writes_nothing(ulong offset)
    {
        using MachineHarness run = Register(GuestLayout.ParaState + offset);
        AssertGp(run);
        AssertUntouched(run, GuestLayout.ParaState);
    }

    [Theory]
    [InlineData(GuestLayout.RamSize)]
    [InlineData(0x8000_0000_0000_8000UL)]
    [InlineData(0xFFFF_FFFF_FFFF_F000UL)]
    [InlineData(0x000F_FFFF_FFFF_F000UL)]
    [InlineData(0x1_0000_8000UL)]
    [InlineData(0xFFFF_F000UL)]
    public void A_pointer_outside_memory_is_gp_and_no_bit_of_it_is_dropped(ulong pointer)
    {
        using MachineHarness run = Register(pointer);
        AssertGp(run);
        AssertUntouched(run, GuestLayout.ParaState);
        Assert.Null(run.Vcpu.Registration);
    }

    [Fact]
    public void A_para_state_in_read_only_memory_is_gp_and_writes_nothing()
    {
        const ulong Rom = 0x18_0000;
        using MachineHarness run = Register(Rom, i => i.WithSlot(Rom, 0x1000, SlotKind.ReadOnly).WithParaState(Rom));
        AssertGp(run);
        AssertUntouched(run, Rom);
    }

    [Theory]
    [InlineData(0UL)]
    [InlineData(GuestLayout.RamSize - 0x1000)]
    public void The_first_and_the_last_page_are_legal(ulong page)
    {
        using MachineHarness run = Register(page, i => i.WithParaState(page));
        AssertAccepted(run, page);
        Assert.Equal(page, run.Result(1));
    }

    [Fact]
    public void A_para_state_and_a_stub_above_4_gib_are_reached()
    {
        using MachineHarness run = Register(
            HighPage,
            i => i.WithSlot(HighPage, 0x2000, SlotKind.Ram).WithParaState(HighPage, HighPage + 0x1000).AddStub(HighPage + 0x1000));
        AssertAccepted(run, HighPage);
        Assert.Equal((0UL, 1UL), (run.Result(1), run.Result(2)));
        Assert.Equal(MachineHarness.StubOf(Backend), run.ReadBytes(HighPage + 0x1000, Backend.Encoding.Length + 1));
    }

    [Theory]
    [InlineData(0u)]
    [InlineData(1u)]
    public void Guest_versions_up_to_the_hosts_are_served(uint version)
    {
        using MachineHarness run = Register(GuestLayout.ParaState, i => i.WithParaState(guestVersion: version));
        AssertAccepted(run, GuestLayout.ParaState);
        Assert.Equal(version, run.ParaState.GuestVersion);
    }

    [Theory]
    [InlineData(2u)]
    [InlineData(0x80000000u)]
    [InlineData(0xFFFFFFFFu)]
    public void Newer_guest_versions_are_refused_in_ret_after_host_version_is_written(uint version)
    {
        using MachineHarness run = Register(GuestLayout.ParaState, i => i.WithParaState(guestVersion: version));
        AssertRefused(run);
        Assert.Equal(version, run.ParaState.GuestVersion);
    }

    [Theory]
    [InlineData(0u)]
    [InlineData(24u)]
    [InlineData(0xFFFFFFFFu)]
    public void Size_is_the_guests_own_affair(uint size)
    {
        using MachineHarness run = Register(GuestLayout.ParaState, i => i.WithParaState(size: size));
        AssertAccepted(run, GuestLayout.ParaState);
        Assert.Equal(size, run.ParaState.Size);
    }

    [Fact]
    public void The_rest_of_the_para_page_is_the_guests()
    {
        byte[] rest = [.. Enumerable.Range(0, 4096 - 24).Select(n => (byte)n)];
        using MachineHarness run = Register(GuestLayout.ParaState, i => i.With(GuestLayout.ParaState + 24, rest));
        AssertAccepted(run, GuestLayout.ParaState);
        Assert.Equal(rest, run.ReadBytes(GuestLayout.ParaState + 24, rest.Length));
    }

    [Fact]
    public void Registering_again_repeats_everything_and_the_last_page_counts()
    {
        const ulong SecondPage = GuestLayout.Free, SecondStub = GuestLayout.Free + 0x1000;
        using MachineHarness run = Boot(GuestImage.Of(CodeMode.Long64, c =>
        {
            c.Wrmsr(GuestCode.ApiMagic, GuestLayout.ParaState);
            c.mov(__dword_ptr[(long)GuestLayout.ParaState + 12], 0x1234); // ret must be written again
            c.Wrmsr(GuestCode.ApiMagic, GuestLayout.ParaState);
            c.Wrmsr(GuestCode.ApiMagic, SecondPage);
            c.Rdmsr(GuestCode.ApiMagic);
            c.Store(0, eax);
            c.Hypercall(0);
            c.Store(1, eax);
            c.SetCall(0);
            c.CallStub(SecondStub);
            c.Store(2, eax);
            c.Done();
        }).WithParaState().WithParaState(SecondPage, SecondStub).AddStub(SecondStub));
        run.RunToEnd();
        Assert.Empty(run.Exceptions);
        Assert.Equal(0, run.ParaState.Ret);
        Assert.Equal((SecondPage, 0x5A5AUL, 0x5A5AUL), (run.Result(0), run.Result(1), run.Result(2)));
        Assert.Equal(SecondStub, run.Vcpu.Registration!.Value.Stub.Address.Value);
    }

    [Fact]
    public void A_refused_registration_leaves_the_earlier_one_in_force()
    {
        const ulong SecondPage = GuestLayout.Free;
        using MachineHarness run = Boot(GuestImage.Of(CodeMode.Long64, c =>
        {
            c.Wrmsr(GuestCode.ApiMagic, GuestLayout.ParaState);
            c.Wrmsr(GuestCode.ApiMagic, SecondPage);
            c.Wrmsr(GuestCode.ApiMagic, 0x123);
            c.Rdmsr(GuestCode.ApiMagic);
            c.Store(0, eax);
            c.Done();
        }).WithParaState().WithParaState(SecondPage, guestVersion: 2), needs: BackendCapabilities.GuestExceptions);
        run.RunToEnd();
        Assert.Equal(GuestLayout.ParaState, run.Result(0));
        Assert.Equal(Refused, run.Read<uint>(SecondPage + 12));
        Assert.Equal(13, Assert.Single(run.Exceptions).Vector);
    }

    [Fact]
    public void Both_pages_are_in_the_dirty_log()
    {
        using MachineHarness run = Boot(GuestImage.Of(CodeMode.Protected32, c =>
        {
            c.Wrmsr(GuestCode.ApiMagic, GuestLayout.ParaState);
            c.Done();
        }).WithParaState());
        run.Memory.CollectDirty(run.Memory.Slots[0], new ulong[64]);
        run.RunToEnd();
        Assert.True(run.Memory.IsDirty(new Gpa(GuestLayout.ParaState)));
        Assert.True(run.Memory.IsDirty(new Gpa(GuestLayout.Stub)));
        Assert.False(run.Memory.IsDirty(new Gpa(GuestLayout.Stub + 0x1000)));
    }

    [Fact]
    public void Reset_drops_the_registration_and_leaves_the_stubs_bytes()
    {
        using MachineHarness run = Register(GuestLayout.ParaState);
        AssertAccepted(run, GuestLayout.ParaState);
        run.Machine.Reset();
        Assert.Null(run.Vcpu.Registration);
        Assert.Equal(MachineHarness.StubOf(Backend), run.ReadBytes(GuestLayout.Stub, Backend.Encoding.Length + 1));
    }

    [Fact]
    public void A_dropped_registration_gives_the_guest_its_bytes_back()
    {
        using MachineHarness run = Register(GuestLayout.ParaState);
        Assert.Equal(StubOutcome.Reverted, run.Vcpu.DropRegistration(revertStub: true));
        Assert.Equal(GuestImage.UnpatchedStub, run.ReadBytes(GuestLayout.Stub, 6));
        Assert.Null(run.Vcpu.Registration);
    }

    private MachineHarness Register(ulong pointer, Action<GuestImage>? with = null)
    {
        GuestImage image = GuestImage.Of(CodeMode.Long64, c =>
        {
            c.Wrmsr(GuestCode.ApiMagic, pointer);
            c.Mark(0);
            c.Rdmsr(GuestCode.ApiMagic);
            c.Store(1, eax);
            c.Store(2, edx);
            c.Done();
        }).WithParaState();
        with?.Invoke(image);
        MachineHarness run = Boot(image, needs: BackendCapabilities.GuestExceptions);
        run.RunToEnd();
        Assert.Equal(1UL, run.Result(0));
        return run;
    }

    private static void AssertGp(MachineHarness run)
    {
        ExceptionRecord fault = Assert.Single(run.Exceptions);
        Assert.Equal((13, 0u, GuestLayout.Code + 15), (fault.Vector, fault.ErrorCode, fault.Rip)); // behind three MOVs of five bytes
    }

    /// <summary>The record is as <see cref="GuestImage.EncodeParaState"/> made it: host_version and ret are still -1.</summary>
    private static void AssertUntouched(MachineHarness run, ulong page)
    {
        ParaState record = run.Read<ParaState>(page);
        Assert.Equal((1u, Untouched, 4096u, -1, GuestLayout.Stub),
            (record.GuestVersion, record.HostVersion, record.Size, record.Ret, record.HypercallGpa));
        Assert.Equal(GuestImage.UnpatchedStub, run.Image.Mode == CodeMode.Real16
            ? run.ReadBytes(GuestLayout.Stub + 1, 6) : run.ReadBytes(GuestLayout.Stub, 6));
    }

    private static void AssertAccepted(MachineHarness run, ulong page)
    {
        Assert.Empty(run.Exceptions);
        ParaState record = run.Read<ParaState>(page);
        Assert.Equal((1u, 0), (record.HostVersion, record.Ret));
        Assert.Equal(page, run.Vcpu.Registration?.ParaStateAddress.Value);
    }

    private static void AssertRefused(MachineHarness run)
    {
        Assert.Empty(run.Exceptions);
        Assert.Equal((1u, -1), (run.ParaState.HostVersion, run.ParaState.Ret));
        Assert.Equal(GuestImage.UnpatchedStub, run.ReadBytes(GuestLayout.Stub, 6));
        Assert.Null(run.Vcpu.Registration);
        Assert.Equal(0UL, run.Result(1));
    }
}
