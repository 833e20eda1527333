using Hv.Core.Registers;
using Hv.Cpu.State;

namespace Hv.Cpu.Tests.SystemHalf;

/// <summary>Delivery through the IVT and IDT (SDM 3A chapter 6; SDM 2A INT n).</summary>
public sealed class InterruptTests
{
    private const ulong Target = 0x1_4000;
    private static readonly byte[] s_undefined = [0x0F, 0x0B];

    [Theory]
    [InlineData(CpuMode.Real, 0)]
    [InlineData(CpuMode.Protected32, 0)]
    [InlineData(CpuMode.Protected32, 3)]
    [InlineData(CpuMode.Compatibility, 0)]
    [InlineData(CpuMode.Compatibility, 3)]
    [InlineData(CpuMode.Long, 0)]
    [InlineData(CpuMode.Long, 3)]
    public void A_fault_saves_the_instruction_and_sets_rf_in_the_image(CpuMode mode, int cpl)
    {
        using var m = new SystemMachine(mode, cpl);
        m.State.Gpr.Rflags |= 0x200 | 0x4000; // IF, NT
        ulong code = m.State.Gpr.Rip;
        ushort cs = m.State.Sys.Cs.Selector;
        Outcome outcome = m.Run(s_undefined);
        Assert.Equal("6", outcome.ToString());
        Assert.Equal(code, outcome.Rip);
        Assert.Equal(cs, outcome.Cs);
        Assert.Equal(mode == CpuMode.Real ? 0x4202UL : 0x1_4202, outcome.Flags); // 16-bit images have no RF
        Assert.Equal(0UL, m.State.Gpr.Rflags & 0x10300); // RF, IF, TF
        Assert.Equal(mode == CpuMode.Real ? 0x4000UL : 0, m.State.Gpr.Rflags & 0x4000);
        Assert.Equal(0, m.State.Sys.Cpl);
    }

    [Theory]
    [InlineData(CpuMode.Protected32)]
    [InlineData(CpuMode.Long)]
    public void An_outer_fault_switches_to_the_tss_stack(CpuMode mode)
    {
        using var m = new SystemMachine(mode, 3);
        Outcome outcome = m.Run(s_undefined);
        Assert.Equal(SystemMachine.Stack3 - 0x100, outcome.Rsp);
        Assert.Equal(SystemMachine.UserData32, outcome.Ss);
        Assert.Equal(SystemMachine.Stack0 - (mode == CpuMode.Long ? 40UL : 20), m.State.Gpr.Rsp);
        Assert.Equal(mode == CpuMode.Long ? 0 : SystemMachine.Data32, m.State.Sys.Ss.Selector);
    }

    [Fact]
    public void Long_mode_aligns_the_stack_and_always_saves_ss_rsp()
    {
        using var m = new SystemMachine(CpuMode.Long);
        m.State.Gpr.Rsp = 0x1_F00B;
        Outcome outcome = m.Run(s_undefined);
        Assert.Equal(0x1_F00BUL, outcome.Rsp);
        Assert.Equal(SystemMachine.Data32, outcome.Ss);
        Assert.Equal(0x1_F000UL - 40, m.State.Gpr.Rsp);
        Assert.Equal(SystemMachine.Data32, m.State.Sys.Ss.Selector); // unchanged at the same level
    }

    [Fact]
    public void An_ist_stack_is_used_at_any_level()
    {
        using var m = new SystemMachine(CpuMode.Long);
        m.SetGate(6, SystemMachine.Code64, SystemMachine.Handlers + 6 * 16, 0x8E, 1);
        m.Run(s_undefined);
        Assert.Equal(SystemMachine.Ist1 - 40, m.State.Gpr.Rsp);
    }

    /// <summary>INT n: gate access byte, CPL, outcome</summary>
    [Theory]
    [InlineData(0x8E, 0, "64")]
    [InlineData(0x8E, 3, "13(202)")]   // DPL below CPL: IDT bit
    [InlineData(0xEE, 3, "64")]
    [InlineData(0x6E, 0, "11(202)")]   // not present
    [InlineData(0x82, 0, "13(202)")]   // not a gate
    [InlineData(0x8C, 0, "13(202)")]   // a call gate is none here
    public void Software_interrupts_check_the_gate(int access, int cpl, string expected)
    {
        using var m = new SystemMachine(CpuMode.Protected32, cpl);
        m.SetGate(64, SystemMachine.Code32, SystemMachine.Handlers + 64 * 16, (uint)access);
        Outcome outcome = m.Run(0xCD, 64);
        Assert.Equal(expected, outcome.ToString());
        Assert.Equal(SystemMachine.Code + (expected == "64" ? 2UL : 0), outcome.Rip);
    }

    [Fact]
    public void A_hardware_exception_ignores_the_gate_dpl()
    {
        using var m = new SystemMachine(CpuMode.Protected32, 3);
        Assert.Equal("6", m.Run(s_undefined).ToString());
    }

    [Theory]
    [InlineData(0xCC, 3, "13(1a)")]   // INT3 checks DPL: vector 3, IDT bit, no EXT
    [InlineData(0xF1, 3, "1")]        // INT1 does not
    [InlineData(0xCC, 0, "3")]
    public void Breakpoint_instructions(int opcode, int cpl, string expected)
    {
        using var m = new SystemMachine(CpuMode.Protected32, cpl);
        Outcome outcome = m.Run((byte)opcode);
        Assert.Equal(expected, outcome.ToString());
        Assert.Equal(SystemMachine.Code + (expected.Contains('(', StringComparison.Ordinal) ? 0UL : 1), outcome.Rip);
    }

    /// <summary>The handler's code descriptor: access, outcome of a #UD at CPL 0. EXT is set because the cause is an exception.</summary>
    [Theory]
    [InlineData(0x93, "13(81)")]
    [InlineData(0xFB, "13(81)")]   // outer level
    [InlineData(0x1B, "11(81)")]
    [InlineData(0x9F, "6")]        // conforming
    public void Handler_segment_is_checked(int access, string expected)
    {
        using var m = new SystemMachine(CpuMode.Protected32);
        m.SetDescriptor(SystemMachine.Slot, SystemMachine.Descriptor(0, 0xFFFFF, (uint)access, 0xC));
        m.SetGate(6, SystemMachine.Slot, SystemMachine.Handlers + 6 * 16, 0x8E);
        Outcome outcome = m.Run(s_undefined);
        Assert.Equal(expected, outcome.ToString());
        Assert.Equal(SystemMachine.Code, outcome.Rip);
    }

    [Theory]
    [InlineData(CpuMode.Long, 0xB, 0xA, "6")]
    [InlineData(CpuMode.Long, 0xB, 0xC, "13(81)")]   // a 32-bit handler in IA-32e mode
    [InlineData(CpuMode.Long, 0xB, 0xE, "13(81)")]
    public void Long_mode_handlers_are_64_bit(CpuMode mode, int type, int flags, string expected)
    {
        using var m = new SystemMachine(mode);
        m.SetDescriptor(SystemMachine.Slot, SystemMachine.Descriptor(0, 0xFFFFF, (uint)(0x90 | type), (uint)flags));
        m.SetGate(6, SystemMachine.Slot, SystemMachine.Handlers + 6 * 16, 0x8E);
        Assert.Equal(expected, m.Run(s_undefined).ToString());
    }

    [Fact]
    public void Beyond_the_idt_limit()
    {
        using var m = new SystemMachine(CpuMode.Protected32);
        m.State.Sys.Idtr.Limit = 0x20 * 8 - 1;
        Assert.Equal("13(102)", m.Run(0xCD, 0x20).ToString());
    }

    [Theory]
    [InlineData(0x8E, 0UL)]      // interrupt gate clears IF
    [InlineData(0x8F, 0x200UL)]  // trap gate keeps it
    public void Gate_kind_decides_about_if(int access, ulong expected)
    {
        using var m = new SystemMachine(CpuMode.Protected32);
        m.SetGate(6, SystemMachine.Code32, SystemMachine.Handlers + 6 * 16, (uint)access);
        m.State.Gpr.Rflags |= 0x200;
        m.Run(s_undefined);
        Assert.Equal(expected, m.State.Gpr.Rflags & 0x200);
    }

    [Fact]
    public void A_16_bit_gate_pushes_words()
    {
        using var m = new SystemMachine(CpuMode.Protected32);
        m.Write(0x7000, 0xF4);
        m.SetGate(6, SystemMachine.Code32, 0x7000, 0x86);
        ulong rsp = m.State.Gpr.Rsp;
        m.Run(s_undefined);
        Assert.Equal(rsp - 6, m.State.Gpr.Rsp);
        Assert.Equal(SystemMachine.Code & 0xFFFF, m.Read(rsp - 6, 2));
        Assert.Equal((ulong)SystemMachine.Code32, m.Read(rsp - 4, 2));
    }

    /// <summary>SDM 3A table 6-5: the first exception's gate names a bad handler, so that the second is met while it is delivered.</summary>
    [Theory]
    [InlineData(13, 0x000, "8(0)")]                 // #GP, then #GP
    [InlineData(13, SystemMachine.Data32, "8(0)")]
    [InlineData(6, 0x000, "13(1)")]                 // benign, then #GP: serial
    [InlineData(12, 0x000, "8(0)")]
    [InlineData(11, 0x000, "8(0)")]
    [InlineData(0, SystemMachine.Data32, "8(0)")]
    public void Double_fault_table(int first, int selector, string expected)
    {
        using var m = new SystemMachine(CpuMode.Protected32);
        m.SetGate(first, (ushort)selector, 0, 0x8E);
        m.SetDescriptor(SystemMachine.Slot, SystemMachine.Descriptor(0, 0xFFFFF, 0x13, 0xC));
        byte[] code = first switch
        {
            0 => [0x31, 0xC9, 0xF7, 0xF1],                                         // XOR ECX, ECX; DIV ECX
            6 => s_undefined,
            11 => [0x66, 0xB8, 0x80, 0, 0x8E, 0xD8],                               // MOV DS, not present
            12 => [0x66, 0xB8, 0x80, 0, 0x8E, 0xD0],                               // MOV SS, not present
            _ => [0x66, 0xB8, 0x00, 0x01, 0x8E, 0xD8],                             // MOV DS, outside
        };
        Assert.Equal(expected, m.Run(code).ToString());
    }

    [Fact]
    public void A_fault_in_the_double_fault_handler_shuts_down()
    {
        using var m = new SystemMachine(CpuMode.Protected32);
        m.State.Sys.Idtr.Limit = 0;
        Assert.Equal("shutdown", m.Run(s_undefined).ToString());
        Assert.Equal(ActivityState.Shutdown, m.State.Sys.Activity);
    }

    [Fact]
    public void A_page_fault_sets_cr2_at_delivery_and_two_make_a_double_fault()
    {
        using var m = new SystemMachine(CpuMode.Long);
        // MOV EAX, [0x50000000]: beyond the mapped GiB
        Outcome outcome = m.Run(0x8B, 0x04, 0x25, 0x00, 0x00, 0x00, 0x50);
        Assert.Equal("14(0)", outcome.ToString());
        Assert.Equal(0x5000_0000UL, m.State.Sys.Cr2);

        using var twice = new SystemMachine(CpuMode.Long);
        twice.SetGate(8, SystemMachine.Code64, SystemMachine.Handlers + 8 * 16, 0x8E, 1);
        twice.State.Gpr.Rsp = 0x5000_1000; // the handler's stack is not mapped either
        Outcome both = twice.Run(0x8B, 0x04, 0x25, 0x00, 0x00, 0x00, 0x50);
        Assert.Equal("8(0)", both.ToString());
        Assert.Equal(0x5000_0FF8UL, twice.State.Sys.Cr2);
        Assert.Equal(0x5000_1000UL, both.Rsp);
    }

    [Fact]
    public void Virtual_8086_code_is_left_with_all_segments_saved_and_entered_again_by_iret()
    {
        using var m = new SystemMachine(CpuMode.Vm86);
        m.State.Sys.Gs = SystemMachine.Segment(0x1234, 0xF3, 0x12340, 0xFFFF);
        Outcome outcome = m.Run(s_undefined);
        Assert.Equal("6", outcome.ToString());
        Assert.Equal(0, m.State.Sys.Cpl);
        Assert.Equal(0UL, m.State.Gpr.Rflags & 0x20000);
        Assert.Equal(0x3_0002UL, outcome.Flags); // VM and RF in the image
        Assert.False(m.State.Sys.Ds.Usable);
        Assert.Equal(0x1234UL, m.Read(SystemMachine.Stack0 - 4, 4)); // GS is the topmost
        Assert.Equal(SystemMachine.Stack0 - 36, m.State.Gpr.Rsp);

        // Skip the undefined instruction and return.
        m.Write32(m.State.Gpr.Rsp, (uint)outcome.Rip + 2);
        m.Write(SystemMachine.Code + 2, 0x0F, 0x0B);
        m.Write(SystemMachine.Handlers + 6 * 16 + 1, 0xCF);
        m.State.Sys.Activity = ActivityState.Running;
        m.Write(SystemMachine.Handlers + 6 * 16, 0x90); // the handler returns from now on, so the second #UD loops: limit it
        m.Write(SystemMachine.Code + 2, 0xF4);          // HLT at CPL 3 is #GP
        Outcome second = m.Continue();
        Assert.Equal("13(0)", second.ToString());
        Assert.Equal(2UL, second.Rip);
        Assert.Equal(0x1000, second.Cs);
        Assert.NotEqual(0UL, second.Flags & 0x20000);
    }

    [Theory]
    [InlineData(0, "13(0)")]
    [InlineData(3, "128")]
    public void Int_n_in_virtual_8086_mode_needs_iopl_3(int iopl, string expected)
    {
        using var m = new SystemMachine(CpuMode.Vm86);
        m.State.Gpr.Rflags |= (ulong)iopl << 12;
        Assert.Equal(expected, m.Run(0xCD, SystemMachine.ExitVector).ToString());
    }

    [Fact]
    public void An_injected_interrupt_is_delivered_first_and_wakes_a_halted_processor()
    {
        using var m = new SystemMachine(CpuMode.Protected32);
        m.State.Gpr.Rflags |= 0x200;
        m.State.Sys.Activity = ActivityState.Halted;
        m.Processor.Deliver(new PendingEvent(PendingEventKind.Interrupt, 0x40, false, 0, 0), 0);
        Outcome outcome = m.Run(0x90);
        Assert.Equal("64", outcome.ToString());
        Assert.Equal(SystemMachine.Code, outcome.Rip);
        Assert.Equal(0x202UL, outcome.Flags);
    }

    [Fact]
    public void An_nmi_blocks_nmis_until_iret()
    {
        using var m = new SystemMachine(CpuMode.Protected32);
        m.Processor.Deliver(new PendingEvent(PendingEventKind.Nmi, 2, false, 0, 0), 0);
        Assert.Equal("2", m.Run(0x89, 0xC0).ToString()); // MOV EAX, EAX
        Assert.Equal(InterruptShadow.NmiBlocked, m.State.Sys.Shadow);
        m.Write(SystemMachine.Handlers + 2 * 16 + 1, 0xCF);
        m.State.Sys.Activity = ActivityState.Running;
        Assert.Equal("ok", m.Continue().ToString());
        Assert.Equal(InterruptShadow.None, m.State.Sys.Shadow);
    }

    [Fact]
    public void Real_mode_wraps_the_stack_and_has_no_error_codes()
    {
        using var m = new SystemMachine(CpuMode.Real);
        m.State.Gpr.Rsp = 2;
        Outcome outcome = m.Run(s_undefined);
        Assert.Equal("6", outcome.ToString());
        Assert.Equal(0xFFFCUL, m.State.Gpr.Rsp);
        Assert.Equal(0x1000UL, m.Read(0xFFFE, 2));
        Assert.Equal(2UL, m.Read(0, 2)); // FLAGS went to the bottom
    }
}
