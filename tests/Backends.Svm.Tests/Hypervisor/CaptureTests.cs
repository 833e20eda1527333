using Hv.Backends.Svm.Hypervisor;
using Hv.Backends.Svm.Silicon;
using Hv.Backends.Svm.Tests.Silicon;
using Hv.Core;
using Hv.Core.Exits;
using Hv.Core.Registers;
using Xunit;

namespace Hv.Backends.Svm.Tests.Hypervisor;

/// <summary>Golden tests of the capture: the VMCB's bytes in, the neutral exit out. Codes and EXITINFO formats are those of APM 2 appendix C and
/// 15.10.2, 15.25.6.</summary>
public class CaptureTests
{
    private const GuestMode Code64 = GuestMode.Protected | GuestMode.LongModeActive | GuestMode.Code64;

    [Fact]
    public void VMMCALL_is_a_hypercall_with_the_length_that_nRIP_gives()
    {
        VmExit exit = Capture(0x81, nextRip: 0x1004);
        Assert.Equal((ExitReason.Hypercall, 0x1000ul, 4, Code64), (exit.Reason, exit.Rip, exit.InstructionLength, exit.Mode));
        Assert.Equal(new RawExit(0x81, 0, 0), exit.Raw);
    }

    [Theory]
    [InlineData(0x81, 3)]
    [InlineData(0x72, 2)]
    [InlineData(0x7C, 2)]
    [InlineData(0x78, 1)]
    [InlineData(0x400, 0)]
    public void Without_nRIP_the_length_is_the_instructions_own(int code, int length) => Assert.Equal(length, Capture(code).InstructionLength);

    [Theory]
    // IN AL,0x3F8: port, IN, 8 bits, 64-bit address size
    [InlineData(0x03F80211, 0x1001, 0x3F8, 1, false, 0u)]
    // OUT DX,AL / AX / EAX
    [InlineData(0x03F80210, 0x1001, 0x3F8, 1, true, 0xEFu)]
    [InlineData(0x03F80220, 0x1002, 0x3F8, 2, true, 0xBEEFu)]
    [InlineData(0x00F40140, 0x1002, 0xF4, 4, true, 0xDEADBEEFu)]
    public void IOIO_is_a_port_access(uint info1, ulong nextRip, int port, int size, bool isWrite, uint value)
    {
        VmExit exit = Capture(0x7B, info1, nextRip, change: (ref v, ref r) => v.Save.Rax = 0x1234_5678_DEAD_BEEF);
        Assert.Equal(ExitReason.PortIo, exit.Reason);
        Assert.Equal(new PortIoExit((ushort)port, (byte)size, isWrite, value, false), exit.PortIo);
        Assert.Equal(nextRip - 0x1000, exit.InstructionLength);
    }

    [Fact]
    public void OUTS_takes_its_datum_from_the_emulator()
    {
        // REP OUTSW with 32-bit addresses and the DS segment (3)
        VmExit exit = Capture(0x7B, 0x0070_0D2C, 0x1003, operand: new EmulatedOperand(2, true, 0xAA55_CAFE));
        Assert.Equal(new PortIoExit(0x70, 2, true, 0xCAFE, true), exit.PortIo);
    }

    [Fact]
    public void INS_has_no_datum_yet()
    {
        VmExit exit = Capture(0x7B, 0x0060_0215, 0x1001, operand: new EmulatedOperand(1, false, 0x77));
        Assert.Equal(new PortIoExit(0x60, 1, false, 0, true), exit.PortIo);
    }

    [Theory]
    [InlineData(0x03F80200)]
    [InlineData(0x03F80230)]
    [InlineData(0x03F80270)]
    public void IOIO_of_no_size_or_several_is_unknown(uint info1) => Assert.Equal(ExitReason.Unknown, Capture(0x7B, info1).Reason);

    [Fact]
    public void MSR_with_EXITINFO1_0_is_a_read_of_ECX()
    {
        VmExit exit = Capture(0x7C, 0, change: (ref v, ref r) => r.Rcx = 0xFFFF_FFFF_8765_5678);
        Assert.Equal(ExitReason.MsrRead, exit.Reason);
        Assert.Equal(new MsrExit(0x8765_5678, 0), exit.Msr);
    }

    [Fact]
    public void MSR_with_EXITINFO1_1_is_a_write_of_EDX_EAX()
    {
        VmExit exit = Capture(0x7C, 1, change: (ref v, ref r) =>
        {
            r.Rcx = 0x8765_5678;
            r.Rdx = 0xAAAA_AAAA_0000_0001;
            v.Save.Rax = 0xBBBB_BBBB_0030_0000;
            r.Rax = 7;
        });
        Assert.Equal(ExitReason.MsrWrite, exit.Reason);
        Assert.Equal(new MsrExit(0x8765_5678, 0x1_0030_0000), exit.Msr);
    }

    [Fact]
    public void MSR_with_another_EXITINFO1_is_unknown() => Assert.Equal(ExitReason.Unknown, Capture(0x7C, 2).Reason);

    [Fact]
    public void CPUID_is_EAX_and_ECX()
    {
        VmExit exit = Capture(0x72, change: (ref v, ref r) => { v.Save.Rax = 0xFFFF_FFFF_4000_0001; r.Rcx = 0x1_0000_0002; });
        Assert.Equal(new CpuidExit(0x4000_0001, 2), exit.Cpuid);
    }

    [Theory]
    [InlineData(0x1_0000_0004ul, false, false, false)]
    [InlineData(0x1_0000_0006ul, true, true, false)]
    [InlineData(0x1_0000_0006ul, false, false, false)] // the read of a read-modify-write
    [InlineData(0x1_0000_0007ul, true, true, false)]
    [InlineData(0x1_0000_0014ul, false, false, true)]
    [InlineData(0x2_0000_0006ul, true, true, false)]
    [InlineData(0x2_0000_0016ul, true, false, true)]
    public void NPF_is_a_memory_access(ulong info1, bool waitsForWrite, bool isWrite, bool isFetch)
    {
        VmExit exit = Capture(0x400, info1, 0xFEE0_0020, operand: new EmulatedOperand(4, waitsForWrite, 0x55));
        Assert.Equal(new MemoryExit(new Gpa(0xFEE0_0020), 4, isWrite, isFetch, isWrite ? 0x55ul : 0), exit.Memory);
    }

    [Theory]
    [InlineData(0x40, 0, false, 0ul)]
    [InlineData(0x43, 3, false, 0ul)]
    [InlineData(0x46, 6, false, 0ul)]
    [InlineData(0x48, 8, true, 0ul)]
    [InlineData(0x4D, 13, true, 0ul)]
    [InlineData(0x4E, 14, true, 0xBEEFul)]
    [InlineData(0x51, 17, true, 0ul)]
    [InlineData(0x52, 18, false, 0ul)]
    [InlineData(0x5F, 31, false, 0ul)]
    public void An_exception_carries_its_error_code_and_a_page_fault_its_address(int code, int vector, bool hasErrorCode, ulong address)
    {
        VmExit exit = Capture(code, 0x12, 0xBEEF);
        Assert.Equal(new ExceptionExit((byte)vector, hasErrorCode, hasErrorCode ? 0x12u : 0, address), exit.Exception);
    }

    [Theory]
    [InlineData(0x60, ExitReason.Cancelled)]
    [InlineData(0x64, ExitReason.InterruptWindow)]
    [InlineData(0x7F, ExitReason.Shutdown)]
    [InlineData(-1, ExitReason.EntryFailed)]
    public void An_exit_without_details_has_its_reason_alone(long code, ExitReason reason) => Assert.Equal(reason, Capture(code).Reason);

    [Fact]
    public void HLT_reports_the_next_RIP()
    {
        Assert.Equal(0x1002ul, Capture(0x78, nextRip: 0x1002).Rip);
        Assert.Equal(0x1001ul, Capture(0x78).Rip);
        Assert.Equal(0ul, Capture(0x78, change: (ref v, ref r) => { v.Save.Rip = 0xFFFF_FFFF; v.Save.Efer = 0; }).Rip);
    }

    [Theory]
    [InlineData(0x00)]
    [InlineData(0x13)]
    [InlineData(0x37)]
    [InlineData(0x61)]
    [InlineData(0x65)]
    [InlineData(0x6B)]
    [InlineData(0x74)]
    [InlineData(0x77)]
    [InlineData(0x7D)]
    [InlineData(0x80)]
    [InlineData(0x84)]
    [InlineData(0x8D)]
    [InlineData(0xA6)]
    [InlineData(0x401)]
    [InlineData(0x12345)]
    [InlineData(-2)]
    [InlineData(long.MinValue)]
    public void A_code_without_a_neutral_meaning_is_unknown_with_its_numbers(long code)
    {
        VmExit exit = Capture(code, 5, 6);
        Assert.Equal(ExitReason.Unknown, exit.Reason);
        Assert.Equal(new RawExit((ulong)code, 5, 6), exit.Raw);
    }

    [Theory]
    [InlineData(0x1000ul, 0ul, (ushort)0x09B, 2ul, GuestMode.Real)]
    [InlineData(0x1000ul, 1ul, (ushort)0xC9B, 2ul, GuestMode.Protected | GuestMode.Code32)]
    [InlineData(0x1000ul, 1ul, (ushort)0xA9B, 2ul, GuestMode.Protected)] // L counts in long mode alone
    [InlineData(0x1500ul, 0x8000_0001ul, (ushort)0xC9B, 2ul, GuestMode.Protected | GuestMode.LongModeActive | GuestMode.Code32)]
    [InlineData(0x1500ul, 0x8000_0001ul, (ushort)0xA9B, 2ul, Code64)]
    [InlineData(0x1000ul, 1ul, (ushort)0x0FB, 0x20002ul, GuestMode.Protected | GuestMode.Virtual8086)]
    public void The_mode_is_read_from_the_save_area(ulong efer, ulong cr0, ushort attributes, ulong rflags, GuestMode mode)
    {
        VmExit exit = Capture(0x81, change: (ref v, ref r) =>
        {
            v.Save.Efer = efer;
            v.Save.Cr0 = cr0;
            v.Save.Cs.Attributes = attributes;
            v.Save.Rflags = rflags;
            v.Save.Cpl = 3;
        });
        Assert.Equal((mode, 3), (exit.Mode, exit.Cpl));
    }

    [Fact]
    public void Every_code_and_any_garbage_is_captured_without_a_throw()
    {
        var random = new Random(20070219);
        for (int i = 0; i < 20_000; i++)
        {
            long code = i < 0x500 ? i : random.NextInt64();
            VmExit exit = Capture(code, (ulong)random.NextInt64(), (ulong)random.NextInt64(), change: (ref v, ref r) =>
            {
                v.Save.Rip = (ulong)random.NextInt64();
                v.Control.NextRip = (ulong)random.NextInt64();
                v.Save.Cpl = (byte)random.Next();
            });
            Assert.True(exit.InstructionLength <= 15 && exit.Cpl <= 3);
            Assert.NotEmpty(SvmExitDescription.Describe(exit.Raw));
        }
    }

    private delegate void Change(ref Vmcb vmcb, ref GeneralRegisters registers);

    private static VmExit Capture(
        long code, ulong info1 = 0, ulong info2 = 0, ulong nextRip = 0, EmulatedOperand operand = default, Change? change = null)
    {
        Vmcb vmcb = SampleVmcb.LongMode();
        var registers = default(GeneralRegisters);
        vmcb.Control.ExitCode = (SvmExitCode)code;
        vmcb.Control.ExitInfo1 = info1;
        vmcb.Control.ExitInfo2 = info2;
        vmcb.Control.NextRip = nextRip;
        change?.Invoke(ref vmcb, ref registers);
        SvmExitCapture.Capture(new SvmRawExit(ref vmcb, ref registers, operand), out VmExit exit);
        return exit;
    }
}
