using Hv.Contracts.Guests;
using Hv.Core;
using Hv.Core.Exits;
using Hv.Core.Registers;
using Xunit;
using static Iced.Intel.AssemblerRegisters;

namespace Hv.Contracts;

/// <summary>Exceptions through the guest's own table: raised by it and injected by the host (SDM 3A 6.5, 6.12 to 6.15).</summary>
public abstract class FaultContract(BackendUnderTest subject) : ContractTest(subject)
{
    private const ulong NonCanonical = 0x8000_0000_0000_0000;

    [Theory]
    [MemberData(nameof(Modes.All), MemberType = typeof(Modes))]
    public void Faults_point_at_the_instruction_and_traps_behind_it(CodeMode mode)
    {
        using VcpuHarness run = Start(GuestImage.Of(mode, c =>
        {
            c.Guard(c.ud2);
            c.xor(ecx, ecx);
            c.Guard(() => c.div(ecx));
            c.int3();
            c.@int(0x21);
            c.Mark(0);
            c.Done();
        }), BackendCapabilities.GuestExceptions);
        run.RunToEnd();
        ulong div = GuestLayout.Code + 2 + (mode.Bits() == 16 ? 3UL : 2UL);
        ulong int3 = div + (mode.Bits() == 16 ? 3UL : 2UL);
        Assert.Equal([(6, GuestLayout.Code), (0, div), (3, int3 + 1), (0x21, int3 + 3)], run.Exceptions.Select(e => ((int)e.Vector, e.Rip)));
        Assert.All(run.Exceptions, e => Assert.Equal(GuestLayout.StackTop, e.Rsp));
        Assert.Equal(1UL, run.Result(0));
        Assert.Equal(GuestLayout.StackTop, run.Registers.Rsp);
    }

    [Theory]
    [MemberData(nameof(Modes.Sizes), MemberType = typeof(Modes))]
    public void The_trap_flag_steps_one_instruction_at_a_time(CodeMode mode)
    {
        using VcpuHarness run = Start(GuestImage.Of(mode, c =>
        {
            c.pushf();
            c.or(c.StackTopWord, 0x100);
            c.popf();
            c.nop();
            c.nop();
            c.StopStepping();
            c.nop();
            c.Done();
        }), BackendCapabilities.GuestExceptions);
        run.RunToEnd();
        // Steps over: nop, nop, pushf, and, popf (SDM 3B 18.3.1.4: the trap of the instruction that sets TF is the next one's).
        Assert.Equal(5, run.Exceptions.Count);
        Assert.All(run.Exceptions, e => Assert.Equal(1, e.Vector));
        Assert.Equal(run.Exceptions[0].Rip + 1, run.Exceptions[1].Rip);
    }

    [Fact]
    public void General_protection_in_real_mode_pushes_no_error_code()
    {
        using VcpuHarness run = Start(GuestImage.Of(CodeMode.Real16, c =>
        {
            c.Guard(() => c.mov(ax, Iced.Intel.AssemblerRegisters.__word_ptr[0xFFFF])); // a word across the segment limit
            c.Done();
        }), BackendCapabilities.GuestExceptions);
        run.RunToEnd();
        Assert.Equal((13, GuestLayout.Code, GuestLayout.StackTop),
            (Assert.Single(run.Exceptions).Vector, run.Exceptions[0].Rip, run.Exceptions[0].Rsp));
    }

    [Theory]
    [MemberData(nameof(Modes.Protected), MemberType = typeof(Modes))]
    public void A_selector_outside_the_table_is_gp_with_the_selector(CodeMode mode)
    {
        using VcpuHarness run = Start(GuestImage.Of(mode, c =>
        {
            c.mov(eax, 0xFFF8);
            c.Guard(() => c.mov(es, eax));
            c.Done();
        }), BackendCapabilities.GuestExceptions);
        run.RunToEnd();
        Assert.Equal((13, 0xFFF8u), (Assert.Single(run.Exceptions).Vector, run.Exceptions[0].ErrorCode));
    }

    [Fact]
    public void A_non_canonical_address_is_gp_and_through_rsp_ss()
    {
        using VcpuHarness run = Start(GuestImage.Of(CodeMode.Long64, c =>
        {
            c.mov(rax, NonCanonical);
            c.Guard(() => c.mov(rbx, __qword_ptr[rax]));
            c.mov(rbp, rax);
            c.Guard(() => c.mov(rbx, __qword_ptr[rbp]));
            c.Done();
        }), BackendCapabilities.GuestExceptions);
        run.RunToEnd();
        Assert.Equal([(13, 0u), (12, 0u)], run.Exceptions.Select(e => ((int)e.Vector, e.ErrorCode)));
    }

    [Theory]
    [MemberData(nameof(Modes.Protected), MemberType = typeof(Modes))]
    public void A_fault_at_cpl_3_switches_to_the_stack_of_the_task_state_segment(CodeMode mode)
    {
        Need(BackendCapabilities.SoftwareInterrupts);
        using VcpuHarness run = Start(GuestImage.Of(mode, c => c.EnterUser()).WithCode(GuestLayout.SecondCode, c =>
        {
            c.push(0x77);
            c.Guard(c.ud2);
            c.@int(0x30);
            c.hlt();
        }, mode), BackendCapabilities.UserMode | BackendCapabilities.GuestExceptions);
        run.RunToEnd();
        int word = mode == CodeMode.Long64 ? 8 : 4;
        Assert.Equal([6, 0x30, 13], run.Exceptions.Select(e => (int)e.Vector));
        Assert.All(run.Exceptions, e => Assert.Equal((Descriptors.UserCode, GuestLayout.UserStackTop - (ulong)word), (e.Cs, e.Rsp)));
        Assert.Equal(Descriptors.UserData, run.Read<ushort>(GuestLayout.InterruptStackTop - (ulong)word));
    }

    [Theory]
    [InlineData(CodeMode.Protected32, 13, true, 0u, 0UL)]
    [InlineData(CodeMode.Long64, 13, true, 0u, 0UL)]
    [InlineData(CodeMode.Long64, 13, true, 0x1230u, 0UL)]
    [InlineData(CodeMode.Real16, 6, false, 0u, 0UL)]
    [InlineData(CodeMode.Protected32, 6, false, 0u, 0UL)]
    [InlineData(CodeMode.Long64, 6, false, 0u, 0UL)]
    [InlineData(CodeMode.Long64, 14, true, 7u, 0x7FFF_1234_5678UL)]
    [InlineData(CodeMode.Paged32, 14, true, 2u, 0x1234_5678UL)]
    [InlineData(CodeMode.Long64, 11, true, 0x18u, 0UL)]
    [InlineData(CodeMode.Long64, 0, false, 0u, 0UL)]
    public void An_injected_fault_arrives_with_code_and_address_and_rip_on_the_instruction(CodeMode mode, byte vector, bool hasCode, uint code,
        ulong address)
    {
        using VcpuHarness run = Start(GuestImage.Of(mode, c =>
        {
            c.mov(eax, 0x99);
            c.Guard(() => c.@in(al, 0x44));
            c.Mark(0);
            c.Done();
        }), BackendCapabilities.GuestExceptions);
        ulong oldCr2 = run.Save().System.Cr2;
        VmExit exit = run.Expect(ExitReason.PortIo);
        run.Complete(ExitCompletion.Fault(vector, hasCode, code, address));
        run.RunToEnd();
        ExceptionRecord fault = Assert.Single(run.Exceptions);
        Assert.Equal((vector, code, exit.Rip), (fault.Vector, fault.ErrorCode, fault.Rip));
        if (mode != CodeMode.Real16)
            Assert.Equal(vector == 14 ? address : oldCr2, fault.Cr2);
        Assert.Equal((1UL, 0x99UL), (run.Result(0), run.Registers.Rax));
        Assert.Equal(GuestLayout.StackTop, run.Registers.Rsp);
    }

    [Fact]
    public void A_faulting_instruction_leaves_registers_and_flags_alone()
    {
        const ulong Hole = 0x5_0000;
        GuestImage image = GuestImage.Of(CodeMode.Long64, c =>
        {
            c.mov(edi, (int)Hole);
            c.mov(esi, (int)GuestLayout.Code);
            c.mov(ecx, 5);
            c.stc();
            c.Guard(() => c.add(__qword_ptr[rdi], rax));
            c.Guard(() => c.xchg(__qword_ptr[rdi], rax));
            c.Guard(() => c.rep.movsb());
            c.Guard(() => c.cmpxchg(__qword_ptr[rdi], rbx));
            c.Guard(() => c.pop(__qword_ptr[rdi]));
            c.mov(rsp, rdi);
            c.Guard(() => c.call(rsi));
            c.Done();
        });
        image.Tables!.Map(Hole, Hole, PageBits.None);
        image.Tables.Map(Hole - 0x1000, Hole, PageBits.None);
        // The handler needs a stack when RSP is bad: the interrupt stack table's first.
        image.With(GuestLayout.Tss + 0x24, GuestLayout.InterruptStackTop).With(GuestLayout.Idt + 14 * 16 + 4, 1);
        using VcpuHarness run = Start(image, BackendCapabilities.GuestExceptions);
        run.Registers.Rax = 0xAAAA;
        run.Registers.Rbx = 0xBBBB;
        run.RunToEnd();
        GeneralRegisters r = run.Registers;
        Assert.Equal(6, run.Exceptions.Count);
        Assert.All(run.Exceptions, e => Assert.Equal((14, 1UL), (e.Vector, e.Rflags & 0x8D5)));
        Assert.Equal((0xAAAAUL, 0xBBBBUL, 5UL, GuestLayout.Code, Hole), (r.Rax, r.Rbx, r.Rcx, r.Rsi, r.Rdi));
        Assert.Equal(Hole, r.Rsp);
    }
}
