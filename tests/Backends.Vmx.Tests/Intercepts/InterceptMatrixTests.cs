using Hv.Backends.Vmx.Silicon;
using Hv.Backends.Vmx.Silicon.Exit;
using Hv.Backends.Vmx.Silicon.Fields;
using Hv.Core.Exits;
using Hv.Core.Memory;
using Hv.Cpu.Virtualization;
using static Hv.Backends.Vmx.Silicon.Fields.VmcsField;
using Table = Hv.Backends.Vmx.Silicon.Exit.Intercepts;

namespace Hv.Backends.Vmx.Tests.Intercepts;

/// <summary>Which event exits under which control: SDM 3C 26.1.2, 26.1.3 and 26.2, row by row.</summary>
public sealed class InterceptMatrixTests : IDisposable
{
    private readonly GuestMemory _guest = GuestMemory.OfSize(0x1_0000);
    private readonly HostPhysicalMemory _memory;
    private readonly Vmcs _vmcs = new(new GuestRegisters());

    public InterceptMatrixTests() => _memory = new HostPhysicalMemory(_guest);

    private VmxExitReason? Ask(in CpuEvent e) => Table.Exits(_vmcs, _memory, e, out VmxExitReason reason) ? reason : null;

    public static TheoryData<CpuEventKind, VmxExitReason> Unconditional => new()
    {
        { CpuEventKind.Cpuid, VmxExitReason.Cpuid },
        { CpuEventKind.Invd, VmxExitReason.Invd },
        { CpuEventKind.Xsetbv, VmxExitReason.Xsetbv },
        { CpuEventKind.TaskSwitch, VmxExitReason.TaskSwitch },
        { CpuEventKind.TripleFault, VmxExitReason.TripleFault },
        { CpuEventKind.GuestPhysicalAccess, VmxExitReason.EptViolation },
        // Without MSR bitmaps every RDMSR and WRMSR exits.
        { CpuEventKind.Rdmsr, VmxExitReason.Rdmsr },
        { CpuEventKind.Wrmsr, VmxExitReason.Wrmsr },
    };

    [Theory]
    [MemberData(nameof(Unconditional))]
    public void Exits_whatever_the_controls(CpuEventKind kind, VmxExitReason reason) => Assert.Equal(reason, Ask(new CpuEvent { Kind = kind }));

    public static TheoryData<CpuEventKind, VmcsField, uint, VmxExitReason> Conditional => new()
    {
        { CpuEventKind.Hlt, PrimaryControls, 1u << 7, VmxExitReason.Hlt },
        { CpuEventKind.Invlpg, PrimaryControls, 1u << 9, VmxExitReason.Invlpg },
        { CpuEventKind.Mwait, PrimaryControls, 1u << 10, VmxExitReason.Mwait },
        { CpuEventKind.Rdpmc, PrimaryControls, 1u << 11, VmxExitReason.Rdpmc },
        { CpuEventKind.Rdtsc, PrimaryControls, 1u << 12, VmxExitReason.Rdtsc },
        { CpuEventKind.Rdtscp, PrimaryControls, 1u << 12, VmxExitReason.Rdtscp },
        { CpuEventKind.DrRead, PrimaryControls, 1u << 23, VmxExitReason.MovDr },
        { CpuEventKind.DrWrite, PrimaryControls, 1u << 23, VmxExitReason.MovDr },
        { CpuEventKind.PortIo, PrimaryControls, 1u << 24, VmxExitReason.IoInstruction },
        { CpuEventKind.StringIo, PrimaryControls, 1u << 24, VmxExitReason.IoInstruction },
        { CpuEventKind.Monitor, PrimaryControls, 1u << 29, VmxExitReason.Monitor },
        { CpuEventKind.Pause, PrimaryControls, 1u << 30, VmxExitReason.Pause },
        { CpuEventKind.InterruptWindow, PrimaryControls, 1u << 2, VmxExitReason.InterruptWindow },
        { CpuEventKind.ExternalInterrupt, PinBasedControls, 1u << 0, VmxExitReason.ExternalInterrupt },
        { CpuEventKind.Wbinvd, SecondaryControls, 1u << 6, VmxExitReason.Wbinvd },
        { CpuEventKind.GdtrIdtr, SecondaryControls, 1u << 2, VmxExitReason.GdtrIdtrAccess },
        { CpuEventKind.LdtrTr, SecondaryControls, 1u << 2, VmxExitReason.LdtrTrAccess },
    };

    [Theory]
    [MemberData(nameof(Conditional))]
    public void Exits_under_its_control_alone(CpuEventKind kind, VmcsField field, uint control, VmxExitReason reason)
    {
        const uint ActivateSecondary = 1u << 31, UseIoBitmaps = 1u << 25;
        var e = new CpuEvent { Kind = kind, Size = 1 };
        Assert.Null(Ask(e));
        _vmcs.Write(PrimaryControls, ~(field == PrimaryControls ? control : 0) & ~ActivateSecondary & ~UseIoBitmaps);
        _vmcs.Write(PinBasedControls, ~(field == PinBasedControls ? control : 0));
        _vmcs.Write(SecondaryControls, uint.MaxValue);
        Assert.Null(Ask(e));
        _vmcs.Write(PrimaryControls, ActivateSecondary | (field == PrimaryControls ? control : 0));
        _vmcs.Write(PinBasedControls, field == PinBasedControls ? control : 0);
        _vmcs.Write(SecondaryControls, field == SecondaryControls ? control : 0);
        Assert.Equal(reason, Ask(e));
    }

    [Theory]
    [InlineData(VendorInstruction.Vmcall, 18)]
    [InlineData(VendorInstruction.Vmclear, 19)]
    [InlineData(VendorInstruction.Vmlaunch, 20)]
    [InlineData(VendorInstruction.Vmptrld, 21)]
    [InlineData(VendorInstruction.Vmptrst, 22)]
    [InlineData(VendorInstruction.Vmread, 23)]
    [InlineData(VendorInstruction.Vmresume, 24)]
    [InlineData(VendorInstruction.Vmwrite, 25)]
    [InlineData(VendorInstruction.Vmxoff, 26)]
    [InlineData(VendorInstruction.Vmxon, 27)]
    [InlineData(VendorInstruction.Invept, 50)]
    [InlineData(VendorInstruction.Invvpid, 53)]
    public void VMX_instructions_exit_with_their_reason(VendorInstruction instruction, int reason) =>
        Assert.Equal((VmxExitReason)reason, Ask(new CpuEvent { Kind = CpuEventKind.VendorInstruction, Instruction = instruction }));

    [Theory]
    [InlineData(VendorInstruction.Vmfunc)]
    [InlineData(VendorInstruction.Vmrun)]
    [InlineData(VendorInstruction.Vmmcall)]
    [InlineData(VendorInstruction.Vmload)]
    [InlineData(VendorInstruction.Vmsave)]
    [InlineData(VendorInstruction.Stgi)]
    [InlineData(VendorInstruction.Clgi)]
    [InlineData(VendorInstruction.Skinit)]
    [InlineData(VendorInstruction.Invlpga)]
    [InlineData(VendorInstruction.HvExit)]
    [InlineData(VendorInstruction.None)]
    public void Other_vendors_instructions_and_VMFUNC_are_left_to_be_undefined(VendorInstruction instruction) =>
        Assert.Null(Ask(new CpuEvent { Kind = CpuEventKind.VendorInstruction, Instruction = instruction }));

    [Fact]
    public void MSR_bitmaps_decide_where_they_are_used()
    {
        ulong page = _memory.AllocatePage();
        _vmcs.Write(PrimaryControls, 1u << 28);
        _vmcs.Write(MsrBitmap, page);
        var read = new CpuEvent { Kind = CpuEventKind.Rdmsr, Index = 0x10 };
        var write = new CpuEvent { Kind = CpuEventKind.Wrmsr, Index = 0x10 };
        Assert.Null(Ask(read));
        Assert.Null(Ask(write));
        _memory.Page(page)[0x802] = 1;
        Assert.Null(Ask(read));
        Assert.Equal(VmxExitReason.Wrmsr, Ask(write));
        Assert.Equal(VmxExitReason.Rdmsr, Ask(read with { Index = 0x8765_5678 }));
    }

    [Fact]
    public void IO_bitmaps_overrule_unconditional_IO_exiting()
    {
        _vmcs.Write(PrimaryControls, (1u << 24) | (1u << 25));
        _vmcs.Write(IoBitmapA, _memory.AllocatePage());
        _vmcs.Write(IoBitmapB, _memory.AllocatePage());
        var e = new CpuEvent { Kind = CpuEventKind.PortIo, Port = new PortIoExit(0x3F8, 1, false, 0, false) };
        Assert.Null(Ask(e));
        _memory.Page(_vmcs[IoBitmapA])[0x7F] = 1;
        Assert.Equal(VmxExitReason.IoInstruction, Ask(e));
        Assert.Null(Ask(e with { Port = new PortIoExit(0x83F8, 1, false, 0, false) }));
    }

    [Theory]
    [InlineData(0UL, 0UL, 0x8000_0011UL, false)]
    [InlineData(0x20UL, 0x20UL, 0x8000_0031UL, false)]
    [InlineData(0x20UL, 0x20UL, 0x8000_0011UL, true)]
    [InlineData(0x20UL, 0x00UL, 0x8000_0031UL, true)]
    [InlineData(0x8000_0000UL, 0UL, 0x8000_0031UL, true)]
    public void MOV_to_CR0_exits_when_an_owned_bit_differs_from_the_shadow(ulong mask, ulong shadow, ulong value, bool exits)
    {
        _vmcs.Write(Cr0Mask, mask);
        _vmcs.Write(Cr0ReadShadow, shadow);
        Assert.Equal(exits, Ask(new CpuEvent { Kind = CpuEventKind.CrWrite, Index = 0, Value = value }) is VmxExitReason.ControlRegisterAccess);
    }

    [Theory]
    [InlineData(0x2000UL, 0UL, 0x20UL, false)]
    [InlineData(0x2000UL, 0UL, 0x2020UL, true)]
    public void MOV_to_CR4_exits_when_an_owned_bit_differs_from_the_shadow(ulong mask, ulong shadow, ulong value, bool exits)
    {
        _vmcs.Write(Cr4Mask, mask);
        _vmcs.Write(Cr4ReadShadow, shadow);
        Assert.Equal(exits, Ask(new CpuEvent { Kind = CpuEventKind.CrWrite, Index = 4, Value = value }) is not null);
    }

    [Fact]
    public void MOV_to_CR3_exits_unless_the_value_is_a_target()
    {
        var e = new CpuEvent { Kind = CpuEventKind.CrWrite, Index = 3, Value = 0x5000 };
        Assert.Null(Ask(e));
        _vmcs.Write(PrimaryControls, 1u << 15);
        Assert.NotNull(Ask(e));
        _vmcs.Write(Cr3Target1, 0x5000);
        _vmcs.Write(Cr3TargetCount, 1);
        Assert.NotNull(Ask(e));
        _vmcs.Write(Cr3TargetCount, 2);
        Assert.Null(Ask(e));
    }

    [Theory]
    [InlineData(CpuEventKind.CrRead, 3, 16)]
    [InlineData(CpuEventKind.CrRead, 8, 20)]
    [InlineData(CpuEventKind.CrWrite, 8, 19)]
    public void CR3_and_CR8_have_controls_of_their_own(CpuEventKind kind, int register, int bit)
    {
        var e = new CpuEvent { Kind = kind, Index = (uint)register };
        Assert.Null(Ask(e));
        _vmcs.Write(PrimaryControls, 1u << bit);
        Assert.Equal(VmxExitReason.ControlRegisterAccess, Ask(e));
    }

    [Theory]
    [InlineData(0, true)]
    [InlineData(2, true)]
    [InlineData(4, true)]
    public void Reads_of_CR0_CR2_and_CR4_never_exit(int register, bool owned)
    {
        _vmcs.Write(Cr0Mask, owned ? ulong.MaxValue : 0);
        _vmcs.Write(Cr4Mask, owned ? ulong.MaxValue : 0);
        Assert.Null(Ask(new CpuEvent { Kind = CpuEventKind.CrRead, Index = (uint)register }));
        Assert.Null(Ask(new CpuEvent { Kind = CpuEventKind.Smsw }));
    }

    [Theory]
    [InlineData(0UL, 8UL, false)]
    [InlineData(8UL, 0UL, false)]
    [InlineData(8UL, 8UL, true)]
    public void CLTS_exits_when_TS_is_owned_and_shown_set(ulong mask, ulong shadow, bool exits)
    {
        _vmcs.Write(Cr0Mask, mask);
        _vmcs.Write(Cr0ReadShadow, shadow);
        Assert.Equal(exits, Ask(new CpuEvent { Kind = CpuEventKind.Clts }) is not null);
    }

    [Theory]
    [InlineData(1UL, 0UL, 1UL, true)]
    [InlineData(1UL, 1UL, 0UL, false)]
    [InlineData(1UL, 1UL, 1UL, false)]
    [InlineData(8UL, 8UL, 0UL, true)]
    [InlineData(2UL, 0UL, 2UL, true)]
    [InlineData(0x20UL, 0UL, 0x20UL, false)]
    public void LMSW_exits_by_its_four_bits_and_PE_only_when_set(ulong mask, ulong shadow, ulong source, bool exits)
    {
        _vmcs.Write(Cr0Mask, mask);
        _vmcs.Write(Cr0ReadShadow, shadow);
        Assert.Equal(exits, Ask(new CpuEvent { Kind = CpuEventKind.Lmsw, Value = source }) is not null);
    }

    [Fact]
    public void The_exception_bitmap_has_a_bit_for_each_vector()
    {
        for (uint vector = 0; vector < 32; vector++)
        {
            var e = new CpuEvent { Kind = CpuEventKind.Exception, Index = vector };
            _vmcs.Write(ExceptionBitmap, 1u << (int)vector);
            Assert.Equal(VmxExitReason.ExceptionOrNmi, Ask(e));
            _vmcs.Write(ExceptionBitmap, ~(1u << (int)vector));
            // Mask and match 0: every error code matches.
            Assert.Null(Ask(e));
        }
    }

    [Theory]
    [InlineData(true, 0u, 0u, 2u, true)]
    [InlineData(false, 0u, 0u, 2u, false)]
    [InlineData(true, 1u, 1u, 2u, false)]
    [InlineData(false, 1u, 1u, 2u, true)]
    [InlineData(true, 1u, 1u, 3u, true)]
    [InlineData(false, 1u, 1u, 3u, false)]
    public void Page_faults_are_filtered_by_error_code(bool bit, uint mask, uint match, uint code, bool exits)
    {
        _vmcs.Write(ExceptionBitmap, bit ? 1u << 14 : 0);
        _vmcs.Write(PageFaultErrorCodeMask, mask);
        _vmcs.Write(PageFaultErrorCodeMatch, match);
        Assert.Equal(exits, Ask(new CpuEvent { Kind = CpuEventKind.Exception, Index = 14, HasErrorCode = true, Value = code }) is not null);
    }

    [Theory]
    [InlineData(CpuEventKind.SoftwareInterrupt)]
    [InlineData(CpuEventKind.Iret)]
    [InlineData(CpuEventKind.Rsm)]
    [InlineData(CpuEventKind.Smsw)]
    public void Never_exits(CpuEventKind kind)
    {
        _vmcs.Write(PrimaryControls, uint.MaxValue & ~((1u << 25) | (1u << 28)));
        _vmcs.Write(SecondaryControls, uint.MaxValue);
        _vmcs.Write(PinBasedControls, uint.MaxValue);
        _vmcs.Write(ExceptionBitmap, uint.MaxValue);
        Assert.Null(Ask(new CpuEvent { Kind = kind, Index = 14 }));
    }

    public void Dispose() => _guest.Dispose();
}
