using Hv.Cpu.State;

namespace Hv.Cpu.Tests.X87;

/// <summary>The transcendental functions where the manual says what they give (SDM 2A, their tables of results; SDM 1 8.3.8, 8.5). Rounded values are
/// those of the constants' expansions; <see cref="SiliconCaseTests"/> compares with a processor.</summary>
public sealed class X87TranscendentalTests
{
    private const string F2xm1 = "D9F0", Fyl2x = "D9F1", Fptan = "D9F2", Fpatan = "D9F3", Fyl2xp1 = "D9F9", Fsincos = "D9FB", Fsin = "D9FE",
        Fcos = "D9FF";
    private const string Zero = "0", MinusZero = "-0", One = "1", MinusOne = "-1", Half = "0.5", Two = "2", MinusTwo = "-2", Infinity = "inf",
        MinusInfinity = "-inf", Indefinite = "nan";
    private const int Invalid = 1, DivideByZero = 4, Inexact = 0x20;

    [Theory]
    [InlineData(F2xm1, Zero, Zero, 0)]
    [InlineData(F2xm1, MinusZero, MinusZero, 0)]
    [InlineData(F2xm1, One, One, Inexact)] // exact, but the processor says otherwise
    [InlineData(F2xm1, MinusOne, "-0.5", Inexact)]
    [InlineData(F2xm1, Infinity, Infinity, 0)]
    [InlineData(F2xm1, MinusInfinity, MinusOne, 0)]
    [InlineData(Fsin, Zero, Zero, 0)]
    [InlineData(Fsin, MinusZero, MinusZero, 0)]
    [InlineData(Fsin, MinusInfinity, Indefinite, Invalid)]
    [InlineData(Fcos, MinusZero, One, 0)]
    [InlineData(Fcos, Infinity, Indefinite, Invalid)]
    public void Functions_of_one(string code, string argument, string result, int flags)
    {
        using Guest guest = Run(code, argument, Zero);
        Assert.Equal((result, flags), (Name(guest, 0), Flags(guest)));
    }

    [Theory]
    [InlineData(Fyl2x, Zero, Zero, Indefinite, Invalid)]
    [InlineData(Fyl2x, Zero, Two, MinusInfinity, DivideByZero)]
    [InlineData(Fyl2x, MinusZero, MinusTwo, Infinity, DivideByZero)]
    [InlineData(Fyl2x, Zero, Infinity, MinusInfinity, 0)]
    [InlineData(Fyl2x, MinusTwo, One, Indefinite, Invalid)]
    [InlineData(Fyl2x, MinusInfinity, One, Indefinite, Invalid)]
    [InlineData(Fyl2x, One, Infinity, Indefinite, Invalid)]
    [InlineData(Fyl2x, One, MinusTwo, MinusZero, 0)]
    [InlineData(Fyl2x, Half, Infinity, MinusInfinity, 0)]
    [InlineData(Fyl2x, Half, Zero, MinusZero, 0)]
    [InlineData(Fyl2x, Infinity, Zero, Indefinite, Invalid)]
    [InlineData(Fyl2x, Infinity, MinusTwo, MinusInfinity, 0)]
    [InlineData(Fyl2x, Two, One, One, Inexact)]
    [InlineData(Fyl2xp1, MinusZero, Two, MinusZero, 0)]
    [InlineData(Fyl2xp1, MinusZero, MinusTwo, Zero, 0)]
    [InlineData(Fyl2xp1, Zero, Infinity, Indefinite, Invalid)]
    [InlineData(Fyl2xp1, "-0.25", Infinity, MinusInfinity, 0)]
    [InlineData(Fyl2xp1, "-0.25", MinusZero, Zero, 0)]
    [InlineData(Fyl2xp1, MinusInfinity, Two, Indefinite, Invalid)]
    [InlineData(Fpatan, Infinity, Two, Zero, 0)]
    [InlineData(Fpatan, Infinity, MinusTwo, MinusZero, 0)]
    [InlineData(Fpatan, MinusInfinity, MinusTwo, "-pi", Inexact)]
    [InlineData(Fpatan, Infinity, Infinity, "pi/4", Inexact)]
    [InlineData(Fpatan, MinusInfinity, MinusInfinity, "-3pi/4", Inexact)]
    [InlineData(Fpatan, Two, Infinity, "pi/2", Inexact)]
    [InlineData(Fpatan, MinusTwo, MinusInfinity, "-pi/2", Inexact)]
    [InlineData(Fpatan, MinusTwo, Zero, "pi", Inexact)]
    [InlineData(Fpatan, MinusZero, MinusZero, "-pi", Inexact)]
    [InlineData(Fpatan, Zero, MinusZero, MinusZero, 0)]
    [InlineData(Fpatan, MinusZero, MinusTwo, "-pi/2", Inexact)]
    [InlineData(Fpatan, One, One, "pi/4", Inexact)]
    [InlineData(Fpatan, MinusOne, One, "3pi/4", Inexact)]
    public void Functions_of_two(string code, string top, string second, string result, int flags)
    {
        using Guest guest = Run(code, top, second);
        Assert.Equal((result, flags), (Name(guest, 0), Flags(guest)));
        Assert.Equal((1, 0xFE), (guest.Cpu.State.Fpu.Status >> 11 & 7, guest.Cpu.State.Fpu.Tags));
    }

    [Theory]
    [InlineData(Fptan, MinusZero, MinusZero, One)]
    [InlineData(Fsincos, MinusZero, MinusZero, One)]
    [InlineData(Fptan, Infinity, Indefinite, Indefinite)]
    [InlineData(Fsincos, Infinity, Indefinite, Indefinite)]
    public void Functions_that_push(string code, string argument, string first, string pushed)
    {
        using Guest guest = Run(code, argument, Zero, tags: 0x7F);
        Assert.Equal((pushed, first), (Name(guest, 0), Name(guest, 1)));
        Assert.Equal(7, guest.Cpu.State.Fpu.Status >> 11 & 7);
    }

    [Theory]
    [InlineData(Fsin)]
    [InlineData(Fcos)]
    [InlineData(Fptan)]
    [InlineData(Fsincos)]
    public void An_argument_of_2_to_the_63_sets_C2_and_nothing_else(string code)
    {
        using Guest guest = Guest.Long().With([.. Convert.FromHexString(code), 0xF4]);
        Put(guest, 0, 0xC03E, 1UL << 63);
        (guest.Cpu.State.Fpu.Control, guest.Cpu.State.Fpu.Tags) = (0x37F, 0x7F);
        guest.RunToHalt();
        Assert.Equal((0x0400, 0x7F, 0xC03EUL), (guest.Cpu.State.Fpu.Status, guest.Cpu.State.Fpu.Tags, guest.Cpu.State.Fpu.X87[0].SignExponent));
    }

    [Fact]
    public void Arguments_are_reduced_by_the_66_bits_of_pi_that_SDM_1_gives()
    {
        // The double nearest π is 3.243F6A8885A3 (hexadecimal); 3.243F6A8885A308D3 minus it is 0.00000000000008D3, which is all that the sine sees.
        using Guest guest = Guest.Long().With([.. Convert.FromHexString(Fsin), 0xF4]);
        Put(guest, 0, 0x4000, 0xC90FDAA22168C000);
        (guest.Cpu.State.Fpu.Control, guest.Cpu.State.Fpu.Tags) = (0x37F, 0xFF);
        guest.RunToHalt();
        Assert.Equal((0x3FCAUL, 0x8D30000000000000UL), (guest.Cpu.State.Fpu.X87[0].SignExponent, guest.Cpu.State.Fpu.X87[0].Significand));
    }

    private static Guest Run(string code, string top, string second, byte tags = 0xFF)
    {
        Guest guest = Guest.Long().With([.. Convert.FromHexString(code), 0xF4]);
        (int topExponent, ulong topSignificand) = Value(top);
        (int secondExponent, ulong secondSignificand) = Value(second);
        Put(guest, 0, topExponent, topSignificand);
        Put(guest, 1, secondExponent, secondSignificand);
        (guest.Cpu.State.Fpu.Control, guest.Cpu.State.Fpu.Tags) = (0x37F, tags);
        return guest.RunToHalt();
    }

    private static void Put(Guest guest, int register, int signExponent, ulong significand) =>
        guest.Cpu.State.Fpu.X87[register] = new X87Register { SignExponent = (ulong)signExponent, Significand = significand };

    private static int Flags(Guest guest) => guest.Cpu.State.Fpu.Status & 0x7F;

    private static (int SignExponent, ulong Significand) Value(string name)
    {
        bool negative = name[0] == '-';
        (int exponent, ulong significand) = name.TrimStart('-') switch
        {
            "0" => (0, 0UL),
            "0.25" => (0x3FFD, 1UL << 63),
            "0.5" => (0x3FFE, 1UL << 63),
            "1" => (0x3FFF, 1UL << 63),
            "2" => (0x4000, 1UL << 63),
            "inf" => (0x7FFF, 1UL << 63),
            "pi/4" => (0x3FFE, 0xC90FDAA22168C235),
            "pi/2" => (0x3FFF, 0xC90FDAA22168C235),
            "3pi/4" => (0x4000, 0x96CBE3F9990E91A8),
            "pi" => (0x4000, 0xC90FDAA22168C235),
            _ => (0xFFFF, 0xC000000000000000),
        };
        return (negative ? exponent | 0x8000 : exponent, significand);
    }

    private static string Name(Guest guest, int index)
    {
        X87Register register = guest.Cpu.State.Fpu.X87[((guest.Cpu.State.Fpu.Status >> 11) + index) & 7];
        string[] names = [Zero, "0.25", Half, One, Two, Infinity, "pi/4", "pi/2", "3pi/4", "pi", Indefinite];
        return names.Concat(names.Select(name => "-" + name))
            .FirstOrDefault(name => Value(name) == ((int)register.SignExponent, register.Significand))
            ?? $"{register.SignExponent:X4}:{register.Significand:X16}";
    }
}
