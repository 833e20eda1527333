using Hv.Core.Registers;

namespace Hv.Cpu.Tests.SystemHalf;

/// <summary>Loads of segment registers: the rows of SDM 2B MOV ("loading a segment register") and SDM 3A table 5-1.</summary>
public sealed class SegmentLoadTests
{
    // MOV Sreg, AX
    private static byte[] MovSeg(int segment, ushort selector) =>
        [0x66, 0xB8, (byte)selector, (byte)(selector >> 8), 0x8E, (byte)(0xC0 | segment << 3)];

    private const int Es = 0, Ss = 2, Ds = 3, Fs = 4;

    /// <summary>access byte of the descriptor in the test slot, RPL, CPL, register, outcome</summary>
    [Theory]
    [InlineData(0x93, 0, 0, Ds, "ok")]          // data, ring 0
    [InlineData(0x91, 0, 0, Ds, "ok")]          // read-only data
    [InlineData(0x9B, 0, 0, Ds, "ok")]          // readable code
    [InlineData(0x99, 0, 0, Ds, "13(80)")]      // execute-only code
    [InlineData(0x82, 0, 0, Ds, "13(80)")]      // LDT descriptor
    [InlineData(0x89, 0, 0, Ds, "13(80)")]      // TSS descriptor
    [InlineData(0x13, 0, 0, Ds, "11(80)")]      // not present
    [InlineData(0x93, 3, 0, Ds, "13(80)")]      // RPL above DPL
    [InlineData(0xF3, 3, 0, Ds, "ok")]
    [InlineData(0xF3, 0, 3, Ds, "ok")]
    [InlineData(0x93, 0, 3, Ds, "13(80)")]      // CPL above DPL
    [InlineData(0x9F, 3, 3, Ds, "ok")]          // readable conforming code may be read from anywhere
    [InlineData(0x9D, 3, 3, Ds, "13(80)")]      // unless it is execute-only
    [InlineData(0x93, 0, 0, Fs, "ok")]
    [InlineData(0x93, 0, 0, Ss, "ok")]
    [InlineData(0x91, 0, 0, Ss, "13(80)")]      // not writable
    [InlineData(0x9B, 0, 0, Ss, "13(80)")]      // code
    [InlineData(0x13, 0, 0, Ss, "12(80)")]      // not present is #SS
    [InlineData(0x93, 3, 0, Ss, "13(80)")]      // RPL is not CPL
    [InlineData(0xF3, 0, 0, Ss, "13(80)")]      // DPL is not CPL
    [InlineData(0xF3, 3, 3, Ss, "ok")]
    public void Descriptor_is_checked(int access, int rpl, int cpl, int register, string expected)
    {
        using var m = new SystemMachine(CpuMode.Protected32, cpl);
        // The stack stays flat, because the exit interrupt pushes on it.
        m.SetDescriptor(SystemMachine.Slot, register == Ss
            ? SystemMachine.Descriptor(0, 0xFFFFF, (uint)access, 0xC) : SystemMachine.Descriptor(0x12345, 0xFFFF, (uint)access, 4));
        byte[] code = [.. MovSeg(register, (ushort)(SystemMachine.Slot | rpl)), 0xCD, SystemMachine.ExitVector];
        SegmentRegister before = Register(m, register);
        Outcome outcome = m.Run(code);
        if (expected == "ok")
        {
            Assert.Equal(SystemMachine.ExitVector, outcome.Vector);
            if (register != Ss)
                Assert.Equal(0x12345UL, Register(m, register).Base);
        }
        else
        {
            Assert.Equal(expected, outcome.ToString());
            Assert.Equal(SystemMachine.Code + 4, outcome.Rip);
            if (register != Ss)
                Assert.Equal(before, Register(m, register));
        }
    }

    [Theory]
    [InlineData(0x92, Ds, 0x93)]
    [InlineData(0x9A, Es, 0x9B)]
    [InlineData(0x92, Ss, 0x93)]
    public void Accessed_bit_is_set_in_the_table(int access, int register, int after)
    {
        using var m = new SystemMachine(CpuMode.Protected32);
        m.SetDescriptor(SystemMachine.Slot, SystemMachine.Descriptor(0, 0xFFFFF, (uint)access, 0xC));
        m.Run(MovSeg(register, SystemMachine.Slot));
        Assert.Equal((ulong)after, m.Read(SystemMachine.Gdt + SystemMachine.Slot + 5, 1));
        Assert.Equal(1U, Register(m, register).Type & 1);
    }

    [Fact]
    public void A_refused_load_leaves_the_accessed_bit_alone()
    {
        using var m = new SystemMachine(CpuMode.Protected32, 3);
        m.SetDescriptor(SystemMachine.Slot, SystemMachine.Descriptor(0, 0xFFFFF, 0x92, 0xC));
        Assert.Equal("13(80)", m.Run(MovSeg(Ds, SystemMachine.Slot)).ToString());
        Assert.Equal(0x92UL, m.Read(SystemMachine.Gdt + SystemMachine.Slot + 5, 1));
    }

    [Theory]
    [InlineData(0x100, "13(100)")]  // first past the GDT's limit
    [InlineData(0xFFF8, "13(fff8)")]
    [InlineData(0x0C, "13(c)")]     // LDT, none loaded
    [InlineData(0x0003, "ok")]      // null, any RPL
    public void Selector_must_be_inside_its_table(int selector, string expected)
    {
        using var m = new SystemMachine(CpuMode.Protected32);
        Assert.Equal(expected, m.Run(MovSeg(Ds, (ushort)selector)).ToString());
    }

    [Theory]
    [InlineData(CpuMode.Protected32, 0, 0, "13(0)")]
    [InlineData(CpuMode.Compatibility, 0, 0, "13(0)")]
    [InlineData(CpuMode.Long, 0, 0, "ok")]
    [InlineData(CpuMode.Long, 0, 1, "13(0)")] // RPL must be CPL
    [InlineData(CpuMode.Long, 3, 3, "13(0)")] // never at CPL 3
    public void Null_stack_segment(CpuMode mode, int cpl, int selector, string expected)
    {
        using var m = new SystemMachine(mode, cpl);
        Assert.Equal(expected, m.Run(MovSeg(Ss, (ushort)selector)).ToString());
    }

    [Fact]
    public void A_null_data_segment_faults_on_use_not_on_load()
    {
        using var m = new SystemMachine(CpuMode.Protected32);
        Outcome outcome = m.Run([.. MovSeg(Ds, 0), 0xA1, 0, 0, 0, 0]); // MOV EAX, [0]
        Assert.Equal("13(0)", outcome.ToString());
        Assert.Equal(SystemMachine.Code + 6, outcome.Rip);
    }

    [Fact]
    public void Real_mode_changes_base_and_selector_only()
    {
        using var m = new SystemMachine(CpuMode.Real);
        m.State.Sys.Ds.Limit = uint.MaxValue; // "unreal" mode
        m.Processor.ModeChanged(ref m.State);
        // MOV AX, 0x1234; MOV DS, AX
        Assert.Equal("ok", m.Run(0xB8, 0x34, 0x12, 0x8E, 0xD8).ToString());
        Assert.Equal(SystemMachine.Segment(0x1234, 0x93, 0x12340, uint.MaxValue), m.State.Sys.Ds);
    }

    [Fact]
    public void Ldt_selectors_use_the_ldt()
    {
        using var m = new SystemMachine(CpuMode.Protected32);
        m.Write64(SystemMachine.Ldt + 8, SystemMachine.Descriptor(0x777000, 0xFFFF, 0x93, 4));
        // MOV AX, LdtSelector; LLDT AX; MOV AX, 0x0C; MOV DS, AX
        Outcome outcome = m.Run(0x66, 0xB8, (byte)SystemMachine.LdtSelector, 0, 0x0F, 0x00, 0xD0, 0x66, 0xB8, 0x0C, 0, 0x8E, 0xD8);
        Assert.Equal("ok", outcome.ToString());
        Assert.Equal(0x777000UL, m.State.Sys.Ds.Base);
    }

    [Theory]
    [InlineData(0xFFF, 4, "13(0)")]   // expand-down: offsets up to the limit are outside
    [InlineData(0x1000, 4, "ok")]
    [InlineData(0xFFFC, 4, "ok")]
    [InlineData(0xFFFD, 4, "13(0)")]  // B clear: the top is 0xFFFF
    public void Expand_down_segments_are_valid_above_their_limit(int offset, int size, string expected)
    {
        Assert.Equal(4, size);
        using var m = new SystemMachine(CpuMode.Protected32);
        m.SetDescriptor(SystemMachine.Slot, SystemMachine.Descriptor(0, 0xFFF, 0x97, 0));
        Outcome outcome = m.Run([.. MovSeg(Ds, SystemMachine.Slot), 0xA1, (byte)offset, (byte)(offset >> 8), 0, 0]);
        Assert.Equal(expected, outcome.ToString());
    }

    [Fact]
    public void Push_and_pop_name_their_segment()
    {
        using var m = new SystemMachine(CpuMode.Protected32);
        // PUSH CS; POP DS; PUSH SS; POP ES; PUSH DS; POP FS; PUSH FS; POP GS; PUSH 0; POP FS
        Assert.Equal("ok", m.Run(0x0E, 0x1F, 0x16, 0x07, 0x1E, 0x0F, 0xA1, 0x0F, 0xA0, 0x0F, 0xA9, 0x6A, 0, 0x0F, 0xA1).ToString());
        Assert.Equal(SystemMachine.Code32, m.State.Sys.Ds.Selector);
        Assert.Equal(SystemMachine.Data32, m.State.Sys.Es.Selector);
        Assert.Equal(SystemMachine.Code32, m.State.Sys.Gs.Selector);
        Assert.Equal(0, m.State.Sys.Fs.Selector);
        Assert.Equal(SystemMachine.Stack0 - 0x100, m.State.Gpr.Rsp);
    }

    [Fact]
    public void Pop_ss_and_lss_load_the_stack_segment()
    {
        using var m = new SystemMachine(CpuMode.Protected32);
        m.SetDescriptor(SystemMachine.Slot, SystemMachine.Descriptor(0, 0xFFFFF, 0x92, 0xC));
        // MOV AX, Slot; PUSH EAX; POP SS
        Assert.Equal("ok", m.Run(0x66, 0xB8, (byte)SystemMachine.Slot, 0, 0x50, 0x17).ToString());
        Assert.Equal(SystemMachine.Slot, m.State.Sys.Ss.Selector);
        Assert.Equal(SystemMachine.Stack0 - 0x100, m.State.Gpr.Rsp);

        using var lss = new SystemMachine(CpuMode.Protected32);
        lss.Write32(SystemMachine.Data, 0x1F000);
        lss.Write16(SystemMachine.Data + 4, SystemMachine.Data32);
        // LSS ESP, [Data]
        Assert.Equal("ok", lss.Run(0x0F, 0xB2, 0x25, 0x00, 0x80, 0x01, 0x00).ToString());
        Assert.Equal(0x1F000UL, lss.State.Gpr.Rsp);
    }

    [Fact]
    public void A_refused_far_pointer_leaves_the_register_alone()
    {
        using var m = new SystemMachine(CpuMode.Protected32);
        m.Write32(SystemMachine.Data, 0xDEAD);
        m.Write16(SystemMachine.Data + 4, 0x100);
        m.State.Gpr.Rbx = 0x55;
        // LDS EBX, [Data]
        Assert.Equal("13(100)", m.Run(0xC5, 0x1D, 0x00, 0x80, 0x01, 0x00).ToString());
        Assert.Equal(0x55UL, m.State.Gpr.Rbx);
    }

    private static SegmentRegister Register(SystemMachine m, int number) => number switch
    {
        Es => m.State.Sys.Es,
        Ss => m.State.Sys.Ss,
        Ds => m.State.Sys.Ds,
        _ => m.State.Sys.Fs,
    };
}
