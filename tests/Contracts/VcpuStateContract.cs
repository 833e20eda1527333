using Hv.Contracts.Guests;
using Hv.Core;
using Hv.Core.Exits;
using Hv.Core.Registers;
using Xunit;
using static Iced.Intel.AssemblerRegisters;

namespace Hv.Contracts;

/// <summary>State in and out of a vCPU, its reset state, and states that no processor can have.</summary>
public abstract class VcpuStateContract(BackendUnderTest subject) : ContractTest(subject)
{
    [Fact]
    public void A_new_vcpu_is_at_reset()
    {
        using VcpuHarness run = Start(GuestImage.Of(CodeMode.Real16, c => c.Done()));
        run.Vcpu.Reset();
        VcpuState state = run.Save();
        ref SystemRegisters s = ref state.System;
        // SDM 3A 9.1.1, table 9-1.
        Assert.Equal((0xFFF0UL, 2UL), (state.General.Rip, state.General.Rflags));
        Assert.Equal((0xF000, 0xFFFF0000UL, 0xFFFFu), (s.Cs.Selector, s.Cs.Base, s.Cs.Limit));
        Assert.Equal((0x60000010UL, 0UL, 0UL, 0UL), (s.Cr0, s.Cr3, s.Cr4, s.Efer));
        Assert.Equal((0UL, 0xFFFF, 0UL, 0xFFFF), (s.Gdtr.Base, s.Gdtr.Limit, s.Idtr.Base, s.Idtr.Limit));
        Assert.Equal((0xFFFF0FF0UL, 0x400UL), (s.Dr6, s.Dr7));
        Assert.Equal((0, 0UL, 0xFFFFu), (s.Ds.Selector, s.Ds.Base, s.Ds.Limit));
        Assert.Equal(ActivityState.Running, s.Activity);
    }

    [Fact]
    public void Reset_undoes_whatever_the_guest_did()
    {
        using VcpuHarness run = Start(GuestImage.Of(CodeMode.Long64, c => c.Done()).WithState(s =>
        {
            for (int i = 0; i < 16; i++)
                s.General[i] = 0x1234_5678_9ABC_DEF0;
            s.General.Rsp = GuestLayout.StackTop;
            s.System.Dr0 = 0x1000;
            s.System.Cr2 = 0x5678;
        }));
        run.RunToEnd();
        run.Vcpu.Reset();
        VcpuState state = run.Save();
        Assert.Equal((0xFFF0UL, 0UL, 0UL, 0UL), (state.General.Rip, state.General.Rax, state.General.R15, state.General.Rsp));
        Assert.Equal((0UL, 0UL, 0UL), (state.System.Cr3, state.System.Efer, state.System.Cr2));
        Assert.Equal(0UL, run.Vcpu.InstructionsRetired);
    }

    [Fact]
    public void Reset_does_not_repeat_random_numbers()
    {
        GuestImage image = GuestImage.Of(CodeMode.Long64, c =>
        {
            c.rdrand(rax);
            c.rdseed(rbx);
            c.Done();
        });
        using VcpuHarness run = Start(image, BackendCapabilities.Deterministic);
        run.RunToEnd();
        (ulong, ulong) first = (run.Registers.Rax, run.Registers.Rbx);
        run.Vcpu.Reset();
        VcpuState state = run.Save();
        image.ApplyEntry(state);
        run.Vcpu.LoadState(state);
        run.RunToEnd();
        Assert.NotEqual(first, (run.Registers.Rax, run.Registers.Rbx));
    }

    [Theory]
    [MemberData(nameof(Modes.All), MemberType = typeof(Modes))]
    public void What_is_loaded_is_saved(CodeMode mode)
    {
        using VcpuHarness run = Start(GuestImage.Of(mode, c => c.Done()));
        VcpuState state = run.Save();
        for (int i = 0; i < 16; i++)
            state.General[i] = (mode == CodeMode.Long64 ? 0x0101_0101_0101_0101UL : 0x0101_0101UL) * (ulong)(i + 1);
        state.General.Rflags = 0xCD7;
        state.System.Cr2 = 0xABCDE;
        state.System.Dr0 = 0x1111;
        state.System.Dr3 = 0x4444;
        state.System.Star = 0x0013_0008_0000_0000;
        state.System.Lstar = 0xFFFF_8000_1234_5678;
        state.System.Sfmask = 0x4700;
        state.System.KernelGsBase = 0x7000_0000_1234;
        state.System.SysenterCs = 8;
        state.System.SysenterEsp = 0x9000;
        state.System.SysenterEip = 0xA000;
        state.System.Pat = 0x0007_0406_0007_0405;
        state.System.TscAux = 0x55;
        state.System.Cr8 = mode == CodeMode.Long64 ? 5UL : 0;
        state.System.Fs.Base = 0x3000;
        run.Vcpu.LoadState(state);
        VcpuState saved = run.Save();
        for (int i = 0; i < 16; i++)
            Assert.Equal(state.General[i], saved.General[i]);
        Assert.Equal((state.General.Rip, state.General.Rflags), (saved.General.Rip, saved.General.Rflags));
        AssertSame(state.System, saved.System);
    }

    [Fact]
    public void The_extended_state_is_kept()
    {
        using VcpuHarness run = Start(GuestImage.Of(CodeMode.Long64, c =>
        {
            c.nop();
            c.Done();
        }));
        VcpuState state = run.Save();
        // XMM3 at its place in the standard format (SDM 1 13.4.1, table 13-1), and its bit in XSTATE_BV.
        for (int i = 0; i < 16; i++)
            state.Extended[160 + 3 * 16 + i] = (byte)(0xA0 + i);
        state.Extended[512] |= 2;
        run.Vcpu.LoadState(state);
        run.RunToEnd();
        Assert.Equal(state.Extended[208..224], run.Save().Extended[208..224]);
    }

    [Fact]
    public void A_saved_guest_goes_on_in_another_vcpu_of_the_backend()
    {
        GuestImage image = GuestImage.Of(CodeMode.Long64, c =>
        {
            c.mov(eax, 0x11);
            c.@out(0x10, al);
            c.add(eax, 0x11);
            c.Done();
        });
        using VcpuHarness first = Start(image);
        using VcpuHarness second = Start(image);
        first.Expect(ExitReason.PortIo);
        first.Complete(ExitCompletion.Retire);
        second.Vcpu.LoadState(first.Save());
        second.RunToEnd();
        Assert.Equal(0x22UL, second.Registers.Rax);
    }

    [Fact]
    public void An_uncompleted_exit_is_saved_as_not_yet_executed_and_forgotten_by_a_load()
    {
        GuestImage image = GuestImage.Of(CodeMode.Long64, c =>
        {
            c.@in(eax, 0x10);
            c.Done();
        });
        using VcpuHarness run = Start(image);
        VcpuState before = run.Save();
        VmExit exit = run.Expect(ExitReason.PortIo);
        Assert.Equal(exit.Rip, run.Save().General.Rip);
        run.Vcpu.LoadState(before);
        Assert.Equal(exit.Rip, run.Expect(ExitReason.PortIo).Rip);
        run.Complete(ExitCompletion.RetireWith(7));
        run.RunToEnd();
        Assert.Equal(7UL, run.Registers.Rax);
    }

    [Fact]
    public void A_pending_event_is_saved_and_delivered_after_the_load()
    {
        GuestImage image = GuestImage.Of(CodeMode.Long64, c =>
        {
            c.Guard(() => c.@out(0x10, al));
            c.Done();
        });
        using VcpuHarness first = Start(image, BackendCapabilities.GuestExceptions);
        using VcpuHarness second = Start(image);
        first.Expect(ExitReason.PortIo);
        first.Complete(ExitCompletion.Fault(14, true, 6, 0x7777_0000));
        second.Vcpu.LoadState(first.Save());
        second.RunToEnd();
        ExceptionRecord fault = Assert.Single(second.Exceptions);
        Assert.Equal((14, 6u, 0x7777_0000UL), (fault.Vector, fault.ErrorCode, fault.Cr2));
    }

    [Theory]
    [InlineData(nameof(Upper_half_of_cr0))]
    [InlineData(nameof(Upper_half_of_dr7))]
    [InlineData(nameof(Paging_without_protection))]
    [InlineData(nameof(Long_mode_without_pae))]
    public void An_impossible_state_fails_its_entry_and_is_named(string which)
    {
        Action<VcpuState> spoil = which switch
        {
            nameof(Upper_half_of_cr0) => Upper_half_of_cr0,
            nameof(Upper_half_of_dr7) => Upper_half_of_dr7,
            nameof(Paging_without_protection) => Paging_without_protection,
            _ => Long_mode_without_pae,
        };
        using VcpuHarness run = Start(GuestImage.Of(CodeMode.Long64, c => c.Done()).WithState(spoil));
        Holds(Rules.InvalidStateIsRefused, () =>
        {
            run.Expect(ExitReason.EntryFailed);
            Assert.False(string.IsNullOrWhiteSpace(run.Vcpu.LastFailure));
        });
    }

    [Fact]
    public void A_backend_describes_any_raw_exit()
    {
        Need(BackendCapabilities.None);
        var random = new Random(1);
        for (int i = 0; i < 300; i++)
        {
            ulong code = i < 256 ? (ulong)i : (ulong)random.NextInt64();
            Assert.False(string.IsNullOrEmpty(Backend.Describe(new RawExit(code, (ulong)random.NextInt64(), (ulong)random.NextInt64()))));
        }
    }

    [Fact]
    public void A_backend_has_a_name_a_description_and_an_exit_instruction_that_fits_the_2007_stub()
    {
        Assert.Matches("^[A-Z][A-Za-z]+$", Backend.Name);
        Assert.False(string.IsNullOrWhiteSpace(Backend.Description));
        Assert.InRange(Backend.Encoding.Length, 1, 3);
        Assert.Equal(Backend.Availability.IsAvailable, Backend.Capabilities != BackendCapabilities.None);
    }

    // Each is in both vendors' lists: SDM 3C 27.3.1.1 and APM 2 15.5.1.
    private static void Upper_half_of_cr0(VcpuState s) => s.System.Cr0 |= 1UL << 32;

    private static void Upper_half_of_dr7(VcpuState s) => s.System.Dr7 |= 1UL << 40;

    private static void Paging_without_protection(VcpuState s) => s.System.Cr0 &= ~1UL;

    private static void Long_mode_without_pae(VcpuState s) => s.System.Cr4 &= ~(1UL << 5);

    private static void AssertSame(in SystemRegisters expected, in SystemRegisters actual)
    {
        Assert.Equal((expected.Cr0, expected.Cr2, expected.Cr3, expected.Cr4, expected.Cr8),
            (actual.Cr0, actual.Cr2, actual.Cr3, actual.Cr4, actual.Cr8));
        Assert.Equal((expected.Dr0, expected.Dr3, expected.Dr6, expected.Dr7), (actual.Dr0, actual.Dr3, actual.Dr6, actual.Dr7));
        Assert.Equal((expected.Efer, expected.Star, expected.Lstar, expected.Sfmask), (actual.Efer, actual.Star, actual.Lstar, actual.Sfmask));
        Assert.Equal((expected.KernelGsBase, expected.SysenterCs, expected.SysenterEsp, expected.SysenterEip),
            (actual.KernelGsBase, actual.SysenterCs, actual.SysenterEsp, actual.SysenterEip));
        Assert.Equal((expected.Pat, expected.TscAux, expected.Cpl, expected.Activity), (actual.Pat, actual.TscAux, actual.Cpl, actual.Activity));
        Assert.Equal((expected.Cs.Selector, expected.Cs.Base, expected.Cs.Limit, expected.Cs.Attributes),
            (actual.Cs.Selector, actual.Cs.Base, actual.Cs.Limit, actual.Cs.Attributes));
        Assert.Equal((expected.Fs.Selector, expected.Fs.Base, expected.Fs.Limit, expected.Fs.Attributes),
            (actual.Fs.Selector, actual.Fs.Base, actual.Fs.Limit, actual.Fs.Attributes));
        Assert.Equal((expected.Gdtr.Base, expected.Gdtr.Limit, expected.Idtr.Base, expected.Idtr.Limit),
            (actual.Gdtr.Base, actual.Gdtr.Limit, actual.Idtr.Base, actual.Idtr.Limit));
    }
}
