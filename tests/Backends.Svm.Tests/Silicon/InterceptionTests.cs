using Hv.Backends.Svm.Silicon;
using Hv.Core.Exits;
using Hv.Core.Registers;
using Hv.Cpu.State;
using Hv.Cpu.Virtualization;
using Xunit;

namespace Hv.Backends.Svm.Tests.Silicon;

/// <summary>The intercept matrix: for each event the bit that makes it leave the guest, and what the exit says (APM 2 15.7 to 15.14, appendix
/// C).</summary>
public sealed class InterceptionTests : IDisposable
{
    private readonly HostMemory _memory = new();
    private readonly Hpa _msrs, _ports;

    public InterceptionTests()
    {
        _msrs = _memory.AllocatePages(MsrPermissionMap.Pages);
        _ports = _memory.AllocatePages(IoPermissionMap.Pages);
    }

    public void Dispose() => _memory.Dispose();

    /// <summary>Event, selector, byte offset of the intercept word in the VMCB, bit, exit code: the manual's numbers.</summary>
    public static TheoryData<CpuEventKind, int, int, int, int> SingleBits { get; } = new()
    {
        { CpuEventKind.GdtrIdtr, 1, 0x00C, 6, 0x66 }, { CpuEventKind.GdtrIdtr, 0, 0x00C, 7, 0x67 },
        { CpuEventKind.LdtrTr, 0, 0x00C, 8, 0x68 }, { CpuEventKind.LdtrTr, 1, 0x00C, 9, 0x69 },
        { CpuEventKind.GdtrIdtr, 3, 0x00C, 10, 0x6A }, { CpuEventKind.GdtrIdtr, 2, 0x00C, 11, 0x6B },
        { CpuEventKind.LdtrTr, 2, 0x00C, 12, 0x6C }, { CpuEventKind.LdtrTr, 3, 0x00C, 13, 0x6D },
        { CpuEventKind.Rdtsc, 0, 0x00C, 14, 0x6E }, { CpuEventKind.Rdpmc, 0, 0x00C, 15, 0x6F },
        { CpuEventKind.Cpuid, 0, 0x00C, 18, 0x72 }, { CpuEventKind.Rsm, 0, 0x00C, 19, 0x73 },
        { CpuEventKind.Iret, 0, 0x00C, 20, 0x74 }, { CpuEventKind.SoftwareInterrupt, 0x80, 0x00C, 21, 0x75 },
        { CpuEventKind.Invd, 0, 0x00C, 22, 0x76 }, { CpuEventKind.Pause, 0, 0x00C, 23, 0x77 },
        { CpuEventKind.Hlt, 0, 0x00C, 24, 0x78 }, { CpuEventKind.Invlpg, 0, 0x00C, 25, 0x79 },
        { CpuEventKind.VendorInstruction, (int)VendorInstruction.Invlpga, 0x00C, 26, 0x7A },
        { CpuEventKind.TaskSwitch, 0x28, 0x00C, 29, 0x7D }, { CpuEventKind.TripleFault, 0, 0x00C, 31, 0x7F },
        { CpuEventKind.VendorInstruction, (int)VendorInstruction.Vmrun, 0x010, 0, 0x80 },
        { CpuEventKind.VendorInstruction, (int)VendorInstruction.Vmmcall, 0x010, 1, 0x81 },
        { CpuEventKind.VendorInstruction, (int)VendorInstruction.Vmload, 0x010, 2, 0x82 },
        { CpuEventKind.VendorInstruction, (int)VendorInstruction.Vmsave, 0x010, 3, 0x83 },
        { CpuEventKind.VendorInstruction, (int)VendorInstruction.Stgi, 0x010, 4, 0x84 },
        { CpuEventKind.VendorInstruction, (int)VendorInstruction.Clgi, 0x010, 5, 0x85 },
        { CpuEventKind.VendorInstruction, (int)VendorInstruction.Skinit, 0x010, 6, 0x86 },
        { CpuEventKind.Rdtscp, 0, 0x010, 7, 0x87 }, { CpuEventKind.Wbinvd, 0, 0x010, 9, 0x89 }, { CpuEventKind.Monitor, 0, 0x010, 10, 0x8A },
        { CpuEventKind.Mwait, 0, 0x010, 11, 0x8B }, { CpuEventKind.Xsetbv, 0, 0x010, 13, 0x8D },
        { CpuEventKind.CrRead, 0, 0x000, 0, 0x00 }, { CpuEventKind.CrRead, 3, 0x000, 3, 0x03 }, { CpuEventKind.CrRead, 8, 0x000, 8, 0x08 },
        { CpuEventKind.CrWrite, 0, 0x002, 0, 0x10 }, { CpuEventKind.CrWrite, 4, 0x002, 4, 0x14 }, { CpuEventKind.CrWrite, 8, 0x002, 8, 0x18 },
        { CpuEventKind.Smsw, 0, 0x000, 0, 0x00 }, { CpuEventKind.Lmsw, 0, 0x002, 0, 0x10 }, { CpuEventKind.Clts, 0, 0x002, 0, 0x10 },
        { CpuEventKind.DrRead, 6, 0x004, 6, 0x26 }, { CpuEventKind.DrWrite, 7, 0x006, 7, 0x37 },
        { CpuEventKind.Exception, 0, 0x008, 0, 0x40 }, { CpuEventKind.Exception, 14, 0x008, 14, 0x4E },
        { CpuEventKind.Exception, 31, 0x008, 31, 0x5F },
    };

    [Theory, MemberData(nameof(SingleBits))]
    public void An_event_exits_by_its_bit_and_by_no_other(CpuEventKind kind, int selector, int offset, int bit, int code)
    {
        CpuEvent e = Event(kind, selector);
        Assert.True(Decide(e, out ExitRecord exit, v => Set(v, offset, bit)));
        Assert.Equal((SvmExitCode)code, exit.Code);
        Assert.False(Decide(e, out _, v => SetAllBut(v, offset, bit)), "another bit made it exit");
    }

    [Fact]
    public void Every_row_of_the_table_is_in_the_matrix() =>
        Assert.All(InstructionIntercepts.All, row => Assert.Contains(SingleBits, r => r.Data.Item1 == row.Kind
            && (SvmExitCode)r.Data.Item5 == row.Code));

    [Theory]
    [InlineData(VendorInstruction.Vmcall)]
    [InlineData(VendorInstruction.Vmxon)]
    [InlineData(VendorInstruction.Invept)]
    [InlineData(VendorInstruction.HvExit)]
    public void The_other_vendors_instructions_have_no_intercept(VendorInstruction instruction) =>
        Assert.False(Decide(Event(CpuEventKind.VendorInstruction, (int)instruction), out _, v => SetAllBut(v, 0, -1)));

    [Theory]
    [InlineData(0xC000_0080u, 0x820, 0, false)]
    [InlineData(0xC000_0080u, 0x820, 1, true)]
    public void MSRs_ask_the_map(uint index, int @byte, int bit, bool isWrite)
    {
        var e = new CpuEvent { Kind = isWrite ? CpuEventKind.Wrmsr : CpuEventKind.Rdmsr, Index = index };
        Assert.False(Decide(e, out _, v => Set(v, 0x00C, 28)));
        _memory.Write8(_msrs + (ulong)@byte, (byte)(1 << bit));
        Assert.True(Decide(e, out ExitRecord exit, v => Set(v, 0x00C, 28)));
        Assert.Equal(new ExitRecord(SvmExitCode.MSR, isWrite ? 1u : 0, 0, true), exit);
        Assert.False(Decide(e, out _, v => SetAllBut(v, 0x00C, 28)));
    }

    [Fact]
    public void The_magic_MSR_always_exits_with_the_map_on() =>
        Assert.True(Decide(new CpuEvent { Kind = CpuEventKind.Wrmsr, Index = 0x8765_5678 }, out _, v => Set(v, 0x00C, 28)));

    [Fact]
    public void Ports_ask_the_map_and_say_what_and_where_next()
    {
        var e = new CpuEvent { Kind = CpuEventKind.PortIo, Port = new PortIoExit(0x3F8, 1, true, 0, false), Length = 2 };
        Assert.False(Decide(e, out _, v => Set(v, 0x00C, 27)));
        _memory.Write8(_ports + 0x7F, 1);
        Assert.True(Decide(e, out ExitRecord exit, v => Set(v, 0x00C, 27)));
        // OUT (bit 0 clear), 8 bits (bit 4), 64-bit addresses (bit 9), port in 31:16
        Assert.Equal(new ExitRecord(SvmExitCode.IOIO, 0x03F8_0210, 0x1002, true), exit);
    }

    [Fact]
    public void String_forms_add_string_rep_address_size_and_segment()
    {
        _memory.Write8(_ports + 0x0E, 0xFF);
        var e = new CpuEvent
        {
            Kind = CpuEventKind.StringIo,
            Port = new PortIoExit(0x70, 2, true, 0, true),
            AddressSize = 4,
            Segment = 3,
            IsRep = true,
            Length = 3
        };
        Assert.True(Decide(e, out ExitRecord exit, v => Set(v, 0x00C, 27)));
        Assert.Equal(0x0070_0D2Cul, exit.Info1);
        e = new CpuEvent { Kind = CpuEventKind.StringIo, Port = new PortIoExit(0x70, 4, false, 0, true), AddressSize = 8, Length = 1 };
        Assert.True(Decide(e, out exit, v => Set(v, 0x00C, 27)));
        Assert.Equal(0x0070_0245ul, exit.Info1);
    }

    [Theory]
    [InlineData(CpuEventKind.CrWrite, 0x8000_0011ul, 0x8000_0019ul, false)] // TS alone
    [InlineData(CpuEventKind.CrWrite, 0x8000_0011ul, 0x8000_0013ul, false)] // MP alone
    [InlineData(CpuEventKind.CrWrite, 0x8000_0011ul, 0x8000_0011ul, false)] // nothing
    [InlineData(CpuEventKind.CrWrite, 0x8000_0011ul, 0x8000_0015ul, true)] // EM
    [InlineData(CpuEventKind.CrWrite, 0x8000_0011ul, 0x0000_0011ul, true)] // PG
    [InlineData(CpuEventKind.Lmsw, 0x8000_0011ul, 0x0009ul, false)]
    [InlineData(CpuEventKind.Lmsw, 0x8000_0011ul, 0x0008ul, false)] // LMSW cannot clear PE
    [InlineData(CpuEventKind.Lmsw, 0x8000_0011ul, 0x0005ul, true)]
    [InlineData(CpuEventKind.Clts, 0x8000_0019ul, 0ul, false)]
    public void The_selective_CR0_intercept_asks_what_changes(CpuEventKind kind, ulong cr0, ulong value, bool exits)
    {
        var e = new CpuEvent { Kind = kind, Value = value };
        Assert.Equal(exits, Decide(e, out ExitRecord exit, v => Set(v, 0x00C, 5), (ref s) => s.Sys.Cr0 = cr0));
        if (exits)
            Assert.Equal(SvmExitCode.CR0_SEL_WRITE, exit.Code);
    }

    [Fact]
    public void Decode_assists_name_the_register_the_vector_and_the_address()
    {
        var mov = new CpuEvent { Kind = CpuEventKind.CrWrite, Index = 3, Register = 11 };
        Assert.True(Decide(mov, out ExitRecord exit, v => Set(v, 0x002, 3)));
        Assert.Equal(0x8000_0000_0000_000Bul, exit.Info1);
        Assert.True(Decide(mov, out exit, v => Set(v, 0x002, 3), decodeAssists: false));
        Assert.Equal(0ul, exit.Info1);
        Assert.True(Decide(new CpuEvent { Kind = CpuEventKind.Clts }, out exit, v => Set(v, 0x002, 0)));
        Assert.Equal(0ul, exit.Info1);
        Assert.True(Decide(new CpuEvent { Kind = CpuEventKind.DrRead, Index = 7, Register = 9 }, out exit, v => Set(v, 0x004, 7)));
        Assert.Equal(9ul, exit.Info1);
        Assert.True(Decide(new CpuEvent { Kind = CpuEventKind.SoftwareInterrupt, Index = 0x80 }, out exit, v => Set(v, 0x00C, 21)));
        Assert.Equal(0x80ul, exit.Info1);
        Assert.True(Decide(new CpuEvent { Kind = CpuEventKind.Invlpg, Address = 0x1234_5000 }, out exit, v => Set(v, 0x00C, 25)));
        Assert.Equal(0x1234_5000ul, exit.Info1);
    }

    [Fact]
    public void A_page_fault_gives_code_and_address()
    {
        var e = new CpuEvent { Kind = CpuEventKind.Exception, Index = 14, HasErrorCode = true, Value = 6, Address = 0x5000 };
        Assert.True(Decide(e, out ExitRecord exit, v => Set(v, 0x008, 14)));
        Assert.Equal(new ExitRecord((SvmExitCode)0x4E, 6, 0x5000, false), exit);
    }

    [Fact]
    public void INT3_saves_nRIP_and_INT1_has_its_own_intercept()
    {
        Assert.True(Decide(new CpuEvent { Kind = CpuEventKind.Exception, Index = 3, Length = 1 }, out ExitRecord exit, v => Set(v, 0x008, 3)));
        Assert.True(exit.SavesNextRip);
        var int1 = new CpuEvent { Kind = CpuEventKind.Exception, Index = 1, Length = 1 };
        Assert.True(Decide(int1, out exit, v => Set(v, 0x010, 8)));
        Assert.Equal(SvmExitCode.ICEBP, exit.Code);
        Assert.True(Decide(int1, out exit, v => Set(v, 0x008, 1)));
        Assert.Equal((SvmExitCode)0x41, exit.Code);
        Assert.False(Decide(new CpuEvent { Kind = CpuEventKind.Exception, Index = 1 }, out _, v => Set(v, 0x010, 8)));
    }

    [Theory]
    [InlineData(0ul, false, 0u, 0ul, 0ul)]
    [InlineData(1ul, false, 0u, 0ul, 1ul << 36)]
    [InlineData(2ul, false, 0u, 0ul, 1ul << 38)]
    [InlineData(3ul, true, 0x10u, 0ul, (1ul << 44) | 0x10)]
    [InlineData(0ul, false, 0u, 1ul << 16, 1ul << 48)]
    public void A_task_switch_says_its_source(ulong source, bool hasError, uint error, ulong rflags, ulong info2)
    {
        var e = new CpuEvent { Kind = CpuEventKind.TaskSwitch, Index = 0x28, Value = source, HasErrorCode = hasError, Address = error };
        Assert.True(Decide(e, out ExitRecord exit, v => Set(v, 0x00C, 29), (ref s) => s.Gpr.Rflags = rflags));
        Assert.Equal(new ExitRecord(SvmExitCode.TASK_SWITCH, 0x28, info2, false), exit);
    }

    [Theory]
    [InlineData(NestedFault.User | NestedFault.Write, false, 0x1_0000_0006ul)]
    [InlineData(NestedFault.User | NestedFault.Write | NestedFault.Present, true, 0x2_0000_0007ul)]
    public void A_nested_fault_says_which_walk_it_was(NestedFault fault, bool isTable, ulong info1) =>
        Assert.Equal(new ExitRecord(SvmExitCode.NPF, info1, 0xFEE0_0000, false), Interception.NestedFaultRecord(fault, isTable, 0xFEE0_0000));

    private delegate void StateChange(ref CpuState s);

    private bool Decide(CpuEvent e, out ExitRecord exit, Action<byte[]> intercepts, StateChange? change = null, bool decodeAssists = true)
    {
        var bytes = new byte[4096];
        intercepts(bytes);
        Vmcb vmcb = System.Runtime.InteropServices.MemoryMarshal.Read<Vmcb>(bytes);
        vmcb.Control.MsrpmBasePa = _msrs.Value;
        vmcb.Control.IopmBasePa = _ports.Value;
        var s = default(CpuState);
        s.Gpr.Rip = 0x1000;
        s.Sys.Efer = 1 << 10;
        s.Sys.Cs.Attributes = SegmentRegister.LongBit;
        change?.Invoke(ref s);
        return Interception.Decide(vmcb.Control, s, e, _memory, decodeAssists, out exit);
    }

    private static CpuEvent Event(CpuEventKind kind, int selector) => kind == CpuEventKind.VendorInstruction
        ? new CpuEvent { Kind = kind, Instruction = (VendorInstruction)selector, Length = 3 } : new CpuEvent { Kind = kind, Index = (uint)selector };

    private static void Set(byte[] vmcb, int offset, int bit) => vmcb[offset + bit / 8] |= (byte)(1 << bit % 8);

    // Every intercept bit of the four words but one; the selective CR0 write stays off, as it is a second bit of the same instructions.
    private static void SetAllBut(byte[] vmcb, int offset, int bit)
    {
        Array.Fill(vmcb, byte.MaxValue, 0, 0x018);
        vmcb[0x00C] &= 0xDF;
        if (bit >= 0)
            vmcb[offset + bit / 8] &= (byte)~(1 << bit % 8);
    }
}
