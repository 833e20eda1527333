using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;

namespace Hv.Cpu.Tests.X87;

/// <summary>x87 instructions run as guests; values are exact or the manuals' (SDM 1 chapter 8, SDM 2A).</summary>
public sealed class X87Tests
{
    private const ulong Out = Guest.Data;

    [Fact]
    public void The_constants_are_the_manuals()
    {
        // SDM 1 table 8-3 and the values of pi, log2(10), log2(e), log10(2), ln(2) rounded to 64 bits.
        AssertExtended(a => a.fldpi(), 0xC90FDAA22168C235, 0x4000);
        AssertExtended(a => a.fldl2t(), 0xD49A784BCD1B8AFE, 0x4000);
        AssertExtended(a => a.fldl2e(), 0xB8AA3B295C17F0BC, 0x3FFF);
        AssertExtended(a => a.fldlg2(), 0x9A209A84FBCFF799, 0x3FFD);
        AssertExtended(a => a.fldln2(), 0xB17217F7D1CF79AC, 0x3FFE);
        AssertExtended(a => a.fld1(), 0x8000000000000000, 0x3FFF);
        AssertExtended(a => a.fldz(), 0, 0);
    }

    [Fact]
    public void Arithmetic_rounds_to_64_bits_of_significand()
    {
        // 1/3 = 0xAAAAAAAAAAAAAAAA.AAA... * 2^-65: rounded up.
        AssertExtended(a =>
        {
            a.fld1();
            Push(a, 3);
            a.fdivp(st1, st0);
        }, 0xAAAAAAAAAAAAAAAB, 0x3FFD);
        // The square root of 2 is 1.6A09E667F3BCC908B2FB1366EA957D3E...
        AssertExtended(a =>
        {
            Push(a, 2);
            a.fsqrt();
        }, 0xB504F333F9DE6484, 0x3FFF);
        AssertExtended(a =>
        {
            Push(a, 5);
            Push(a, -7);
            a.fmulp(st1, st0);
        }, 0x8C00000000000000, 0xC004);
    }

    [Theory]
    [InlineData(0x000, 0xAAAAAB0000000000)]
    [InlineData(0x200, 0xAAAAAAAAAAAAA800)]
    [InlineData(0x300, 0xAAAAAAAAAAAAAAAB)]
    public void Precision_control_rounds_the_significand(int precision, ulong significand) => AssertExtended(a =>
    {
        a.mov(__word_ptr[Out + 32], 0x7F | precision);
        a.fldcw(__word_ptr[Out + 32]);
        a.fld1();
        Push(a, 3);
        a.fdivp(st1, st0);
    }, significand, 0x3FFD);

    [Theory]
    [InlineData(0, 2, -2)]
    [InlineData(1, 2, -3)]
    [InlineData(2, 3, -2)]
    [InlineData(3, 2, -2)]
    public void FIST_rounds_as_RC_says(int rounding, int up, int down)
    {
        foreach ((int sign, int expected) in new[] { (1, up), (-1, down) })
        {
            using Guest guest = Run(a =>
            {
                a.mov(__word_ptr[Out + 32], 0x37F | rounding << 10);
                a.fldcw(__word_ptr[Out + 32]);
                Push(a, 5 * sign);
                Push(a, 2);
                a.fdivp(st1, st0);
                a.fistp(__dword_ptr[Out]);
            });
            Assert.Equal(expected, (int)guest.Read(Out));
        }
    }

    [Fact]
    public void A_ninth_push_is_a_stack_overflow_that_gives_the_indefinite()
    {
        using Guest guest = Run(a =>
        {
            for (int i = 0; i < 9; i++)
                a.fld1();
            a.fnstsw(ax);
            a.fstp(__tbyte_ptr[Out]);
        });
        // IE, SF and C1; TOP is 7.
        Assert.Equal(0x3A41UL, guest.Gpr.Rax & 0xFFFF);
        Assert.Equal((0xC000000000000000UL, 0xFFFFUL), (guest.Read(Out), guest.Read(Out + 8) & 0xFFFF));
    }

    [Fact]
    public void An_unmasked_exception_is_reported_by_the_next_waiting_instruction()
    {
        using Guest guest = Guest.Long().With(a =>
        {
            Prepare(a);
            a.mov(__word_ptr[Out + 32], 0x37B);
            a.fldcw(__word_ptr[Out + 32]);
            a.fld1();
            a.fldz();
            a.fdivp(st1, st0);
            a.fld1();
            a.hlt();
        });
        guest.Cpu.State.Sys.Cr0 |= 1 << 5;
        Assert.Equal(16, guest.RunToException());
        Assert.Equal(0xD9UL, guest.Read(guest.Gpr.Rip) & 0xFF);
    }

    [Theory]
    [InlineData(10, 3, 1, 3)]
    [InlineData(-10, 3, -1, 3)]
    [InlineData(7, 7, 0, 1)]
    public void FPREM_gives_remainder_and_quotient_bits(int dividend, int divisor, int remainder, int quotient)
    {
        using Guest guest = Run(a =>
        {
            Push(a, divisor);
            Push(a, dividend);
            a.fprem();
            a.fnstsw(ax);
            a.fistp(__dword_ptr[Out]);
        });
        uint status = (uint)guest.Gpr.Rax;
        Assert.Equal(remainder, (int)guest.Read(Out));
        Assert.Equal((uint)quotient, (status >> 8 & 1) << 2 | (status >> 14 & 1) << 1 | (status >> 9 & 1));
        Assert.Equal(0U, status >> 10 & 1);
    }

    [Theory]
    [InlineData(1, 2, 0x01)]
    [InlineData(2, 2, 0x40)]
    [InlineData(3, 2, 0x00)]
    public void FCOMI_sets_the_flags(int first, int second, int flags)
    {
        using Guest guest = Run(a =>
        {
            Push(a, second);
            Push(a, first);
            a.fcomi(st0, st1);
            a.pushfq();
            a.pop(rax);
        });
        Assert.Equal((ulong)flags, guest.Gpr.Rax & 0x8D5);
    }

    [Fact]
    public void FBSTP_stores_eighteen_digits_and_FBLD_takes_them_back()
    {
        using Guest guest = Run(a =>
        {
            Push(a, -1234567890);
            a.fbstp(__tbyte_ptr[Out]);
            a.fbld(__tbyte_ptr[Out]);
            a.fistp(__qword_ptr[Out + 16]);
        });
        Assert.Equal((0x1234567890UL, 0x8000UL), (guest.Read(Out), guest.Read(Out + 8) & 0xFFFF));
        Assert.Equal(-1234567890, (long)guest.Read(Out + 16));
    }

    [Fact]
    public void FNSAVE_and_FRSTOR_bring_the_stack_back()
    {
        using Guest guest = Run(a =>
        {
            Push(a, 11);
            Push(a, 22);
            a.fnsave(__[Out + 64]);
            a.frstor(__[Out + 64]);
            a.fistp(__dword_ptr[Out]);
            a.fistp(__dword_ptr[Out + 8]);
            a.fnstsw(ax);
        });
        Assert.Equal((22, 11), ((int)guest.Read(Out), (int)guest.Read(Out + 8)));
        Assert.Equal(0U, (uint)guest.Gpr.Rax & 0x3800);
        // The tag word in the image: registers 6 and 7 valid, the others empty.
        Assert.Equal(0x0FFFUL, guest.Read(Out + 64 + 8) & 0xFFFF);
    }

    [Theory]
    [InlineData(0x4008000000000000, 0xC000000000000000, 0x4000)]
    [InlineData(0x0000000000000001, 0x8000000000000000, 0x3BCD)]
    [InlineData(0x7FF0000000000000, 0x8000000000000000, 0x7FFF)]
    [InlineData(0x7FF0000000000001, 0xC000000000000800, 0x7FFF)]
    public void FLD_m64_widens(ulong bits, ulong significand, int signExponent) => AssertExtended(a =>
    {
        a.mov(rax, bits);
        a.mov(__qword_ptr[Out + 32], rax);
        a.fld(__qword_ptr[Out + 32]);
    }, significand, signExponent);

    private static void AssertExtended(Action<Assembler> program, ulong significand, int signExponent)
    {
        using Guest guest = Run(a =>
        {
            program(a);
            a.fstp(__tbyte_ptr[Out]);
        });
        Assert.Equal((significand.ToString("X16"), (ulong)signExponent), (guest.Read(Out).ToString("X16"), guest.Read(Out + 8) & 0xFFFF));
    }

    private static Guest Run(Action<Assembler> program) => Guest.Long().With(a =>
    {
        Prepare(a);
        program(a);
        a.hlt();
    }).RunToHalt();

    private static void Prepare(Assembler a) => a.fninit();

    private static void Push(Assembler a, int value)
    {
        a.mov(__dword_ptr[Out + 48], value);
        a.fild(__dword_ptr[Out + 48]);
    }
}
