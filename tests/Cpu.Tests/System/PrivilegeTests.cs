using Hv.Core.Registers;
using static Hv.Cpu.Tests.SystemHalf.SystemMachine;

namespace Hv.Cpu.Tests.SystemHalf;

/// <summary>IRET, flags, ports, system calls and debug traps by privilege.</summary>
public sealed class PrivilegeTests
{
    private const ulong Target = 0x1_4000;

    /// <summary>IRET from CPL 0 to CPL 0 with an image of ones: which flags stay (SDM 2A IRET)</summary>
    [Fact]
    public void Iret_to_an_outer_level_restores_stack_and_flags()
    {
        using var m = new SystemMachine(CpuMode.Protected32);
        m.Write(Target, 0xCD, ExitVector);
        // PUSH UserData32; PUSH Stack3; PUSH 0x3202 (IOPL 3, IF); PUSH UserCode32; PUSH Target; IRET
        Outcome outcome = m.Run(0x6A, (byte)UserData32, 0x68, 0x00, 0x60, 0x02, 0x00, 0x68, 0x02, 0x32, 0, 0, 0x6A, (byte)UserCode32, 0x68, 0x00,
            0x40, 0x01, 0x00, 0xCF);
        Assert.Equal(ExitVector, outcome.Vector);
        Assert.Equal(0x3202UL, outcome.Flags);
        Assert.Equal(Stack3, outcome.Rsp);
        Assert.Equal(UserCode32, outcome.Cs);
        Assert.False(m.State.Sys.Ds.Usable);
    }

    [Fact]
    public void Iret_at_cpl_3_cannot_raise_iopl_or_if()
    {
        using var m = new SystemMachine(CpuMode.Protected32, 3);
        m.Write(Target, 0xCD, ExitVector);
        // PUSH 0x3246 (IOPL 3, IF, ZF, PF); PUSH UserCode32; PUSH Target; IRET
        Outcome outcome = m.Run(0x68, 0x46, 0x32, 0, 0, 0x6A, (byte)UserCode32, 0x68, 0x00, 0x40, 0x01, 0x00, 0xCF);
        Assert.Equal(0x46UL, outcome.Flags);
    }

    [Fact]
    public void Iretq_pops_the_stack_even_at_the_same_level()
    {
        using var m = new SystemMachine(CpuMode.Long);
        // PUSH Data32; PUSH 0x1F000; PUSH 2; PUSH Code64; PUSH Target; IRETQ
        m.Write(Target, 0xF4);
        m.Run(0x6A, (byte)Data32, 0x68, 0x00, 0xF0, 0x01, 0x00, 0x6A, 0x02, 0x6A, (byte)Code64, 0x68, 0x00, 0x40, 0x01, 0x00, 0x48, 0xCF);
        Assert.Equal(Target + 1, m.State.Gpr.Rip);
        Assert.Equal(0x1F000UL, m.State.Gpr.Rsp);
    }

    [Theory]
    [InlineData(0x4002, "13(0)")] // NT has no meaning in IA-32e mode: #GP
    public void Iret_with_nt_in_ia32e_mode(int flags, string expected)
    {
        using var m = new SystemMachine(CpuMode.Long);
        m.State.Gpr.Rflags = (ulong)flags;
        Assert.Equal(expected, m.Run(0x48, 0xCF).ToString());
    }

    [Fact]
    public void An_iret_loop_ends_with_the_budget()
    {
        using var m = new SystemMachine(CpuMode.Real);
        // PUSHF; PUSH CS; PUSH 0; IRET
        m.Write(Code, 0x9C, 0x0E, 0x6A, 0x00, 0xCF);
        Assert.Equal(RunResult.Budget, m.Processor.Run(1000));
    }

    /// <summary>opcode bytes, mode, CPL, IOPL, outcome</summary>
    [Theory]
    [InlineData(0xFA, CpuMode.Protected32, 0, 0, "ok")]
    [InlineData(0xFA, CpuMode.Protected32, 3, 0, "13(0)")]
    [InlineData(0xFA, CpuMode.Protected32, 3, 3, "128")]
    [InlineData(0xFB, CpuMode.Protected32, 3, 2, "13(0)")]
    [InlineData(0xFB, CpuMode.Vm86, 3, 3, "128")]
    [InlineData(0xFB, CpuMode.Vm86, 3, 2, "13(0)")]
    [InlineData(0x9C, CpuMode.Vm86, 3, 2, "13(0)")]
    [InlineData(0x9C, CpuMode.Protected32, 3, 0, "128")]
    [InlineData(0xF4, CpuMode.Protected32, 3, 3, "13(0)")]   // HLT is for CPL 0 whatever IOPL is
    [InlineData(0xF4, CpuMode.Vm86, 3, 3, "13(0)")]
    public void Privileged_flag_instructions(int opcode, CpuMode mode, int cpl, int iopl, string expected)
    {
        using var m = new SystemMachine(mode, cpl);
        m.State.Gpr.Rflags |= (ulong)iopl << 12;
        byte[] code = cpl == 0 ? [(byte)opcode] : [(byte)opcode, 0xCD, ExitVector];
        Assert.Equal(expected, m.Run(code).ToString());
    }

    /// <summary>POPF of an image of ones: CPL, IOPL, bits that end set (SDM 2B POPF, table)</summary>
    [Theory]
    [InlineData(0, 0, 0x247FD7UL)]        // all but RF, VM, VIF, VIP
    [InlineData(3, 0, 0x244DD7UL & ~0x200UL)]
    [InlineData(3, 3, 0x247FD7UL)]
    public void Popf_by_privilege(int cpl, int iopl, ulong expected)
    {
        using var m = new SystemMachine(CpuMode.Protected32, cpl);
        m.State.Gpr.Rflags |= (ulong)iopl << 12;
        // PUSH -1 without TF, which would trap; POPF
        Outcome outcome = m.Run([0x68, 0xFF, 0xFE, 0xFF, 0xFF, 0x9D, .. cpl == 0 ? Array.Empty<byte>() : [0xCD, ExitVector]]);
        Assert.Equal(expected & ~0x100UL, outcome.Flags);
    }

    /// <summary>port, size opcode (OUT DX, AL/EAX), bit map byte index and value to clear, TSS limit, outcome</summary>
    [Theory]
    [InlineData(0x3F8, 0xEE, 0x7F, 0xFE, 0xFFF, "128")]     // bit 0 of byte 0x7F clear
    [InlineData(0x3F9, 0xEE, 0x7F, 0xFE, 0xFFF, "13(0)")]
    [InlineData(0x3F8, 0xEF, 0x7F, 0xF0, 0xFFF, "128")]     // a dword needs four clear bits
    [InlineData(0x3F8, 0xEF, 0x7F, 0xF8, 0xFFF, "13(0)")]
    [InlineData(0x3F8, 0xEE, 0x7F, 0xFE, 0xE7, "13(0)")]    // the map's byte is the limit's last: the second byte is outside
    [InlineData(0x3F8, 0xEE, 0x7F, 0xFE, 0xE8, "128")]
    [InlineData(0x3F8, 0xEE, 0x7F, 0xFE, 0x66, "13(0)")]    // no map base
    public void Port_permission_map(int port, int opcode, int index, int value, int limit, string expected)
    {
        using var m = new SystemMachine(CpuMode.Protected32, 3);
        m.Write(Tss + 0x68 + (ulong)index, (byte)value);
        m.State.Sys.Tr.Limit = (uint)limit;
        m.State.Gpr.Rdx = (ulong)port;
        Assert.Equal(expected, m.Run((byte)opcode, 0xCD, ExitVector).ToString());
    }

    [Theory]
    [InlineData(0xE6, 0x80, "128")]
    [InlineData(0xE6, 0x81, "13(0)")]
    [InlineData(0xE4, 0x80, "128")]
    public void The_immediate_form_names_its_port(int opcode, int port, string expected)
    {
        using var m = new SystemMachine(CpuMode.Protected32, 3);
        m.Write(Tss + 0x68 + 0x10, 0xFE);
        m.State.Gpr.Rdx = 0x3F8;
        Assert.Equal(expected, m.Run((byte)opcode, (byte)port, 0xCD, ExitVector).ToString());
    }

    [Theory]
    [InlineData(CpuMode.Protected32, 3, 3, "128")]
    [InlineData(CpuMode.Vm86, 3, 3, "13(0)")]   // the map decides even at IOPL 3
    [InlineData(CpuMode.Long, 3, 3, "128")]
    public void Port_permission_by_iopl(CpuMode mode, int cpl, int iopl, string expected)
    {
        using var m = new SystemMachine(mode, cpl);
        m.State.Gpr.Rflags |= (ulong)iopl << 12;
        Assert.Equal(expected, m.Run(0xE6, 0x80, 0xCD, ExitVector).ToString());
    }

    [Fact]
    public void Syscall_and_sysret()
    {
        using var m = new SystemMachine(CpuMode.Long, 3);
        m.State.Sys.Efer |= 1;
        m.State.Sys.Star = 0x0030_0008_0000_0000; // user base 0x30: CS 0x43, SS 0x3B
        m.State.Sys.Lstar = Target;
        m.State.Sys.Sfmask = 0x200;
        m.State.Gpr.Rflags = 0x202;
        m.Write(Target, 0x48, 0x0F, 0x07); // SYSRETQ
        Outcome outcome = m.Run(0x0F, 0x05, 0xCD, ExitVector);
        Assert.Equal(ExitVector, outcome.Vector);
        Assert.Equal(Code + 4, outcome.Rip);
        Assert.Equal(0x43, outcome.Cs);
        Assert.Equal(0x3B, outcome.Ss);
        Assert.Equal(0x202UL, outcome.Flags);
        Assert.Equal(Code + 2, m.State.Gpr.Rcx);
        Assert.Equal(0x202UL, m.State.Gpr.R11);
    }

    [Theory]
    [InlineData(true, "13(0)")]   // SDM: SYSRET itself, at CPL 0, on the kernel's stack
    [InlineData(false, "13(0)")]  // APM: the fetch, at CPL 3
    public void Sysret_to_a_non_canonical_address(bool sdm, string expected)
    {
        using var m = new SystemMachine(CpuMode.Long);
        m.Processor.Rules = sdm ? Hv.Cpu.System.VendorRules.Sdm : Hv.Cpu.System.VendorRules.Apm;
        m.State.Sys.Efer |= 1;
        m.State.Sys.Star = 0x0030_0008_0000_0000;
        m.State.Gpr.Rcx = 0x8000_0000_0000;
        m.State.Gpr.R11 = 2;
        Outcome outcome = m.Run(0x48, 0x0F, 0x07);
        Assert.Equal(expected, outcome.ToString());
        Assert.Equal(sdm ? Code : 0x8000_0000_0000, outcome.Rip);
        Assert.Equal(sdm ? Code64 : 0x43, outcome.Cs);
    }

    [Fact]
    public void Sysenter_and_sysexit()
    {
        using var m = new SystemMachine(CpuMode.Protected32, 3);
        m.State.Sys.SysenterCs = Code32;
        m.State.Sys.SysenterEip = Target;
        m.State.Sys.SysenterEsp = 0x1F000;
        m.State.Gpr.Rdx = Code + 2;
        m.State.Gpr.Rcx = 0x25000;
        m.Write(Target, 0x0F, 0x35);
        Outcome outcome = m.Run(0x0F, 0x34, 0xCD, ExitVector);
        Assert.Equal(ExitVector, outcome.Vector);
        Assert.Equal(0x25000UL, outcome.Rsp);
        Assert.Equal(UserCode32, outcome.Cs);
        Assert.Equal(UserData32, outcome.Ss);
    }

    [Fact]
    public void Single_step_traps_after_each_instruction()
    {
        using var m = new SystemMachine(CpuMode.Protected32);
        m.State.Gpr.Rflags |= 0x100;
        Outcome outcome = m.Run(0x89, 0xC0, 0x89, 0xC0);
        Assert.Equal("1", outcome.ToString());
        Assert.Equal(Code + 2, outcome.Rip);
        Assert.Equal(0x102UL, outcome.Flags);
        Assert.Equal(0x4000UL, m.State.Sys.Dr6 & 0xE00F);
    }

    [Fact]
    public void Mov_ss_holds_the_single_step_trap_for_one_instruction()
    {
        using var m = new SystemMachine(CpuMode.Protected32);
        m.State.Gpr.Rflags |= 0x100;
        m.State.Gpr.Rax = Data32;
        Outcome outcome = m.Run(0x8E, 0xD0, 0x89, 0xC0);
        Assert.Equal(Code + 4, outcome.Rip);
    }

    [Fact]
    public void An_instruction_breakpoint_is_a_fault_that_rf_suppresses()
    {
        using var m = new SystemMachine(CpuMode.Protected32);
        m.State.Sys.Dr0 = Code + 2;
        m.State.Sys.Dr7 = 0x402;
        Outcome outcome = m.Run(0x89, 0xC0, 0x89, 0xC9);
        Assert.Equal("1", outcome.ToString());
        Assert.Equal(Code + 2, outcome.Rip);
        Assert.Equal(1UL, m.State.Sys.Dr6 & 0xF);

        using var resumed = new SystemMachine(CpuMode.Protected32);
        resumed.State.Sys.Dr0 = Code;
        resumed.State.Sys.Dr7 = 0x402;
        resumed.State.Gpr.Rflags |= 0x10000;
        Assert.Equal("ok", resumed.Run(0x89, 0xC0).ToString());
        Assert.Equal(0UL, resumed.State.Gpr.Rflags & 0x10000);
    }

    /// <summary>R/W and LEN of DR7, address of a four-byte access, write?, does it hit (SDM 3B table 18-2)</summary>
    [Theory]
    [InlineData(0xD, 0, true, true)]     // write, 4 bytes
    [InlineData(0xD, 0, false, false)]   // a read does not hit a write breakpoint
    [InlineData(0xF, 0, false, true)]    // read or write
    [InlineData(0xD, 4, true, false)]
    [InlineData(0xD, -3, true, true)]    // one byte overlaps
    [InlineData(0x1, 1, true, false)]    // one byte long
    public void A_data_breakpoint_is_a_trap(int kind, int distance, bool write, bool hits)
    {
        using var m = new SystemMachine(CpuMode.Protected32);
        m.State.Sys.Dr0 = Data + 0x10;
        m.State.Sys.Dr7 = 0x401 | (ulong)kind << 16;
        m.Processor.FlushTlb(false);
        m.State.Gpr.Rbx = Data + 0x10 + (ulong)distance;
        // MOV [EBX], EAX or MOV EAX, [EBX]
        Outcome outcome = m.Run(write ? (byte)0x89 : (byte)0x8B, 0x03);
        Assert.Equal(hits ? "1" : "ok", outcome.ToString());
        if (hits)
            Assert.Equal((Code + 2, 1UL), (outcome.Rip, m.State.Sys.Dr6 & 0xF));
    }

    [Fact]
    public void General_detect_faults_and_clears_itself()
    {
        using var m = new SystemMachine(CpuMode.Protected32);
        m.State.Sys.Dr7 = 0x2400;
        Outcome outcome = m.Run(0x0F, 0x21, 0xC0); // MOV EAX, DR0
        Assert.Equal("1", outcome.ToString());
        Assert.Equal(Code, outcome.Rip);
        Assert.Equal(1UL << 13, m.State.Sys.Dr6 & (1 << 13));
        Assert.Equal(0x400UL, m.State.Sys.Dr7);
    }

    /// <summary>LAR, LSL, VERR, VERW on the test slot: access, CPL, does it answer</summary>
    [Theory]
    [InlineData(0x93, 0, true, true, true, true)]
    [InlineData(0x99, 0, true, true, false, false)]   // execute-only code
    [InlineData(0x9B, 0, true, true, true, false)]
    [InlineData(0x93, 3, false, false, false, false)] // not visible
    [InlineData(0x9F, 3, true, true, true, false)]    // conforming: always visible
    [InlineData(0x89, 0, true, true, false, false)]   // TSS
    [InlineData(0x8C, 0, true, false, false, false)]  // call gate: rights, no limit
    [InlineData(0x8E, 0, false, false, false, false)] // interrupt gate
    public void Segment_queries(int access, int cpl, bool lar, bool lsl, bool verr, bool verw)
    {
        byte[][] codes = [[0x0F, 0x02, 0xC8], [0x0F, 0x03, 0xC8], [0x0F, 0x00, 0xE0], [0x0F, 0x00, 0xE8]];
        bool[] expected = [lar, lsl, verr, verw];
        for (int i = 0; i < 4; i++)
        {
            using var m = new SystemMachine(CpuMode.Protected32, cpl);
            m.SetDescriptor(Slot, Descriptor(0, 0x12345, (uint)access, 0xC));
            m.State.Gpr.Rax = (ulong)(Slot | cpl);
            m.State.Gpr.Rcx = 0xDEAD;
            Outcome outcome = m.Run([.. codes[i], .. cpl == 0 ? Array.Empty<byte>() : [0xCD, ExitVector]]);
            Assert.Equal(expected[i], (outcome.Flags & 0x40) != 0);
            if (i == 0)
                Assert.Equal(lar ? 0xC1_0000UL | (uint)access << 8 : 0xDEAD, m.State.Gpr.Rcx);
            if (i == 1)
                Assert.Equal(lsl ? 0x12345FFFUL : 0xDEAD, m.State.Gpr.Rcx);
        }
    }

    [Fact]
    public void Arpl_raises_the_rpl()
    {
        using var m = new SystemMachine(CpuMode.Protected32);
        m.State.Gpr.Rax = 0x11;
        m.State.Gpr.Rcx = 3;
        Outcome outcome = m.Run(0x63, 0xC8); // ARPL AX, CX
        Assert.Equal(0x13UL, m.State.Gpr.Rax);
        Assert.NotEqual(0UL, outcome.Flags & 0x40);
        Assert.Equal("6", new SystemMachine(CpuMode.Vm86).Run(0x63, 0xC8).ToString());
    }
}
