using Hv.Backends.Vmx.Hypervisor.Capture;
using Hv.Backends.Vmx.Silicon.Exit;
using Hv.Core;
using Hv.Core.Exits;

namespace Hv.Backends.Vmx.Tests.Capture;

/// <summary>Raw VMCS contents in, neutral exit out. The raw values are written from the SDM's tables of chapter 28 and appendix C.</summary>
public sealed class VmxExitCaptureTests
{
    // A 64-bit guest at CPL 0: CR0.PE, CS.L (bit 13), entry control bit 9.
    private static readonly VmxExitRecord s_guest = new()
    {
        Rip = 0x40_1000,
        Cr0 = 0x8000_0031,
        CsAccessRights = 0xA09B,
        SsAccessRights = 0xC093,
        EntryControls = 0x13FB,
        Rflags = 2,
        Rax = 0x1111_2222_3333_4444,
        Rcx = 0x5555_6666_8765_5678,
        Rdx = 0x9999_AAAA_BBBB_CCCC,
    };

    private static VmExit Capture(in VmxExitRecord raw)
    {
        VmxExitCapture.Capture(raw, out VmExit exit);
        return exit;
    }

    [Fact]
    public void VMCALL_is_a_hypercall_with_its_length_and_place()
    {
        VmExit exit = Capture(s_guest with { Reason = 18, InstructionLength = 3 });
        Assert.Equal((ExitReason.Hypercall, (byte)3, 0x40_1000UL, (byte)0), (exit.Reason, exit.InstructionLength, exit.Rip, exit.Cpl));
        Assert.Equal(GuestMode.Protected | GuestMode.LongModeActive | GuestMode.Code64, exit.Mode);
        Assert.Equal(new RawExit(18, 0, 0), exit.Raw);
    }

    [Theory]
    [InlineData(0x0000_0010UL, 0x009Bu, 0x0093u, 0x11FBu, 2UL, GuestMode.Real, 0)]
    [InlineData(0x0000_0011UL, 0xC09Bu, 0xC093u, 0x11FBu, 2UL, GuestMode.Protected | GuestMode.Code32, 0)]
    [InlineData(0x8000_0011UL, 0xC0FBu, 0xC0F3u, 0x13FBu, 2UL, GuestMode.Protected | GuestMode.LongModeActive | GuestMode.Code32, 3)]
    [InlineData(0x8000_0011UL, 0x00F3u, 0x00F3u, 0x11FBu, 0x2_0002UL, GuestMode.Protected | GuestMode.Virtual8086, 3)]
    public void The_mode_comes_from_CR0_CS_RFLAGS_and_the_entry_controls(ulong cr0, uint cs, uint ss, uint entry, ulong rflags, GuestMode mode,
        int cpl)
    {
        VmExit exit = Capture(s_guest with
        {
            Reason = 18,
            Cr0 = cr0,
            CsAccessRights = cs,
            SsAccessRights = ss,
            EntryControls = entry,
            Rflags = rflags
        });
        Assert.Equal((mode, cpl), (exit.Mode, exit.Cpl));
    }

    [Theory]
    [InlineData(0x03F8_0000UL, 0x3F8, 1, true, 0x44u, false)]
    [InlineData(0x03F8_0041UL, 0x3F8, 2, true, 0x4444u, false)]
    [InlineData(0x0CF8_0003UL, 0xCF8, 4, true, 0x3333_4444u, false)]
    [InlineData(0x0060_0008UL, 0x60, 1, false, 0u, false)]
    [InlineData(0xFFFF_0039UL, 0xFFFF, 2, false, 0u, true)]
    [InlineData(0x01F0_0031UL, 0x1F0, 2, true, 0xBEEFu, true)]
    public void IO_qualification_gives_port_size_direction_and_string(ulong qualification, int port, int size, bool isWrite, uint value,
        bool isString)
    {
        VmExit exit = Capture(s_guest with { Reason = 30, Qualification = qualification, OperandValue = 0xDEAD_BEEF, InstructionLength = 1 });
        Assert.Equal(ExitReason.PortIo, exit.Reason);
        Assert.Equal(new PortIoExit((ushort)port, (byte)size, isWrite, value, isString), exit.PortIo);
    }

    [Fact]
    public void RDMSR_and_WRMSR_take_ECX_and_EDX_EAX()
    {
        VmExit read = Capture(s_guest with { Reason = 31, InstructionLength = 2 });
        Assert.Equal((ExitReason.MsrRead, new MsrExit(0x8765_5678, 0)), (read.Reason, read.Msr));
        VmExit write = Capture(s_guest with { Reason = 32, InstructionLength = 2 });
        Assert.Equal((ExitReason.MsrWrite, new MsrExit(0x8765_5678, 0xBBBB_CCCC_3333_4444)), (write.Reason, write.Msr));
    }

    [Fact]
    public void CPUID_takes_EAX_and_ECX()
    {
        VmExit exit = Capture(s_guest with { Reason = 10, InstructionLength = 2 });
        Assert.Equal((ExitReason.Cpuid, new CpuidExit(0x3333_4444, 0x8765_5678)), (exit.Reason, exit.Cpuid));
    }

    [Theory]
    [InlineData(0xA09Bu, 0x13FBu, 0xFFFF_FFFFUL, 0x1_0000_0000UL)]
    [InlineData(0xC09Bu, 0x11FBu, 0xFFFF_FFFFUL, 0UL)]
    [InlineData(0x009Bu, 0x11FBu, 0xFFFFUL, 0UL)]
    public void HLT_reports_the_next_instruction(uint cs, uint entry, ulong rip, ulong next)
    {
        VmExit exit = Capture(s_guest with { Reason = 12, InstructionLength = 1, Rip = rip, CsAccessRights = cs, EntryControls = entry });
        Assert.Equal((ExitReason.Halt, next), (exit.Reason, exit.Rip));
    }

    [Theory]
    [InlineData(0x181UL, 4, false, false, 0UL)]
    [InlineData(0x182UL, 4, true, false, 0xABCDUL)]
    [InlineData(0x184UL, 0, false, true, 0UL)]
    public void An_EPT_violation_is_a_memory_access(ulong qualification, int size, bool isWrite, bool isFetch, ulong value)
    {
        VmExit exit = Capture(s_guest with
        {
            Reason = 48,
            Qualification = qualification,
            GuestPhysicalAddress = 0xFEE0_0030,
            OperandSize = (byte)size,
            OperandValue = 0xABCD,
        });
        Assert.Equal(ExitReason.MemoryAccess, exit.Reason);
        Assert.Equal(new MemoryExit(new Gpa(0xFEE0_0030), (byte)size, isWrite, isFetch, value), exit.Memory);
        Assert.Equal(new RawExit(48, qualification, 0xFEE0_0030), exit.Raw);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_read_modify_write_exits_for_its_read_and_for_its_store(bool isStore)
    {
        VmExit exit = Capture(s_guest with
        {
            Reason = 48,
            Qualification = 0x183,
            GuestPhysicalAddress = 0x5000,
            OperandSize = 4,
            OperandIsStore = isStore,
            OperandValue = 7
        });
        Assert.Equal(new MemoryExit(new Gpa(0x5000), 4, isStore, false, isStore ? 7UL : 0), exit.Memory);
    }

    [Theory]
    [InlineData(0x8000_0B0Eu, 0x6u, 0x1234UL, 14, true, 0x6u, 0x1234UL)]
    [InlineData(0x8000_0B0Du, 0x18u, 0UL, 13, true, 0x18u, 0UL)]
    [InlineData(0x8000_0306u, 0x99u, 0UL, 6, false, 0u, 0UL)]
    [InlineData(0x8000_0603u, 0u, 0UL, 3, false, 0u, 0UL)]
    [InlineData(0x8000_0301u, 0u, 0x4000UL, 1, false, 0u, 0UL)]
    public void Interruption_information_gives_the_exception(uint info, uint error, ulong qualification, int vector, bool hasError, uint code,
        ulong address)
    {
        VmExit exit = Capture(s_guest with { Reason = 0, InterruptionInfo = info, InterruptionErrorCode = error, Qualification = qualification });
        Assert.Equal(ExitReason.Exception, exit.Reason);
        Assert.Equal(new ExceptionExit((byte)vector, hasError, code, address), exit.Exception);
    }

    [Theory]
    [InlineData(0x8000_0202u)]
    [InlineData(0x0000_0306u)]
    public void An_NMI_or_an_invalid_field_is_unknown(uint info) => Assert.Equal(ExitReason.Unknown, Capture(s_guest with
    {
        Reason = 0,
        InterruptionInfo = info
    }).Reason);

    [Theory]
    [InlineData(1, ExitReason.Cancelled)]
    [InlineData(2, ExitReason.Shutdown)]
    [InlineData(7, ExitReason.InterruptWindow)]
    [InlineData(49, ExitReason.InternalError)]
    [InlineData(52, ExitReason.BudgetExpired)]
    public void Reasons_without_payload(int reason, ExitReason neutral) => Assert.Equal(neutral,
        Capture(s_guest with { Reason = (uint)reason }).Reason);

    [Theory]
    [InlineData(0x8000_0021u)]
    [InlineData(0x8000_0022u)]
    [InlineData(0x8000_0029u)]
    [InlineData(0x8000_FFFFu)]
    public void Bit_31_is_a_failed_entry(uint reason)
    {
        VmExit exit = Capture(s_guest with { Reason = reason, Qualification = 4 });
        Assert.Equal((ExitReason.EntryFailed, new RawExit(reason, 4, 0)), (exit.Reason, exit.Raw));
    }

    [Fact]
    public void Every_16_bit_reason_gives_an_exit_and_what_is_not_known_is_unknown_with_its_numbers()
    {
        int[] known = [1, 2, 7, 10, 12, 18, 30, 31, 32, 48, 49, 52];
        for (uint reason = 0; reason <= ushort.MaxValue; reason++)
        {
            VmExit exit = Capture(s_guest with { Reason = reason, Qualification = 0x77, InstructionInfo = 0x88 });
            Assert.Equal(known.Contains((int)reason), exit.Reason != ExitReason.Unknown);
            if (exit.Reason == ExitReason.Unknown && reason != 0)
                Assert.Equal(new RawExit(reason, 0x77, 0x88), exit.Raw);
            Assert.NotEmpty(VmxExitNames.Describe(exit.Raw));
        }
    }

    [Theory]
    [InlineData(18UL, 0UL, 0UL, "VMCALL (18)")]
    [InlineData(30UL, 0x03F8_0000UL, 0UL, "I/O instruction (30): OUT, 1 bytes, port 0x3f8")]
    [InlineData(30UL, 0x01F0_0039UL, 0UL, "I/O instruction (30): REP INS, 2 bytes, port 0x1f0")]
    [InlineData(28UL, 0x0304UL, 0UL, "Control-register accesses (28): MOV to CR4, RBX")]
    [InlineData(28UL, 0x0913UL, 0UL, "Control-register accesses (28): MOV from CR3, R9")]
    [InlineData(48UL, 0x1AAUL, 0xFEE0_0000UL, "EPT violation (48): write of guest-physical 0xfee00000, the access itself, entries allow R-X")]
    [InlineData(0UL, 0x1234UL, 0x8000_0B0EUL, "Exception or NMI (0): hardware exception, vector 14, address 0x1234")]
    [InlineData(0x8000_0021UL, 4UL, 0UL, "VM-entry failure due to invalid guest state (33, at VM entry): VMCS link pointer")]
    [InlineData(35UL, 0UL, 0UL, "Unknown reason (35)")]
    public void A_raw_exit_is_described_in_the_manuals_words(ulong code, ulong info1, ulong info2, string text) =>
        Assert.Equal(text, VmxExitNames.Describe(new RawExit(code, info1, info2)));

    [Fact]
    public void Reason_numbers_are_the_manuals()
    {
        // Linux uapi/asm/vmx.h, an independent transcription of SDM 3D appendix C.
        (int, VmxExitReason)[] expected =
        [
            (7, VmxExitReason.InterruptWindow), (9, VmxExitReason.TaskSwitch), (11, VmxExitReason.Getsec), (14, VmxExitReason.Invlpg), (19,
                VmxExitReason.Vmclear),
            (27, VmxExitReason.Vmxon), (29, VmxExitReason.MovDr), (36, VmxExitReason.Mwait), (40, VmxExitReason.Pause), (43,
                VmxExitReason.TprBelowThreshold),
            (44, VmxExitReason.ApicAccess), (46, VmxExitReason.GdtrIdtrAccess), (50, VmxExitReason.Invept), (51, VmxExitReason.Rdtscp), (52,
                VmxExitReason.PreemptionTimer),
            (53, VmxExitReason.Invvpid), (54, VmxExitReason.Wbinvd), (55, VmxExitReason.Xsetbv), (59, VmxExitReason.Vmfunc), (63,
                VmxExitReason.Xsaves),
            (67, VmxExitReason.Umwait), (74, VmxExitReason.BusLock),
        ];
        Assert.All(expected, e => Assert.Equal(e.Item1, (int)e.Item2));
    }
}
