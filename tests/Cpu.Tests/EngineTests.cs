using System.Runtime.CompilerServices;
using Hv.Core;
using Hv.Cpu.Virtualization;
using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;

namespace Hv.Cpu.Tests;

/// <summary>The engine's promises that are not one instruction's: exact budgets, stops, self-modification, replay, the host's stack and
/// heap.</summary>
public sealed class EngineTests
{
    private static void CountDown(Assembler a)
    {
        Label top = a.CreateLabel();
        a.mov(ecx, 3_000_000);
        a.Label(ref top);
        a.add(eax, 1);
        a.xor(edx, eax);
        a.sub(ecx, 1);
        a.jne(top);
        a.hlt();
    }

    [Fact]
    public void A_long_chain_of_blocks_uses_no_host_stack()
    {
        // Twelve million handlers and three million blocks in one call: a handler that did not jump to the next would overflow the stack.
        using Guest guest = Guest.Long().With(CountDown);
        guest.RunToHalt();
        Assert.Equal(3_000_000UL, guest.Gpr.Rax);
        Assert.Equal(12_000_001UL, guest.Cpu.InstructionsRetired);
    }

    /// <summary>The counter ticks with each instruction (ADR 0005), also for one that runs alone: in the shadow of STI, where a counter that was ahead
    /// by the rest of the budget would go back afterwards.</summary>
    [Theory]
    [InlineData(0x90)] // NOP
    [InlineData(0xFB)] // STI
    public void The_time_stamp_counts_the_instructions_before_it(byte before)
    {
        using Guest guest = Guest.Long();
        guest.Execute(1_000_000, 0x90, before, 0x0F, 0x31, 0xF4);
        Assert.Equal((2UL, 0UL), (guest.Gpr.Rax, guest.Gpr.Rdx));
    }

    [Fact]
    public void Running_allocates_nothing()
    {
        using Guest guest = Guest.Long().With(CountDown);
        guest.Cpu.Run(1000);
        // Under load a turn has shown some kilobytes (1,792 once) that no other turn shows; what guest code allocates it allocates each time.
        long least = long.MaxValue;
        for (int i = 0; i < 5; i++)
        {
            long before = GC.GetAllocatedBytesForCurrentThread();
            guest.Cpu.Run(100_000);
            least = Math.Min(least, GC.GetAllocatedBytesForCurrentThread() - before);
        }

        Assert.Equal(0, least);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(5)]
    [InlineData(7)]
    [InlineData(1001)]
    public void A_budget_is_exact(int budget)
    {
        using Guest guest = Guest.Long().With(CountDown);
        for (int i = 1; i <= 20; i++)
        {
            Assert.Equal(RunResult.Budget, guest.Cpu.Run(budget));
            Assert.Equal((ulong)(i * budget), guest.Cpu.InstructionsRetired);
            // One MOV, then rounds of four, of which ADD is the first.
            Assert.Equal((ulong)((i * budget - 1 + 3) / 4), guest.Gpr.Rax);
        }
    }

    [Fact]
    public void A_stop_request_ends_a_run()
    {
        using Guest guest = Guest.Long().With(0xEB, 0xFE);
        var thread = new Thread(() =>
        {
            Thread.Sleep(20);
            guest.Cpu.RequestStop();
        });
        thread.Start();
        Assert.Equal(RunResult.Stopped, guest.Cpu.Run(long.MaxValue));
        thread.Join();
        Assert.Equal(RunResult.Budget, guest.Cpu.Run(10));
    }

    [Fact]
    public void A_stop_request_ends_a_REP_with_exact_registers()
    {
        using Guest guest = Guest.Long().With(a =>
        {
            a.mov(edi, (int)Guest.Data);
            a.mov(rcx, 0x1000_0000_0000);
            a.rep.lodsb();
            a.hlt();
        });
        guest.Gpr.Rsi = Guest.Data;
        // Address 4 MiB is not mapped: the run ends there with a page fault, whatever the pieces were.
        Assert.Equal(14, guest.RunToException());
        Assert.Equal(0x40_0000UL, guest.Gpr.Rsi);
        Assert.Equal(0x1000_0000_0000UL - (0x40_0000 - Guest.Data), guest.Gpr.Rcx);
        Assert.Equal(0x40_0000UL, guest.Cpu.Event.Address);
    }

    [Fact]
    public void Code_that_changes_its_own_next_instruction_runs_the_new_one()
    {
        using Guest guest = Guest.Long().With(a =>
        {
            // MOV EAX, 1 becomes MOV EAX, 2 just before it is reached, in the same block.
            Label patched = a.CreateLabel();
            a.lea(rbx, __[patched]);
            a.mov(__byte_ptr[rbx + 1], 2);
            a.Label(ref patched);
            a.mov(eax, 1);
            a.hlt();
        });
        guest.RunToHalt();
        Assert.Equal(2UL, guest.Gpr.Rax);
    }

    [Fact]
    public void Code_that_was_run_and_then_changed_runs_changed()
    {
        using Guest guest = Guest.Long().With(a =>
        {
            Label top = a.CreateLabel(), target = a.CreateLabel(), done = a.CreateLabel();
            a.lea(rbx, __[target]);
            a.mov(ecx, 100);
            a.Label(ref top);
            a.call(target);
            a.inc(__byte_ptr[rbx + 2]);
            a.dec(ecx);
            a.jne(top);
            a.jmp(done);
            a.nop(8);
            a.Label(ref target);
            a.db(0x83, 0xC0, 0x00);
            a.ret();
            a.Label(ref done);
            a.hlt();
        });
        guest.RunToHalt();
        // 0 + 1 + ... + 99, each immediate below 128.
        Assert.Equal(4950UL, guest.Gpr.Rax);
    }

    [Fact]
    public void A_host_write_into_code_is_seen()
    {
        using Guest guest = Guest.Long().With(0xB8, 1, 0, 0, 0, 0xF4);
        guest.RunToHalt();
        guest.Memory.TryWrite(new Gpa(Guest.Code + 1), (byte)7);
        guest.Gpr.Rip = Guest.Code;
        guest.RunToHalt();
        Assert.Equal(7UL, guest.Gpr.Rax);
    }

    [Fact]
    public void A_device_read_is_answered_and_the_instruction_runs_again()
    {
        using Guest guest = Guest.Protected().With(a =>
        {
            a.mov(ebx, 0x1000_0000);
            a.mov(eax, 5);
            a.add(__dword_ptr[ebx], eax);
            a.mov(edx, __dword_ptr[ebx]);
            a.hlt();
        });
        guest.Cpu.Virtualization.TakeMemory = true;
        Expect(guest, GuestAccess.Read | GuestAccess.Write, false, 0);
        guest.Cpu.CompleteDeviceAccess(100);
        Expect(guest, GuestAccess.Write, true, 105);
        guest.Cpu.CompleteDeviceAccess(0);
        Expect(guest, GuestAccess.Read, false, 0);
        guest.Cpu.CompleteDeviceAccess(0x1234_5678_9ABC_DEF0);
        guest.RunToHalt();
        Assert.Equal(0x9ABC_DEF0UL, guest.Gpr.Rdx);
        Assert.Equal(4UL, guest.Cpu.InstructionsRetired);
    }

    private static void Expect(Guest guest, GuestAccess access, bool isWrite, ulong value)
    {
        Assert.Equal(RunResult.Event, guest.Cpu.Run(100));
        Assert.Equal(CpuEventKind.GuestPhysicalAccess, guest.Cpu.Event.Kind);
        Assert.Equal(0x1000_0000UL, guest.Cpu.Event.Address);
        Assert.Equal((access, isWrite, (byte)4, value),
            (guest.Cpu.Event.Access, guest.Cpu.Event.IsWrite, guest.Cpu.Event.Size, guest.Cpu.Event.Value));
    }

    [Fact]
    public void A_hole_that_nobody_answers_reads_as_ones()
    {
        using Guest guest = Guest.Protected().With(a =>
        {
            a.mov(ebx, 0x1000_0000);
            a.mov(__dword_ptr[ebx], ebx);
            a.mov(eax, __dword_ptr[ebx]);
            a.hlt();
        });
        guest.RunToHalt();
        Assert.Equal(0xFFFF_FFFFUL, guest.Gpr.Rax);
    }

    [Theory]
    [InlineData(0, int.MaxValue)]
    [InlineData(3, int.MaxValue)]
    [InlineData(3, int.MaxValue - 8)]
    [InlineData(3, int.MinValue)]
    public void An_operand_2_GiB_from_RIP_is_where_the_manual_says(int nops, int displacement)
    {
        // SDM 2A 2.2.1.6: the 32-bit displacement is sign-extended and added to the 64-bit RIP of the next instruction.
        using Guest guest = Guest.Long().With([.. Enumerable.Repeat((byte)0x90, nops), 0x8B, 0x05, .. BitConverter.GetBytes(displacement)]);
        Assert.Equal(14, guest.RunToException());
        Assert.Equal(Guest.Code + (ulong)nops + 6 + (ulong)displacement, guest.Cpu.Event.Address);
    }

    [Theory]
    [InlineData(0xAA, true)] // STOSB
    [InlineData(0xA4, true)] // MOVSB
    [InlineData(0xAC, false)] // LODSB
    public void A_data_breakpoint_stops_a_REP_after_the_element_that_hit(byte opcode, bool writes)
    {
        // SDM 3B 18.3.1.2: a data breakpoint is a trap, within a REP after the iteration.
        using Guest guest = Guest.Long().With(0xF3, opcode, 0xF4);
        (guest.Gpr.Rcx, guest.Gpr.Rdi, guest.Gpr.Rsi) = (200, Guest.Data, writes ? Guest.Data + 0x1000 : Guest.Data);
        guest.Cpu.State.Sys.Dr0 = Guest.Data + 100;
        guest.Cpu.State.Sys.Dr7 = 0x400 | 2 | (writes ? 1u : 3u) << 16;
        guest.Changed();
        Assert.Equal(1, guest.RunToException());
        Assert.Equal((99UL, Guest.Data + 101), (guest.Gpr.Rcx, writes ? guest.Gpr.Rdi : guest.Gpr.Rsi));
    }

    [Fact]
    public void A_fault_in_the_middle_of_a_block_gives_back_what_was_not_run()
    {
        using Guest guest = Guest.Long().With(a =>
        {
            a.mov(eax, 1);
            a.mov(rbx, 0x7FFF_0000_0000);
            a.mov(__qword_ptr[rbx], rax);
            a.mov(eax, 2);
            a.hlt();
        });
        Assert.Equal(14, guest.RunToException());
        Assert.Equal(2UL, guest.Cpu.InstructionsRetired);
        Assert.Equal(1UL, guest.Gpr.Rax);
        Assert.Equal(2UL, guest.Cpu.Event.Value);
    }
}
