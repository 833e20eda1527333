using System.Runtime.Intrinsics;
using Hv.Cpu.Virtualization;

namespace Hv.Cpu.Tests.Simd;

/// <summary>What MMX instructions do to the x87 state (SDM 1 9.5), and what of it a fault leaves: the latter as an Intel Xeon (family 6, model CFh)
/// does it.</summary>
public sealed class MmxStateTests : VectorInstructionTest
{
    private const ushort Top = 7 << 11;

    private void Start(ushort status, byte tags) => (Fpu.Status, Fpu.Tags) = (status, tags);

    [Fact]
    public void An_mmx_write_fills_the_register_marks_all_valid_and_clears_top()
    {
        Start(0x4700 | Top, 0x81);
        Guest.Gpr.Rax = 0x1122_3344_5566_7788;
        Run(0x48, 0x0F, 0x6E, 0xE8);   // movq mm5, rax: R5 whatever TOP was
        Assert.Equal((0x1122_3344_5566_7788UL, 0xFFFFUL), (Fpu.X87[5].Significand, Fpu.X87[5].SignExponent));
        Assert.Equal((0x4700, 0xFF), (Fpu.Status, Fpu.Tags));
    }

    [Fact]
    public void Rex_does_not_reach_mmx_registers()
    {
        Guest.Gpr.R9 = 0x1234_5678_9ABC_DEF0;
        Run(0x4D, 0x0F, 0x6E, 0xE9);   // movq mm5, r9 with REX.R
        Assert.Equal(0x1234_5678_9ABC_DEF0UL, Fpu.X87[5].Significand);
    }

    [Fact]
    public void Reading_only_instructions_change_the_state_too()
    {
        Start(Top, 0);
        Fpu.X87[3].Significand = 0x80FF_0080_7F00_00FF;
        Run(0x0F, 0xD7, 0xC3);   // pmovmskb eax, mm3
        Assert.Equal((0b1101_0001UL, 0, 0xFF), (Guest.Gpr.Rax, Fpu.Status, Fpu.Tags));
    }

    [Fact]
    public void Emms_empties_all()
    {
        Start(Top, 0xFF);
        Run(0x0F, 0x77);
        Assert.Equal((0, 0), (Fpu.Status, Fpu.Tags));
    }

    [Theory]
    [InlineData("0F7F01", 0x81)]   // movq [rcx], mm0
    [InlineData("0F7E01", 0x81)]   // movd [rcx], mm0
    [InlineData("0FE701", 0x81)]   // movntq [rcx], mm0
    [InlineData("0FF7C1", 0xFF)]   // maskmovq mm0, mm1, although its mask selects nothing
    public void A_store_that_faults_has_cleared_top(string code, byte tags)
    {
        MapSecond(0);
        Start(Top, 0x81);
        Guest.Gpr.Rcx = Guest.Gpr.Rdi = Boundary;
        CpuEvent e = Fault(Convert.FromHexString(code));
        Assert.Equal((PageFault, Boundary), ((byte)e.Index, e.Address));
        Assert.Equal((0, tags), (Fpu.Status, Fpu.Tags));
    }

    [Fact]
    public void A_load_that_faults_changes_nothing()
    {
        MapSecond(0);
        Start(Top, 0x81);
        Guest.Gpr.Rcx = Boundary;
        Assert.Equal(PageFault, (byte)Fault(0x0F, 0xFC, 0x01).Index);   // paddb mm0, [rcx]
        Assert.Equal((Top, 0x81), (Fpu.Status, Fpu.Tags));
    }

    [Theory]
    [InlineData("0FFCC1", 0UL, 0, null)]                    // paddb mm0, mm1
    [InlineData("0FFCC1", 4UL, 0, Undefined)]               // CR0.EM
    [InlineData("0FFCC1", 8UL, 0, NotAvailable)]            // CR0.TS
    [InlineData("0FFCC1", 0x20UL, 0x80, FloatingPoint)]     // CR0.NE and an unmasked exception that is pending
    [InlineData("F30FD6C1", 0x20UL, 0x80, FloatingPoint)]   // movq2dq xmm0, mm1
    [InlineData("F20FD6C1", 0x20UL, 0x80, FloatingPoint)]   // movdq2q mm0, xmm1
    [InlineData("0F7E01", 0x20UL, 0x80, FloatingPoint)]     // movd [rcx], mm0
    [InlineData("660FFCC1", 0x20UL, 0x80, null)]            // paddb xmm0, xmm1 does not care
    public void Control_registers_and_pending_exceptions_stop_mmx(string code, ulong cr0, int status, byte? vector)
    {
        Guest.Cpu.State.Sys.Cr0 |= cr0;
        Guest.Changed();
        Guest.Gpr.Rcx = Guest.Data;
        Fpu.Status = (ushort)status;
        if (vector is { } v)
            Assert.Equal(v, (byte)Fault(Convert.FromHexString(code)).Index);
        else
            Run(Convert.FromHexString(code));
    }

    [Fact]
    public void Transfers_between_the_files_are_mmx_instructions()
    {
        Start(Top, 0);
        Fpu.X87[1].Significand = 0x0102_0304_0506_0708;
        Ymm(2) = Vector256<byte>.AllBitsSet;
        Run(0xF3, 0x0F, 0xD6, 0xD1);   // movq2dq xmm2, mm1
        Assert.Equal(Vector256.Create(0x0102_0304_0506_0708UL, 0, ulong.MaxValue, ulong.MaxValue).AsByte(), Ymm(2));
        Assert.Equal((0, 0xFF), (Fpu.Status, Fpu.Tags));
        Run(0xF2, 0x0F, 0xD6, 0xFA);   // movdq2q mm7, xmm2
        Assert.Equal((0x0102_0304_0506_0708UL, 0xFFFFUL), (Fpu.X87[7].Significand, Fpu.X87[7].SignExponent));
    }
}
