using Hv.Contracts.Guests;
using Hv.Core;
using Hv.Core.Exits;
using Hv.Core.Registers;
using Xunit;
using static Iced.Intel.AssemblerRegisters;

namespace Hv.Contracts;

/// <summary>HLT, shutdown, external interrupts and their windows, intercepted exceptions.</summary>
public abstract class ActivityContract(BackendUnderTest subject) : ContractTest(subject)
{
    private const byte Vector = 0x2A;

    [Theory]
    [MemberData(nameof(Modes.All), MemberType = typeof(Modes))]
    public void Hlt_exits_with_rip_behind_it(CodeMode mode)
    {
        using VcpuHarness run = Start(GuestImage.Of(mode, c =>
        {
            c.nop();
            c.hlt();
            c.nop();
        }));
        VmExit exit = run.Expect(ExitReason.Halt);
        Assert.Equal((GuestLayout.Code + 2, GuestLayout.Code + 2), (exit.Rip, run.Registers.Rip));
        Assert.Equal(ActivityState.Halted, run.Save().System.Activity);
    }

    [Theory]
    [MemberData(nameof(Modes.Protected), MemberType = typeof(Modes))]
    public void Hlt_at_cpl_3_is_gp(CodeMode mode)
    {
        using VcpuHarness run = Start(GuestImage.Of(mode, c => c.EnterUser()).WithCode(GuestLayout.SecondCode, c => c.hlt(), mode),
            BackendCapabilities.UserMode | BackendCapabilities.GuestExceptions);
        run.RunToEnd();
        Assert.Equal((13, 0u, GuestLayout.SecondCode), (Assert.Single(run.Exceptions).Vector, run.Exceptions[0].ErrorCode, run.Exceptions[0].Rip));
    }

    [Theory]
    [MemberData(nameof(Modes.Sizes), MemberType = typeof(Modes))]
    public void An_interrupt_wakes_a_halted_guest_and_returns_behind_hlt(CodeMode mode)
    {
        using VcpuHarness run = Start(GuestImage.Of(mode, c =>
        {
            c.sti();
            c.hlt();
            c.Mark(0);
            c.Done();
        }), BackendCapabilities.GuestExceptions);
        VmExit halt = run.Expect(ExitReason.Halt);
        Assert.True(run.Vcpu.TryInterrupt(Vector));
        run.RunToEnd();
        Assert.Equal((Vector, halt.Rip), (Assert.Single(run.Exceptions).Vector, run.Exceptions[0].Rip));
        Assert.Equal(1UL, run.Result(0));
    }

    [Fact]
    public void With_interrupts_off_none_is_taken()
    {
        using VcpuHarness run = Start(GuestImage.Of(CodeMode.Long64, c => c.Done()));
        Assert.False(run.Vcpu.TryInterrupt(Vector));
        run.RunToEnd();
        Assert.False(run.Vcpu.TryInterrupt(Vector));
        Assert.Empty(run.Exceptions);
    }

    [Theory]
    [MemberData(nameof(Modes.Sizes), MemberType = typeof(Modes))]
    public void The_window_opens_one_instruction_after_sti(CodeMode mode)
    {
        using VcpuHarness run = Start(GuestImage.Of(mode, c =>
        {
            c.nop();
            c.sti();
            c.nop();
            c.nop();
            c.Done();
        }), BackendCapabilities.GuestExceptions);
        run.Vcpu.RequestInterruptWindow(true);
        Holds(Rules.WindowIsExact, () =>
        {
            VmExit exit = run.Expect(ExitReason.InterruptWindow);
            Assert.Equal(GuestLayout.Code + 3, exit.Rip);
            run.Vcpu.RequestInterruptWindow(false);
            Assert.True(run.Vcpu.TryInterrupt(Vector));
            run.RunToEnd();
            Assert.Equal((Vector, GuestLayout.Code + 3), (Assert.Single(run.Exceptions).Vector, run.Exceptions[0].Rip));
            Assert.NotEqual(0UL, run.Exceptions[0].Rflags & 0x200);
        });
    }

    [Fact]
    public void A_window_that_is_open_already_exits_at_once_and_a_withdrawn_one_never()
    {
        using VcpuHarness run = Start(GuestImage.Of(CodeMode.Long64, c =>
        {
            c.nop();
            c.Done();
        }).WithState(s => s.General.Rflags |= 0x200));
        run.Vcpu.RequestInterruptWindow(true);
        Assert.Equal(GuestLayout.Code, run.Expect(ExitReason.InterruptWindow).Rip);
        run.Vcpu.RequestInterruptWindow(false);
        run.RunToEnd();
    }

    [Fact]
    public void An_interrupt_comes_before_the_next_instruction_and_once()
    {
        using VcpuHarness run = Start(GuestImage.Of(CodeMode.Long64, c =>
        {
            c.@out(0x10, al);
            c.nop();
            c.nop();
            c.Done();
        }).WithState(s => s.General.Rflags |= 0x200), BackendCapabilities.GuestExceptions);
        VmExit exit = run.Expect(ExitReason.PortIo);
        run.Complete(ExitCompletion.Retire);
        Assert.True(run.Vcpu.TryInterrupt(Vector));
        run.RunToEnd();
        Assert.Equal((Vector, exit.Rip + exit.InstructionLength), (Assert.Single(run.Exceptions).Vector, run.Exceptions[0].Rip));
    }

    [Fact]
    public void Mov_ss_holds_interrupts_for_one_instruction()
    {
        using VcpuHarness run = Start(GuestImage.Of(CodeMode.Long64, c =>
        {
            c.mov(eax, Descriptors.KernelData);
            c.sti();
            c.mov(ss, eax);
            c.nop();
            c.nop();
            c.Done();
        }), BackendCapabilities.GuestExceptions);
        run.Vcpu.RequestInterruptWindow(true);
        // mov 5, sti 1, mov ss 2: the shadow of STI covers MOV SS, whose own covers the NOP (SDM 3A 6.8.3).
        Holds(Rules.WindowIsExact, () => Assert.Equal(GuestLayout.Code + 9, run.Expect(ExitReason.InterruptWindow).Rip));
    }

    [Theory]
    [MemberData(nameof(Modes.All), MemberType = typeof(Modes))]
    public void A_third_fault_is_a_shutdown(CodeMode mode)
    {
        using VcpuHarness run = Start(GuestImage.Of(mode, c =>
        {
            c.int3();
            c.Done();
        }).WithState(s => s.System.Idtr.Limit = 0));
        if (mode == CodeMode.Real16)
            Holds(Rules.IdtLimitInRealMode, () => Check(run));
        else
            Check(run);

        static void Check(VcpuHarness run)
        {
            run.Expect(ExitReason.Shutdown);
            Assert.Equal(ActivityState.Shutdown, run.Save().System.Activity);
            run.Vcpu.Reset();
            Assert.Equal(ActivityState.Running, run.Save().System.Activity);
        }
    }

    [Theory]
    [MemberData(nameof(Modes.Protected), MemberType = typeof(Modes))]
    public void A_fault_whose_gate_is_missing_is_a_double_fault(CodeMode mode)
    {
        const ulong Absent = 0x0000_0E00_0008_0000; // an interrupt gate with P clear
        int gate = mode == CodeMode.Long64 ? 16 : 8;
        using VcpuHarness run = Start(GuestImage.Of(mode, c =>
        {
            c.GuardAt(GuestLayout.Code, c.ud2);
            c.Done();
        }).With(GuestLayout.Idt + (ulong)(6 * gate), Absent).With(GuestLayout.Idt + (ulong)(11 * gate), Absent), BackendCapabilities.GuestExceptions);
        run.RunToEnd();
        // #UD finds its gate absent: #NP. #UD is benign, so the #NP is delivered (SDM 3A 6.15, table 6-5); its gate is absent too: contributory on
        // contributory.
        ExceptionRecord fault = Assert.Single(run.Exceptions);
        Assert.Equal((8, 0u, GuestLayout.Code), (fault.Vector, fault.ErrorCode, fault.Rip));
    }

    [Theory]
    [InlineData(CodeMode.Protected32)]
    [InlineData(CodeMode.Long64)]
    public void An_intercepted_exception_exits_and_can_be_delivered_after_all(CodeMode mode)
    {
        using VcpuHarness run = Start(GuestImage.Of(mode, c =>
        {
            c.Guard(c.ud2);
            c.Mark(0);
            c.Done();
        }), BackendCapabilities.ExceptionIntercept | BackendCapabilities.GuestExceptions);
        run.Vcpu.InterceptExceptions(1u << 6);
        VmExit exit = run.Expect(ExitReason.Exception);
        Assert.Equal(new ExceptionExit(6, false, 0, 0), exit.Exception);
        Assert.Equal(GuestLayout.Code, exit.Rip);
        Assert.Empty(run.Exceptions);
        run.Complete(ExitCompletion.InvalidOpcode);
        run.RunToEnd();
        Assert.Equal((6, 1UL), (Assert.Single(run.Exceptions).Vector, run.Result(0)));
    }

    [Fact]
    public void An_intercepted_page_fault_exits_with_code_and_address_before_cr2_is_written()
    {
        const ulong Missing = 0x5_0000;
        GuestImage image = GuestImage.Of(CodeMode.Long64, c =>
        {
            c.Guard(() => c.mov(__dword_ptr[(long)Missing + 4], eax));
            c.Done();
        }).WithState(s => s.System.Cr2 = 0x1234);
        image.Tables!.Map(Missing, Missing, PageBits.None);
        using VcpuHarness run = Start(image, BackendCapabilities.ExceptionIntercept | BackendCapabilities.GuestExceptions);
        run.Vcpu.InterceptExceptions(1u << 14);
        Assert.Equal(new ExceptionExit(14, true, 2, Missing + 4), run.Expect(ExitReason.Exception).Exception);
        Assert.Equal(0x1234UL, run.Save().System.Cr2);
        run.Complete(ExitCompletion.Fault(14, true, 2, Missing + 4));
        run.RunToEnd();
        Assert.Equal(Missing + 4, Assert.Single(run.Exceptions).Cr2);
    }
}
