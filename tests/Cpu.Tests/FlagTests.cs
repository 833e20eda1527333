namespace Hv.Cpu.Tests;

/// <summary>Results and flags of single operations, by the definitions of SDM 1 3.4.3.1 and the instruction pages; undefined flags are not looked
/// at.</summary>
public sealed class FlagTests
{
    private const ulong Cf = 1, Pf = 4, Af = 0x10, Zf = 0x40, Sf = 0x80, Of = 0x800, All = Cf | Pf | Af | Zf | Sf | Of, NoAf = All & ~Af;

    [Theory]
    // ADD AL, CL and its kind: code, AL, CL, flags before, result, flags after, flags looked at.
    [InlineData("00C8", 0x7F, 0x01, 0UL, 0x80UL, Of | Sf | Af, All)]
    [InlineData("00C8", 0xFF, 0x01, 0UL, 0x00UL, Cf | Zf | Af | Pf, All)]
    [InlineData("00C8", 0x80, 0x80, 0UL, 0x00UL, Cf | Zf | Of | Pf, All)]
    [InlineData("10C8", 0xFF, 0x00, Cf, 0x00UL, Cf | Zf | Af | Pf, All)]
    [InlineData("28C8", 0x00, 0x01, 0UL, 0xFFUL, Cf | Sf | Af | Pf, All)]
    [InlineData("28C8", 0x80, 0x01, 0UL, 0x7FUL, Of | Af, All)]
    [InlineData("18C8", 0x00, 0xFF, Cf, 0x00UL, Cf | Zf | Af | Pf, All)]
    [InlineData("38C8", 0x05, 0x05, 0UL, 0x05UL, Zf | Pf, All)]
    [InlineData("20C8", 0xF0, 0x0F, Cf | Of, 0x00UL, Zf | Pf, NoAf)]
    [InlineData("08C8", 0x80, 0x01, Cf | Of, 0x81UL, Sf | Pf, NoAf)]
    [InlineData("30C8", 0xFF, 0x7F, Cf | Of, 0x80UL, Sf, NoAf)]
    // INC and DEC keep CF.
    [InlineData("FEC0", 0x7F, 0, Cf, 0x80UL, Cf | Of | Sf | Af, All)]
    [InlineData("FEC8", 0x80, 0, 0UL, 0x7FUL, Of | Af, All)]
    [InlineData("FEC8", 0x01, 0, Cf, 0x00UL, Cf | Zf | Pf, All)]
    [InlineData("F6D8", 0x80, 0, 0UL, 0x80UL, Cf | Of | Sf, All)]
    [InlineData("F6D0", 0x0F, 0, Cf | Zf, 0xF0UL, Cf | Zf, All)]
    // Shifts and rotates by one, where OF is defined, and by CL.
    [InlineData("D0E0", 0x80, 0, 0UL, 0x00UL, Cf | Of | Zf | Pf, NoAf)]
    [InlineData("D0E8", 0x81, 0, 0UL, 0x40UL, Cf | Of, NoAf)]
    [InlineData("D0F8", 0x81, 0, 0UL, 0xC0UL, Cf | Sf | Pf, NoAf)]
    [InlineData("D0C0", 0x81, 0, Zf, 0x03UL, Cf | Of | Zf, All)]
    [InlineData("D0C8", 0x01, 0, Zf, 0x80UL, Cf | Of | Zf, All)]
    [InlineData("D0D0", 0x80, 0, Cf, 0x01UL, Cf | Of, All)]
    [InlineData("D0D8", 0x01, 0, Cf, 0x80UL, Cf | Of, All)]
    [InlineData("D2D0", 0x5A, 9, Cf, 0x5AUL, Cf, All)]
    [InlineData("D2E0", 0x5A, 0x20, Cf | Zf, 0x5AUL, Cf | Zf, All)]
    // BT AX, CX; BSF; POPCNT; TZCNT of 0.
    [InlineData("660FA3C8", 0x8000, 31, Zf, 0x8000UL, Cf | Zf, Cf | Zf)]
    [InlineData("F30FB8C1", 0, 0, All, 0UL, Zf, All)]
    [InlineData("F30FBCC1", 7, 0, 0UL, 32UL, Cf, Cf | Zf)]
    // IMUL and MUL set CF and OF alike.
    [InlineData("0FAFC1", 0x10000, 0x10000, 0UL, 0UL, Cf | Of, Cf | Of)]
    [InlineData("F7E1", 2, 3, All, 6UL, 0UL, Cf | Of)]
    public void One_operation(string code, ulong rax, ulong rcx, ulong before, ulong result, ulong after, ulong looked)
    {
        using Guest guest = Guest.Long().With([.. Convert.FromHexString(code), 0xF4]);
        guest.Gpr.Rax = rax;
        guest.Gpr.Rcx = rcx;
        guest.Gpr.Rflags = 2 | before;
        guest.RunToHalt();
        Assert.Equal(result, guest.Gpr.Rax & 0xFFFF_FFFF);
        Assert.Equal(after & looked, guest.Gpr.Rflags & looked);
    }

    [Theory]
    // SDM 2A DAA: 79H + 35H = AEH, adjusted to 14H with CF and AF; DAS: 35H - 47H = EEH with CF and AF, adjusted to 88H.
    [InlineData("043527", 0x79UL, 0x14UL)]
    [InlineData("2C472F", 0x35UL, 0x88UL)]
    public void Decimal_adjustment_follows_the_manuals_examples(string code, ulong rax, ulong result)
    {
        using Guest guest = Guest.Protected().With([.. Convert.FromHexString(code), 0xF4]);
        guest.Gpr.Rax = rax;
        guest.RunToHalt();
        Assert.Equal(result, guest.Gpr.Rax);
        Assert.Equal(Cf | Af, guest.Gpr.Rflags & (Cf | Af));
    }
}
