using Hv.Contracts.Guests;
using Hv.Core;
using Hv.Core.Exits;
using Hv.Core.Registers;
using Xunit;
using static Iced.Intel.AssemblerRegisters;

namespace Hv.Contracts;

/// <summary>How far a run goes: budgets are exact, cancellation always gets through, exits allocate nothing.</summary>
public abstract class BudgetContract(BackendUnderTest subject) : ContractTest(subject)
{
    [Theory]
    [MemberData(nameof(Modes.Sizes), MemberType = typeof(Modes))]
    public void A_budget_is_exact(CodeMode mode)
    {
        using VcpuHarness run = Start(Loop(mode), BackendCapabilities.Deterministic);
        ulong total = 0;
        foreach (int budget in (int[])[1, 1, 2, 3, 5, 8, 13, 21, 100])
        {
            run.Expect(ExitReason.BudgetExpired, budget);
            total += (ulong)budget;
            Assert.Equal(total, run.Vcpu.InstructionsRetired);
        }
    }

    [Theory]
    [MemberData(nameof(Modes.All), MemberType = typeof(Modes))]
    public void Slices_of_any_size_pass_through_the_same_states(CodeMode mode)
    {
        using VcpuHarness single = Start(Loop(mode), BackendCapabilities.Deterministic);
        var states = new List<GeneralRegisters>();
        for (int i = 0; i < 210; i++)
        {
            single.Expect(ExitReason.BudgetExpired, 1);
            states.Add(single.Registers);
        }

        foreach (int slice in (int[])[2, 3, 7, 30, 210])
        {
            using VcpuHarness run = Start(Loop(mode));
            for (int at = slice; at <= 210; at += slice)
            {
                run.Expect(ExitReason.BudgetExpired, slice);
                GeneralRegisters expected = states[at - 1], actual = run.Registers;
                for (int i = 0; i < 16; i++)
                    Assert.Equal(expected[i], actual[i]);
                Assert.Equal((expected.Rip, expected.Rflags), (actual.Rip, actual.Rflags));
            }
        }
    }

    [Fact]
    public void A_delivered_exception_counts_so_a_fault_loop_ends()
    {
        // The handler's IRET goes back to the UD2, for ever.
        using VcpuHarness run = Start(GuestImage.Of(CodeMode.Long64, c => c.ud2()).WithCode(GuestLayout.SecondCode, c => c.iretq())
            .With(GuestLayout.Idt + 6 * 16, 0x0000_8E00_0008_0000 | GuestLayout.SecondCode),
            BackendCapabilities.Deterministic | BackendCapabilities.GuestExceptions);
        run.Expect(ExitReason.BudgetExpired, 1000);
        Assert.Equal(1000UL, run.Vcpu.InstructionsRetired);
    }

    [Fact]
    public void A_budget_that_ends_at_an_exit_gives_the_exit_next()
    {
        using VcpuHarness run = Start(GuestImage.Of(CodeMode.Long64, c =>
        {
            c.nop();
            c.nop();
            c.@out(0x10, al);
            c.Done();
        }), BackendCapabilities.Deterministic);
        Assert.Equal(GuestLayout.Code + 2, run.Expect(ExitReason.BudgetExpired, 2).Rip);
        Assert.Equal(GuestLayout.Code + 2, run.Expect(ExitReason.PortIo, 1).Rip);
        run.Complete(ExitCompletion.Retire);
        Assert.Equal(3UL, run.Vcpu.InstructionsRetired);
    }

    [Fact]
    public void An_exit_costs_its_budget_when_it_is_completed()
    {
        using VcpuHarness run = Start(GuestImage.Of(CodeMode.Long64, c =>
        {
            c.nop();
            c.@out(0x10, al);
            c.Done();
        }), BackendCapabilities.Deterministic);
        run.Expect(ExitReason.PortIo);
        Assert.Equal(1UL, run.Vcpu.InstructionsRetired);
        run.Expect(ExitReason.PortIo);
        Assert.Equal(1UL, run.Vcpu.InstructionsRetired);
        run.Complete(ExitCompletion.Retire);
        Assert.Equal(2UL, run.Vcpu.InstructionsRetired);
    }

    [Theory]
    [InlineData(CodeMode.Real16)]
    [InlineData(CodeMode.Long64)]
    public void An_endless_loop_is_cancelled_from_another_thread(CodeMode mode)
    {
        using VcpuHarness run = Start(GuestImage.Of(mode, c =>
        {
            Iced.Intel.Label loop = c.CreateLabel();
            c.Label(ref loop);
            c.jmp(loop);
        }));
        CancelDuring(run);
    }

    [Fact]
    public void An_endless_fault_loop_is_cancelled_from_another_thread()
    {
        using VcpuHarness run = Start(GuestImage.Of(CodeMode.Long64, c => c.ud2()).WithCode(GuestLayout.SecondCode, c => c.iretq())
            .With(GuestLayout.Idt + 6 * 16, 0x0000_8E00_0008_0000 | GuestLayout.SecondCode), BackendCapabilities.GuestExceptions);
        CancelDuring(run);
    }

    [Fact]
    public void A_long_rep_is_cancelled_from_another_thread_and_goes_on_afterwards()
    {
        // Nearly all of the time is spent inside the REP.
        using VcpuHarness run = Start(GuestImage.Of(CodeMode.Protected32, c =>
        {
            Iced.Intel.Label loop = c.CreateLabel();
            c.Label(ref loop);
            c.mov(ecx, 0xF0000);
            c.xor(esi, esi);
            c.rep.lodsb();
            c.jmp(loop);
        }));
        CancelDuring(run);
        CancelDuring(run);
        Assert.True(run.Registers.Rcx <= 0xF0000);
        Assert.True(run.Registers.Rsi <= 0xF0000);
    }

    [Fact]
    public void A_request_made_before_the_run_ends_it_at_once_and_only_it()
    {
        using VcpuHarness run = Start(GuestImage.Of(CodeMode.Long64, c => c.Done()));
        run.Vcpu.RequestExit();
        Assert.Equal(GuestLayout.Code, run.Expect(ExitReason.Cancelled).Rip);
        run.RunToEnd();
    }

    [Fact]
    public void Hypercalls_ports_and_msrs_allocate_nothing()
    {
        using VcpuHarness run = Start(GuestImage.Of(CodeMode.Long64, c =>
        {
            Iced.Intel.Label loop = c.CreateLabel();
            c.Label(ref loop);
            c.db(MachineHarness.StubOf(Backend)[..^1]);
            c.@out(0x10, al);
            c.@in(eax, 0x10);
            c.mov(ecx, GuestCode.ApiMagic);
            c.rdmsr();
            c.wrmsr();
            c.jmp(loop);
        }));
        for (int i = 0; i < 1000; i++)
            RunOnce(run.Vcpu);
        // A collection that another test causes, or a method compiled anew, can charge this thread some bytes once: what an exit allocates shows in
        // every round.
        long least = long.MaxValue;
        for (int round = 0; round < 5; round++)
        {
            long before = GC.GetAllocatedBytesForCurrentThread();
            for (int i = 0; i < 1000; i++)
                RunOnce(run.Vcpu);
            least = Math.Min(least, GC.GetAllocatedBytesForCurrentThread() - before);
        }

        Assert.Equal(0, least);

        static void RunOnce(IVcpu vcpu)
        {
            vcpu.Run(1000, out VmExit exit);
            bool hasResult = exit.Reason is ExitReason.Hypercall or ExitReason.MsrRead || (exit.Reason == ExitReason.PortIo && !exit.PortIo.IsWrite);
            vcpu.Complete(hasResult ? ExitCompletion.RetireWith(1) : ExitCompletion.Retire);
        }
    }

    private static void CancelDuring(VcpuHarness run)
    {
        using var timer = new Timer(_ => run.Vcpu.RequestExit(), null, 30, Timeout.Infinite);
        Assert.Equal(ExitReason.Cancelled, run.Run(long.MaxValue).Reason);
    }

    private static GuestImage Loop(CodeMode mode) => GuestImage.Of(mode, c =>
    {
        Iced.Intel.Label loop = c.CreateLabel(), sub = c.CreateLabel();
        c.xor(eax, eax);
        c.mov(ebx, 3);
        c.Label(ref loop);
        c.add(eax, ebx);
        c.rol(ebx, 3);
        c.call(sub);
        c.xor(edx, eax);
        c.jmp(loop);
        c.Label(ref sub);
        c.push(ax);
        c.adc(ecx, eax);
        c.pop(bp);
        c.ret();
    });

    /// <summary>An instruction that faults is not counted, the delivery of its exception is one: also where the fault is found only after the exit was
    /// offered, as that of a reserved bit of EFER (SDM 4, table 2-2) is.</summary>
    [Fact]
    public void A_wrmsr_that_faults_is_not_counted_and_its_delivery_is()
    {
        using VcpuHarness run = Start(GuestImage.Of(CodeMode.Long64, c =>
        {
            c.mov(ecx, 0xC000_0080);
            c.mov(eax, 2);
            c.xor(edx, edx);
            c.wrmsr();
            c.hlt();
        }).WithCode(GuestLayout.SecondCode, c => c.@out(0x10, al)).With(GuestLayout.Idt + 13 * 16, 0x0000_8E00_0008_0000 | GuestLayout.SecondCode),
            BackendCapabilities.GuestExceptions | BackendCapabilities.Deterministic);
        Assert.Equal(GuestLayout.SecondCode, run.Expect(ExitReason.PortIo).Rip);
        Assert.Equal(4UL, run.Vcpu.InstructionsRetired);
    }
}
