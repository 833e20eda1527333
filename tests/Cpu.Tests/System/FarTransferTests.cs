namespace Hv.Cpu.Tests.SystemHalf;

/// <summary>JMP, CALL and RET far: direct, through call gates, with and without a stack switch (SDM 2A CALL, JMP; SDM 2B RET; SDM 3A 5.8).</summary>
public sealed class FarTransferTests
{
    private const ulong Target = 0x1_4000;
    private const byte Jump = 0xEA, Call = 0x9A;

    private static byte[] Direct(byte opcode, ushort selector, uint offset) =>
        [opcode, (byte)offset, (byte)(offset >> 8), (byte)(offset >> 16), (byte)(offset >> 24), (byte)selector, (byte)(selector >> 8)];

    private static SystemMachine Machine(CpuMode mode = CpuMode.Protected32, int cpl = 0)
    {
        var m = new SystemMachine(mode, cpl);
        m.Write(Target, cpl == 0 ? [0xF4] : [0xCD, SystemMachine.ExitVector]);
        return m;
    }

    /// <summary>access of the target, its byte 6 nibble, RPL, CPL, outcome for JMP and CALL alike</summary>
    [Theory]
    [InlineData(0x9B, 0xC, 0, 0, "ok")]
    [InlineData(0x9B, 0xC, 3, 0, "13(80)")]   // RPL above CPL
    [InlineData(0xFB, 0xC, 0, 0, "13(80)")]   // nonconforming code needs DPL = CPL
    [InlineData(0x9B, 0xC, 3, 3, "13(80)")]
    [InlineData(0x9F, 0xC, 3, 0, "ok")]       // conforming: RPL is not looked at
    [InlineData(0x9F, 0xC, 3, 3, "ok")]       // CPL stays 3
    [InlineData(0xFF, 0xC, 0, 0, "13(80)")]   // conforming code at an outer level
    [InlineData(0x1B, 0xC, 0, 0, "11(80)")]   // not present
    [InlineData(0x93, 0xC, 0, 0, "13(80)")]   // data
    [InlineData(0x82, 0x0, 0, 0, "13(80)")]   // LDT
    [InlineData(0x8B, 0x0, 0, 0, "13(80)")]   // busy TSS
    [InlineData(0x8E, 0x0, 0, 0, "13(80)")]   // interrupt gate
    [InlineData(0x9B, 0x4, 0, 0, "13(0)")]    // limit 0xFFFFF bytes is fine, but see below: limit 0x3FFF
    public void Direct_target_is_checked(int access, int flags, int rpl, int cpl, string expected)
    {
        foreach (byte opcode in new[] { Jump, Call })
        {
            using SystemMachine m = Machine(cpl: cpl);
            uint limit = flags == 4 ? 0x3FFFu : 0xFFFFF;
            m.SetDescriptor(SystemMachine.Slot, SystemMachine.Descriptor(0, limit, (uint)access, (uint)flags));
            ulong rsp = m.State.Gpr.Rsp;
            Outcome outcome = m.Run(Direct(opcode, (ushort)(SystemMachine.Slot | rpl), (uint)Target));
            if (expected != "ok")
            {
                Assert.Equal(expected, outcome.ToString());
                Assert.Equal(SystemMachine.Code, outcome.Rip);
                if (cpl == 0)
                    Assert.Equal(rsp - 16, m.State.Gpr.Rsp); // only the handler's frame
                continue;
            }

            Assert.Equal(cpl == 0 ? -1 : SystemMachine.ExitVector, outcome.Vector);
            Assert.Equal((ushort)(SystemMachine.Slot | cpl), outcome.Cs);
            if (opcode == Call)
            {
                ulong top = cpl == 0 ? outcome.Rsp : m.Read(SystemMachine.Stack0 - 8, 4);
                Assert.Equal(rsp - 8, top);
                Assert.Equal(SystemMachine.Code + 7, m.Read(top, 4));
                Assert.Equal((ulong)(cpl == 0 ? SystemMachine.Code32 : SystemMachine.UserCode32), m.Read(top + 4, 4));
            }
        }
    }

    [Theory]
    [InlineData(0x0000, "13(0)")]
    [InlineData(0x0003, "13(0)")]
    [InlineData(0x0100, "13(100)")]
    [InlineData(0x0104, "13(104)")]
    public void Null_and_outside_selectors(int selector, string expected)
    {
        using SystemMachine m = Machine();
        Assert.Equal(expected, m.Run(Direct(Jump, (ushort)selector, (uint)Target)).ToString());
    }

    /// <summary>gate access, gate RPL, CPL, target selector, outcome</summary>
    [Theory]
    [InlineData(0xEC, 0, 0, SystemMachine.Code32, "ok")]
    [InlineData(0xEC, 3, 3, SystemMachine.Code32, "ok")]          // inward, stack switch
    [InlineData(0x8C, 0, 3, SystemMachine.Code32, "13(80)")]      // gate DPL below CPL
    [InlineData(0x8C, 3, 0, SystemMachine.Code32, "13(80)")]      // RPL above gate DPL
    [InlineData(0x6C, 0, 0, SystemMachine.Code32, "11(80)")]      // gate not present
    [InlineData(0xEC, 0, 0, 0, "13(0)")]                          // null target
    [InlineData(0xEC, 0, 0, 0x100, "13(100)")]
    [InlineData(0xEC, 0, 0, SystemMachine.Data32, "13(10)")]      // not code
    [InlineData(0xEC, 0, 0, 0x18, "13(18)")]                      // outward: DPL 3 target at CPL 0
    public void Call_gate_is_checked(int access, int rpl, int cpl, int target, string expected)
    {
        using SystemMachine m = Machine(cpl: cpl);
        m.Write(Target, 0xF4);
        m.SetDescriptor(SystemMachine.Slot, SystemMachine.Gate((ushort)target, (uint)Target, (uint)access));
        Outcome outcome = m.Run(Direct(Call, (ushort)(SystemMachine.Slot | rpl), 0));
        Assert.Equal(expected, outcome.ToString());
        if (expected == "ok")
            Assert.Equal(Target + 1, outcome.Rip);
    }

    [Fact]
    public void An_inward_call_switches_stacks_and_copies_parameters_and_ret_undoes_it()
    {
        using SystemMachine m = Machine(cpl: 3);
        m.SetDescriptor(SystemMachine.Slot, SystemMachine.Gate(SystemMachine.Code32, (uint)Target, 0xEC, 2));
        m.Write(Target, 0xCA, 8, 0); // RETF 8
        ulong before = m.State.Gpr.Rsp;
        byte[] code =
        [
            0x68, 0x22, 0x22, 0, 0, 0x68, 0x11, 0x11, 0, 0, // PUSH 0x2222; PUSH 0x1111
            .. Direct(Call, SystemMachine.Slot | 3, 0),
            0xCD, SystemMachine.ExitVector,
        ];
        Outcome outcome = m.Run(code);
        Assert.Equal(SystemMachine.ExitVector, outcome.Vector);
        Assert.Equal(before, outcome.Rsp);
        Assert.Equal(SystemMachine.UserData32, outcome.Ss);
        Assert.Equal(SystemMachine.UserCode32, outcome.Cs);
        ulong frame = SystemMachine.Stack0 - 24; // SS ESP P2 P1 CS EIP from the top down; the exit frame overwrote the upper five slots
        Assert.Equal(SystemMachine.Code + 17, m.Read(frame, 4));
    }

    [Fact]
    public void The_inner_frame_holds_ss_esp_parameters_cs_eip()
    {
        using SystemMachine m = Machine(cpl: 3);
        m.SetDescriptor(SystemMachine.Slot, SystemMachine.Gate(SystemMachine.Code32, (uint)Target, 0xEC, 2));
        m.Write(Target, 0xF4);
        m.Run([0x68, 0x22, 0x22, 0, 0, 0x68, 0x11, 0x11, 0, 0, .. Direct(Call, SystemMachine.Slot | 3, 0)]);
        ulong top = m.State.Gpr.Rsp;
        Assert.Equal(SystemMachine.Stack0 - 24, top);
        ulong[] expected = [SystemMachine.Code + 17, SystemMachine.UserCode32, 0x1111, 0x2222, SystemMachine.Stack3 - 0x108,
            SystemMachine.UserData32];
        Assert.Equal(expected, Enumerable.Range(0, 6).Select(i => m.Read(top + (ulong)i * 4, 4)));
        Assert.Equal(0, m.State.Sys.Cpl);
        Assert.Equal(SystemMachine.Data32, m.State.Sys.Ss.Selector);
    }

    [Theory]
    [InlineData(0x0000, "10(0)")]                       // null SS in the TSS
    [InlineData(0x0100, "10(100)")]                     // outside the GDT
    [InlineData(SystemMachine.UserData32, "10(20)")]    // wrong level
    [InlineData(SystemMachine.Code32, "10(8)")]         // not writable data
    [InlineData(0x81, "12(80)")]                        // not present is #SS
    public void A_bad_inner_stack_is_an_invalid_tss(int stack, string expected)
    {
        using SystemMachine m = Machine(cpl: 3);
        m.SetDescriptor(SystemMachine.Slot, SystemMachine.Descriptor(0, 0xFFFFF, 0x33, 0xC));
        // A conforming ring 1 target would keep CPL; use a ring 1 gate so that ring 0's stack still serves the handler.
        m.SetDescriptor(SystemMachine.Slot2, SystemMachine.Gate(SystemMachine.Code32Ring1 & ~3, (uint)Target, 0xEC));
        m.Write16(SystemMachine.Tss + 16, (ushort)stack);
        ulong rsp = m.State.Gpr.Rsp;
        Outcome outcome = m.Run(Direct(Call, SystemMachine.Slot2 | 3, 0));
        Assert.Equal(expected, outcome.ToString());
        Assert.Equal(SystemMachine.Code, outcome.Rip);
        Assert.Equal(rsp, outcome.Rsp);
    }

    [Fact]
    public void A_tss_too_short_for_the_inner_stack_is_named()
    {
        using SystemMachine m = Machine(cpl: 3);
        m.SetDescriptor(SystemMachine.Slot2, SystemMachine.Gate(SystemMachine.Code32Ring1 & ~3, (uint)Target, 0xEC));
        m.State.Sys.Tr.Limit = 16; // ESP1 is inside, SS1 is not
        Assert.Equal("10(28)", m.Run(Direct(Call, SystemMachine.Slot2 | 3, 0)).ToString());
    }

    [Fact]
    public void Ret_far_to_an_outer_level_drops_inner_segments()
    {
        using SystemMachine m = Machine();
        m.Write(Target, 0xCD, SystemMachine.ExitVector);
        m.State.Sys.Gs = SystemMachine.Segment(SystemMachine.UserData32, 0xC0F3, 0, uint.MaxValue);
        m.State.Sys.Fs = SystemMachine.Segment(SystemMachine.Conforming32, 0xC09F, 0, uint.MaxValue);
        // PUSH UserData32; PUSH Stack3; PUSH UserCode32; PUSH Target; RETF
        Outcome outcome = m.Run(0x6A, (byte)SystemMachine.UserData32, 0x68, 0x00, 0x60, 0x02, 0x00, 0x6A, (byte)SystemMachine.UserCode32, 0x68,
            0x00, 0x40, 0x01, 0x00, 0xCB);
        Assert.Equal(SystemMachine.ExitVector, outcome.Vector);
        Assert.Equal(SystemMachine.Stack3, outcome.Rsp);
        Assert.False(m.State.Sys.Ds.Usable);
        Assert.Equal(0, m.State.Sys.Ds.Selector);
        Assert.False(m.State.Sys.Es.Usable);
        Assert.True(m.State.Sys.Gs.Usable);
        Assert.True(m.State.Sys.Fs.Usable); // conforming code stays
    }

    [Theory]
    [InlineData(SystemMachine.Code32, SystemMachine.Data32, 3, "13(8)")]                 // inward: RPL below CPL
    [InlineData(SystemMachine.UserCode32, SystemMachine.Data32, 0, "13(10)")]            // SS for the wrong level
    [InlineData(SystemMachine.UserCode32, 0, 0, "13(0)")]                                // null SS
    [InlineData(0, 0, 0, "13(0)")]
    [InlineData(SystemMachine.Data32, 0, 0, "13(10)")]
    public void Ret_far_is_checked(int cs, int ss, int cpl, string expected)
    {
        using SystemMachine m = Machine(cpl: cpl);
        ulong rsp = m.State.Gpr.Rsp;
        Outcome outcome = m.Run(0x6A, (byte)ss, 0x6A, 0, 0x6A, (byte)cs, 0x68, 0x00, 0x40, 0x01, 0x00, 0xCB);
        Assert.Equal(expected, outcome.ToString());
        Assert.Equal(SystemMachine.Code + 11, outcome.Rip);
        if (cpl == 3)
            Assert.Equal(rsp - 16, outcome.Rsp);
    }

    [Fact]
    public void Real_mode_far_call_and_return()
    {
        using var m = new SystemMachine(CpuMode.Real);
        m.Write(Target, 0xCB);
        // CALL 0x1400:0; HLT
        Outcome outcome = m.Run(0x9A, 0x00, 0x00, 0x00, 0x14);
        Assert.Equal("ok", outcome.ToString());
        Assert.Equal(0x1000, outcome.Cs);
        Assert.Equal(6UL, outcome.Rip);
        Assert.Equal(0x7000UL, outcome.Rsp);
        Assert.Equal(0x1000UL, m.Read(0x6FFE, 2));
        Assert.Equal(5UL, m.Read(0x6FFC, 2));
    }

    [Fact]
    public void From_compatibility_to_64_bit_code_and_back()
    {
        using var m = new SystemMachine(CpuMode.Compatibility);
        // 64-bit: RETFQ would do; here: PUSH Code32; PUSH Code+16; RETF (32-bit operand)
        m.Write(Target, 0x6A, (byte)SystemMachine.Code32, 0x68, 0x10, 0x00, 0x01, 0x00, 0x48, 0xCB);
        m.Write(SystemMachine.Code + 16, 0xF4);
        m.Run(Direct(Jump, SystemMachine.Code64, (uint)Target));
        Assert.Equal(SystemMachine.Code + 17, m.State.Gpr.Rip);
        Assert.Equal(SystemMachine.Code32, m.State.Sys.Cs.Selector);
    }

    [Fact]
    public void A_64_bit_call_gate_switches_to_a_null_stack_segment()
    {
        using var m = new SystemMachine(CpuMode.Long, 3);
        m.SetDescriptor(SystemMachine.Slot, SystemMachine.Gate(SystemMachine.Code64, (uint)Target, 0xEC), 0, true);
        m.Write(Target, 0xF4);
        m.Write64(SystemMachine.Data, (ulong)(SystemMachine.Slot | 3) << 32);
        // CALL FAR [Data] (m16:32)
        m.Run(0xFF, 0x1C, 0x25, 0x00, 0x80, 0x01, 0x00);
        Assert.Equal(Target + 1, m.State.Gpr.Rip);
        Assert.Equal(0, m.State.Sys.Ss.Selector);
        Assert.Equal(SystemMachine.Stack0 - 32, m.State.Gpr.Rsp);
        ulong[] expected = [SystemMachine.Code + 7, SystemMachine.UserCode64, SystemMachine.Stack3 - 0x100, SystemMachine.UserData32];
        Assert.Equal(expected, Enumerable.Range(0, 4).Select(i => m.Read(m.State.Gpr.Rsp + (ulong)i * 8, 8)));
    }

    [Theory]
    [InlineData(0x84, 0, "13(80)")]   // a 16-bit call gate does not exist in IA-32e mode
    [InlineData(0x85, 0, "13(80)")]   // nor a task gate
    [InlineData(0x89, 0, "13(80)")]   // nor a jump to a TSS
    [InlineData(0x8C, 0x100, "13(80)")] // a type in the upper half
    public void Legacy_gates_in_ia32e_mode(int access, int upper, string expected)
    {
        using var m = new SystemMachine(CpuMode.Compatibility);
        m.SetDescriptor(SystemMachine.Slot, SystemMachine.Gate(SystemMachine.Code64, (uint)Target, (uint)access), (ulong)upper << 32, true);
        Assert.Equal(expected, m.Run(Direct(Call, SystemMachine.Slot, 0)).ToString());
    }

    [Fact]
    public void L_and_d_together_are_reserved()
    {
        using var m = new SystemMachine(CpuMode.Compatibility);
        m.SetDescriptor(SystemMachine.Slot, SystemMachine.Descriptor(0, 0xFFFFF, 0x9B, 0xE));
        Assert.Equal("13(80)", m.Run(Direct(Jump, SystemMachine.Slot, (uint)Target)).ToString());
    }
}
