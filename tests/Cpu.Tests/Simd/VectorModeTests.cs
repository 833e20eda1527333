using System.Runtime.Intrinsics;

namespace Hv.Cpu.Tests.Simd;

/// <summary>What vector instructions do otherwise outside 64-bit code.</summary>
public sealed class VectorModeTests() : VectorInstructionTest(32)
{
    [Theory]
    [InlineData("C5F877", true)]    // vzeroupper
    [InlineData("C5FC77", false)]   // vzeroall
    public void Clearing_instructions_leave_the_upper_eight_registers(string code, bool lower)
    {
        for (int i = 0; i < 16; i++)
            Ymm(i) = Vector256<byte>.AllBitsSet;
        Run(Convert.FromHexString(code));
        Vector256<byte> cleared = lower ? Vector128<byte>.AllBitsSet.ToVector256() : default;
        for (int i = 0; i < 16; i++)
            Assert.Equal(i < 8 ? cleared : Vector256<byte>.AllBitsSet, Ymm(i));
    }

    [Fact]
    public void The_fourth_register_has_three_bits()
    {
        (Ymm(1), Ymm(2)) = (Number("11"), Number("22"));
        Ymm(3) = Number("80");
        Ymm(11) = default;
        Run(0xC4, 0xE3, 0x71, 0x4C, 0xC2, 0xB0);   // vpblendvb xmm0, xmm1, xmm2, xmm3 with bit 7 of the immediate set
        Assert.Equal(Number("22"), Ymm(0));
    }

    [Fact]
    public void Vex_w_does_not_make_quadwords()
    {
        Guest.Gpr.Rax = 0x1111_2222_3333_4444;
        Run(0xC4, 0xE1, 0xF9, 0x6E, 0xC0);   // vmovd xmm0, eax
        Assert.Equal(Number("33334444"), Ymm(0));
    }

    [Fact]
    public void Maskmovdqu_uses_the_address_size()
    {
        Guest.Gpr.Rdi = 0xFFFF_0000 | Guest.Data >> 4;
        Ymm(0) = Number("55");
        Ymm(1) = Number("80");
        Run(0x67, 0x66, 0x0F, 0xF7, 0xC1);   // through DI
        Assert.Equal(0x55UL, Guest.Read(Guest.Data >> 4) & 0xFF);
    }
}

/// <summary>Operands in general registers, whose size REX.W chooses.</summary>
public sealed class VectorGeneralRegisterTests : VectorInstructionTest
{
    [Fact]
    public void Elements_go_in_and_out()
    {
        Guest.Gpr.Rax = 0x1122_3344_5566_7788;
        Ymm(0) = Number("0F0E0D0C0B0A09080706050403020100");
        Run(0x66, 0x48, 0x0F, 0x3A, 0x22, 0xC0, 0x03);   // pinsrq xmm0, rax, 3: one bit counts
        Assert.Equal(Number("11223344556677880706050403020100"), Ymm(0));
        Run(0x66, 0x0F, 0x3A, 0x22, 0xC0, 0x00);   // pinsrd xmm0, eax, 0
        Assert.Equal(Number("11223344556677880706050455667788"), Ymm(0));
        Run(0x66, 0x48, 0x0F, 0x3A, 0x16, 0xC2, 0x01);   // pextrq rdx, xmm0, 1
        Assert.Equal(0x1122_3344_5566_7788UL, Guest.Gpr.Rdx);
        Run(0x66, 0x0F, 0x3A, 0x14, 0xC2, 0x1F);   // pextrb edx, xmm0, 31: byte 15, zero-extended to 64 bits
        Assert.Equal(0x11UL, Guest.Gpr.Rdx);
        Guest.Gpr.Rdx = ulong.MaxValue;
        Run(0x66, 0x0F, 0xC5, 0xD0, 0x06);   // pextrw edx, xmm0, 6
        Assert.Equal(0x3344UL, Guest.Gpr.Rdx);
        Run(0x66, 0x0F, 0xD7, 0xD0);   // pmovmskb edx, xmm0
        Assert.Equal(0b0000_0001_0000_0001UL, Guest.Gpr.Rdx);
    }

    [Theory]
    [InlineData("660F3A61C100", 0x1_0000_0002UL, 2UL)]     // pcmpestri xmm0, xmm1, 0: EAX
    [InlineData("66480F3A61C100", 0x1_0000_0002UL, 0UL)]   // RAX: more than all, and the first element matches
    public void Explicit_lengths_are_as_wide_as_the_operand_size(string code, ulong rax, ulong index)
    {
        // Equal any: the set is "ba", or with all elements "ba" and zeros.
        Ymm(0) = Number("6162");
        Ymm(1) = Number("62630000");
        (Guest.Gpr.Rax, Guest.Gpr.Rdx) = (rax, 16);
        Run(Convert.FromHexString(code));
        Assert.Equal(index == 2 ? 3UL : 0, Guest.Gpr.Rcx);
        Assert.Equal(index == 2, (Guest.Gpr.Rflags & 0x80) != 0);   // SF: the set is shorter than a vector
        Assert.Equal(1UL, Guest.Gpr.Rflags & 0x55 & ~0x10UL & ~4UL);   // CF, and not ZF
    }
}
