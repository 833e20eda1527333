using Hv.Contracts.Guests;
using Hv.Core;
using Hv.Core.Machine;
using Hv.Core.Memory;
using Hv.Core.Paravirt;
using Xunit;
using static Iced.Intel.AssemblerRegisters;

namespace Hv.Contracts;

/// <summary>Where a hypercall stub may be: anywhere in writable memory, written whole or not at all, never over the record's own fields.</summary>
public abstract class StubContract(BackendUnderTest subject) : ContractTest(subject)
{
    private const ulong LastPage = GuestLayout.RamSize - 0x1000, Rom = 0x18_0000;

    private int Length => Backend.Encoding.Length + 1;

    [Theory]
    [InlineData(0xFF8)]
    [InlineData(0xFFC)]
    [InlineData(0xFFD)]
    [InlineData(0xFFE)]
    [InlineData(0xFFF)]
    public void A_stub_near_a_page_end_is_written_whole_and_works(ulong offset) =>
        AssertWorks(Call(GuestLayout.Free + offset), GuestLayout.Free + offset);

    [Theory]
    [InlineData(0xFF8)]
    [InlineData(0xFFC)]
    [InlineData(0xFFD)]
    [InlineData(0xFFE)]
    [InlineData(0xFFF)]
    public void A_stub_may_cross_into_an_adjacent_slot(ulong offset) =>
        AssertWorks(Call(LastPage + offset, i => i.WithSlot(GuestLayout.RamSize, 0x1000, SlotKind.Ram)), LastPage + offset);

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void A_stub_that_runs_into_a_hole_is_refused_and_nothing_is_written(int inside)
    {
        ulong stub = GuestLayout.RamSize - (ulong)Math.Min(inside, Length - 1);
        using MachineHarness run = Register(stub, i => i.With(LastPage + 0xFF0, 0x1111_1111_1111_1111).With(LastPage + 0xFF8, 0x1111_1111_1111_1111));
        AssertRefused(run);
        Assert.Equal(0x1111_1111_1111_1111UL, run.Read<ulong>(LastPage + 0xFF8));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void A_stub_that_runs_into_read_only_memory_is_refused_and_nothing_is_written(int inside)
    {
        ulong stub = GuestLayout.RamSize - (ulong)Math.Min(inside, Length - 1);
        using MachineHarness run = Register(stub, i => i.WithSlot(GuestLayout.RamSize, 0x1000, SlotKind.ReadOnly));
        AssertRefused(run);
        Assert.Equal(0UL, run.Read<ulong>(LastPage + 0xFF8));
        Assert.Equal(0UL, run.Read<ulong>(GuestLayout.RamSize));
    }

    [Fact]
    public void A_stub_that_ends_with_the_ram_fits()
    {
        ulong stub = GuestLayout.RamSize - (ulong)Length;
        AssertWorks(Call(stub), stub);
    }

    [Theory]
    [InlineData(GuestLayout.RamSize)]
    [InlineData(0x1_0000_9000UL)]
    [InlineData(0x8000_0000_0000_9000UL)]
    [InlineData(0xFFFF_FFFF_FFFF_FFFFUL)]
    [InlineData(0xFFFF_FFFF_FFFF_FFFCUL)]
    public void A_stub_outside_memory_is_refused_and_no_bit_of_it_is_dropped(ulong stub)
    {
        using MachineHarness run = Register(stub);
        AssertRefused(run);
        Assert.Equal(GuestImage.UnpatchedStub, run.ReadBytes(GuestLayout.Stub, 6));
    }

    [Fact]
    public void A_stub_in_read_only_memory_is_refused()
    {
        using MachineHarness run = Register(Rom, i => i.WithSlot(Rom, 0x1000, SlotKind.ReadOnly).AddStub(Rom));
        AssertRefused(run);
        Assert.Equal(GuestImage.UnpatchedStub, run.ReadBytes(Rom, 6));
    }

    [Theory]
    [InlineData(-3)]
    [InlineData(-1)]
    [InlineData(0)]
    [InlineData(4)]
    [InlineData(8)]
    [InlineData(12)]
    [InlineData(13)]
    [InlineData(16)]
    [InlineData(20)]
    [InlineData(23)]
    public void A_stub_over_the_records_fields_is_refused(int offset)
    {
        ulong stub = GuestLayout.ParaState + (ulong)(long)Math.Max(offset, 1 - Length);
        using MachineHarness run = Register(stub);
        AssertRefused(run);
        ParaState record = run.ParaState;
        Assert.Equal((1u, 4096u, stub), (record.GuestVersion, record.Size, record.HypercallGpa));
    }

    [Theory]
    [InlineData(24)]
    [InlineData(32)]
    [InlineData(0xFF8)]
    public void A_stub_in_the_rest_of_the_para_page_works(ulong offset) =>
        AssertWorks(Call(GuestLayout.ParaState + offset), GuestLayout.ParaState + offset);

    [Fact]
    public void A_stub_that_ends_where_the_record_begins_works()
    {
        ulong stub = GuestLayout.ParaState - (ulong)Length;
        AssertWorks(Call(stub), stub);
    }

    [Fact]
    public void The_stub_is_exit_instruction_and_ret_and_no_byte_more()
    {
        using MachineHarness run = Register(GuestLayout.Free, i =>
            i.With(GuestLayout.Free - 8, ulong.MaxValue).With(GuestLayout.Free, ulong.MaxValue));
        Assert.Equal(0, run.ParaState.Ret);
        Assert.Equal(MachineHarness.StubOf(Backend), run.ReadBytes(GuestLayout.Free, Length));
        Assert.Equal(ulong.MaxValue, run.Read<ulong>(GuestLayout.Free - 8));
        Assert.All(run.ReadBytes(GuestLayout.Free + (ulong)Length, 8 - Length), b => Assert.Equal(0xFF, b));
    }

    [Fact]
    public void A_stub_may_cover_the_wrmsr_that_registers_it()
    {
        // The stub begins two bytes before WRMSR and the guest goes on behind it, in bytes that the patch does not touch when it has four.
        if (Length != 4)
            Skip("the place is made for a stub of four bytes");
        using MachineHarness run = Boot(GuestImage.Of(CodeMode.Long64, c =>
        {
            c.mov(ecx, GuestCode.ApiMagic);
            c.xor(edx, edx);
            c.mov(eax, (int)GuestLayout.ParaState);
            c.nop();
            c.nop();
            c.wrmsr();
            c.Mark(0);
            c.Done();
        }).WithParaState(hypercall: GuestLayout.Code + 12));
        run.RunToEnd();
        Assert.Equal((0, 1UL), (run.ParaState.Ret, run.Result(0)));
        Assert.Equal(MachineHarness.StubOf(Backend), run.ReadBytes(GuestLayout.Code + 12, Length));
    }

    [Fact]
    public void A_stub_may_start_at_the_wrmsr_that_registers_it()
    {
        using MachineHarness run = Boot(GuestImage.Of(CodeMode.Long64, c => c.Wrmsr(GuestCode.ApiMagic, GuestLayout.ParaState))
            .WithParaState(hypercall: GuestLayout.Code + 15), needs: BackendCapabilities.Deterministic);
        Assert.Equal(StopReason.InstructionLimit, run.Run(4).Reason);
        Assert.Equal((0, GuestLayout.Code + 17), (run.ParaState.Ret, run.Registers.Rip));
        Assert.Equal(MachineHarness.StubOf(Backend), run.ReadBytes(GuestLayout.Code + 15, Length));
    }

    [Fact]
    public void A_call_through_a_patched_stub_runs_the_new_bytes_even_when_the_old_ones_ran_before()
    {
        using MachineHarness run = Boot(GuestImage.Of(CodeMode.Long64, c =>
        {
            c.Hypercall(0);
            c.Store(0, eax);
            c.Wrmsr(GuestCode.ApiMagic, GuestLayout.ParaState);
            c.Hypercall(0);
            c.Store(1, eax);
            c.Done();
        }).WithParaState());
        run.RunToEnd();
        Assert.Equal((unchecked((uint)-38), 0x5A5AUL), (run.Result(0), run.Result(1)));
    }

    private MachineHarness Call(ulong stub, Action<GuestImage>? with = null)
    {
        GuestImage image = GuestImage.Of(CodeMode.Long64, c =>
        {
            c.Wrmsr(GuestCode.ApiMagic, GuestLayout.ParaState);
            c.SetCall(0);
            c.CallStub(stub);
            c.Store(0, eax);
            c.Done();
        }).WithParaState(hypercall: stub);
        with?.Invoke(image);
        return Boot(image);
    }

    private MachineHarness Register(ulong stub, Action<GuestImage>? with = null)
    {
        GuestImage image = GuestImage.Of(CodeMode.Long64, c =>
        {
            c.Wrmsr(GuestCode.ApiMagic, GuestLayout.ParaState);
            c.Done();
        }).WithParaState(hypercall: stub);
        with?.Invoke(image);
        MachineHarness run = Boot(image);
        run.RunToEnd();
        return run;
    }

    private void AssertWorks(MachineHarness run, ulong stub)
    {
        using (run)
        {
            run.RunToEnd();
            Assert.Equal((0, 0x5A5AUL), (run.ParaState.Ret, run.Result(0)));
            Assert.Equal(MachineHarness.StubOf(Backend), run.ReadBytes(stub, Length));
        }
    }

    private static void AssertRefused(MachineHarness run)
    {
        Assert.Empty(run.Exceptions);
        Assert.Equal((1u, -1), (run.ParaState.HostVersion, run.ParaState.Ret));
        Assert.Null(run.Vcpu.Registration);
    }
}
