using System.Runtime.Intrinsics;
using Hv.Core;
using Hv.Cpu.Virtualization;

namespace Hv.Cpu.Tests.Simd;

/// <summary>How much of memory vector instructions touch, and in which order: by the manuals, and where they leave it open as an Intel Xeon (family
/// 6, model CFh) does it.</summary>
public sealed class VectorMemoryTests : VectorInstructionTest
{
    [Theory]
    [InlineData("0F6001", 4)]            // punpcklbw mm0, [rcx]
    [InlineData("0F6801", 8)]            // punpckhbw mm0, [rcx]
    [InlineData("660F6E01", 4)]          // movd xmm0, [rcx]
    [InlineData("66480F6E01", 8)]        // movq xmm0, [rcx]
    [InlineData("F30F7E01", 8)]          // movq xmm0, [rcx]
    [InlineData("F30F1001", 4)]          // movss xmm0, [rcx]
    [InlineData("F20F1001", 8)]          // movsd xmm0, [rcx]
    [InlineData("0F1201", 8)]            // movlps xmm0, [rcx]
    [InlineData("660F1601", 8)]          // movhpd xmm0, [rcx]
    [InlineData("F20F1201", 8)]          // movddup xmm0, [rcx]
    [InlineData("C5FF1201", 32)]         // vmovddup ymm0, [rcx]
    [InlineData("F20FF001", 16)]         // lddqu xmm0, [rcx]
    [InlineData("660F3A200105", 1)]      // pinsrb xmm0, [rcx], 5
    [InlineData("660FC40105", 2)]        // pinsrw xmm0, [rcx], 5
    [InlineData("660F3A220101", 4)]      // pinsrd xmm0, [rcx], 1
    [InlineData("66480F3A220101", 8)]    // pinsrq xmm0, [rcx], 1
    [InlineData("660F3A2101C0", 4)]      // insertps xmm0, [rcx], C0h
    [InlineData("660F382001", 8)]        // pmovsxbw xmm0, [rcx]
    [InlineData("660F382101", 4)]        // pmovsxbd xmm0, [rcx]
    [InlineData("660F382201", 2)]        // pmovsxbq xmm0, [rcx]
    [InlineData("C4E27D2001", 16)]       // vpmovsxbw ymm0, [rcx]
    [InlineData("C4E27D2101", 8)]        // vpmovsxbd ymm0, [rcx]
    [InlineData("C4E27D2201", 4)]        // vpmovsxbq ymm0, [rcx]
    [InlineData("C4E27D7801", 1)]        // vpbroadcastb ymm0, [rcx]
    [InlineData("C4E27D7901", 2)]        // vpbroadcastw ymm0, [rcx]
    [InlineData("C4E27D1801", 4)]        // vbroadcastss ymm0, [rcx]
    [InlineData("C4E27D1901", 8)]        // vbroadcastsd ymm0, [rcx]
    [InlineData("C4E27D1A01", 16)]       // vbroadcastf128 ymm0, [rcx]
    [InlineData("C4E37D180101", 16)]     // vinsertf128 ymm0, ymm0, [rcx], 1
    [InlineData("C5FDF101", 16)]         // vpsllw ymm0, ymm0, [rcx]
    [InlineData("660F3A630100", 16)]     // pcmpistri xmm0, [rcx], 0
    [InlineData("0F1101", 16)]           // movups [rcx], xmm0
    [InlineData("C5FC1101", 32)]         // vmovups [rcx], ymm0
    [InlineData("0F1301", 8)]            // movlps [rcx], xmm0
    [InlineData("0F1701", 8)]            // movhps [rcx], xmm0
    [InlineData("660FD601", 8)]          // movq [rcx], xmm0
    [InlineData("660F7E01", 4)]          // movd [rcx], xmm0
    [InlineData("F30F1101", 4)]          // movss [rcx], xmm0
    [InlineData("660F3A140105", 1)]      // pextrb [rcx], xmm0, 5
    [InlineData("660F3A150105", 2)]      // pextrw [rcx], xmm0, 5
    [InlineData("66480F3A160101", 8)]    // pextrq [rcx], xmm0, 1
    [InlineData("66480F3A170101", 4)]    // extractps [rcx], xmm0, 1: REX.W does not widen it
    [InlineData("C4E37D190101", 16)]     // vextractf128 [rcx], ymm0, 1
    public void An_operand_has_exactly_its_size(string hex, ulong size)
    {
        byte[] code = Convert.FromHexString(hex);
        MapSecond(0);
        Guest.Gpr.Rcx = Boundary - size;
        Run(code);
        Guest.Gpr.Rcx = Boundary - size + 1;
        CpuEvent e = Fault(code);
        Assert.Equal((PageFault, Boundary), ((byte)e.Index, e.Address));
    }

    [Theory]
    [InlineData("0F2801", 16)]         // movaps xmm0, [rcx]
    [InlineData("0F2901", 16)]         // movaps [rcx], xmm0
    [InlineData("660FE701", 16)]       // movntdq [rcx], xmm0
    [InlineData("660F382A01", 16)]     // movntdqa xmm0, [rcx]
    [InlineData("660F7001E4", 16)]     // pshufd xmm0, [rcx], E4h
    [InlineData("660F3A0F0105", 16)]   // palignr xmm0, [rcx], 5
    [InlineData("660F381001", 16)]     // pblendvb xmm0, [rcx], xmm0
    [InlineData("660F381701", 16)]    // ptest xmm0, [rcx]
    [InlineData("C5F82801", 16)]       // vmovaps xmm0, [rcx]
    [InlineData("C5FC2801", 32)]       // vmovaps ymm0, [rcx]
    [InlineData("C5FDE701", 32)]       // vmovntdq [rcx], ymm0
    public void Aligned_operands_must_be_aligned_to_their_size(string hex, ulong size)
    {
        byte[] code = Convert.FromHexString(hex);
        Guest.Gpr.Rcx = Guest.Data + size;
        Run(code);
        Guest.Gpr.Rcx = Guest.Data + size / 2;
        CpuEvent e = Fault(code);
        Assert.Equal((GeneralProtection, 0UL), ((byte)e.Index, e.Value));
    }

    [Fact]
    public void Misalignment_comes_before_a_stack_segment_that_is_left()
    {
        Guest.Gpr.Rbp = 0x8000_0000_0000_0001;
        Assert.Equal(GeneralProtection, (byte)Fault(0x66, 0x0F, 0x6F, 0x45, 0x00).Index);   // movdqa xmm0, [rbp]
        Guest.Gpr.Rbp = 0x8000_0000_0000_0000;
        Assert.Equal(StackFault, (byte)Fault(0x66, 0x0F, 0x6F, 0x45, 0x00).Index);
    }

    [Theory]
    [InlineData(0x1FF0UL, "80000000", null)]
    [InlineData(0x1FF2UL, "80000000000000000000000000000000", 0x2001UL)]     // element 3 lies across: its last byte
    [InlineData(0x1FF0UL, "8000000000000000000000000000000080000000", 0x2003UL)]
    [InlineData(0x1FF0UL, "8000000000000000000000000000000000000000000000000000000000000000", 0x200CUL)]
    [InlineData(0x2000UL, "", null)]                                         // nothing is selected
    public void A_masked_store_touches_selected_elements_only(ulong offset, string mask, ulong? fault)
    {
        MapSecond(0);
        Guest.Gpr.Rcx = Boundary - 0x2000 + offset;
        Ymm(1) = Number(mask);
        byte[] code = [0xC4, 0xE2, 0x75, 0x2E, 0x01];   // vmaskmovps [rcx], ymm1, ymm0
        if (fault is { } address)
            Assert.Equal(Boundary - 0x2000 + address, Fault(code).Address);
        else
            Run(code);
    }

    [Fact]
    public void A_masked_store_writes_what_is_selected()
    {
        Write(Guest.Data, [.. Enumerable.Repeat((byte)0xEE, 32)]);
        Guest.Gpr.Rcx = Guest.Data;
        Ymm(0) = Vector256.Create(1, 2, 3, 4, 5, 6, 7, 8).AsByte();
        Ymm(1) = Vector256.Create(-1, 0, 0, int.MinValue, 0x7FFF_FFFF, 0, 0, -2).AsByte();
        Run(0xC4, 0xE2, 0x75, 0x2E, 0x01);   // vmaskmovps [rcx], ymm1, ymm0
        ulong[] words = [.. Enumerable.Range(0, 4).Select(i => Guest.Read(Guest.Data + (ulong)i * 8))];
        Assert.Equal([0xEEEEEEEE_00000001, 0x00000004_EEEEEEEE, 0xEEEEEEEE_EEEEEEEE, 0x00000008_EEEEEEEE], words);
    }

    [Fact]
    public void A_masked_load_clears_what_is_not_selected()
    {
        MapSecond(0);
        Write(Boundary - 16, [.. Enumerable.Range(1, 16).Select(i => (byte)i)]);
        Guest.Gpr.Rcx = Boundary - 16;
        Ymm(0) = Vector256<byte>.AllBitsSet;
        Ymm(1) = Vector256.Create(0L, -1, 0, 0).AsByte();
        Run(0xC4, 0xE2, 0x75, 0x2D, 0x01);   // vmaskmovpd ymm0, ymm1, [rcx]
        Assert.Equal(Vector256.Create(0UL, 0x100F0E0D_0C0B0A09, 0, 0).AsByte(), Ymm(0));
    }

    [Theory]
    [InlineData(0x1FF1UL, 0x2000UL)]
    [InlineData(0x1FFFUL, 0x2007UL)]
    [InlineData(0x2000UL, 0x2008UL)]
    public void Maskmovdqu_wants_all_of_its_operand_whatever_the_mask_and_its_upper_half_first(ulong offset, ulong address)
    {
        MapSecond(0);
        Guest.Gpr.Rdi = Boundary - 0x2000 + offset;
        Ymm(1) = default;
        Assert.Equal(Boundary - 0x2000 + address, Fault(0x66, 0x0F, 0xF7, 0xC1).Address);   // maskmovdqu xmm0, xmm1
    }

    [Fact]
    public void Maskmovdqu_writes_selected_bytes_to_the_segment_that_a_prefix_names()
    {
        Guest.Cpu.State.Sys.Fs.Base = 0x100;
        Guest.Changed();
        Guest.Gpr.Rdi = Guest.Data;
        Ymm(0) = Number("100F0E0D0C0B0A090807060504030201");
        Ymm(1) = Number("80000000000000000000000000FF0080");
        Run(0x64, 0x66, 0x0F, 0xF7, 0xC1);
        Assert.Equal((0x0000_0000_0003_0001UL, 0x1000_0000_0000_0000UL), (Guest.Read(Guest.Data + 0x100), Guest.Read(Guest.Data + 0x108)));
    }
}
