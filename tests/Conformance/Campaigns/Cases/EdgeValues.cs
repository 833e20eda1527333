namespace Hv.Conformance.Campaigns.Cases;

/// <summary>Operand values where processors err: around powers of two, sign boundaries of each width, small numbers, and plain noise.</summary>
public static class EdgeValues
{
    /// <summary>One value.</summary>
    public static ulong Next(Prng random)
    {
        ulong bits = random.Next();
        int kind = (int)(bits >> 60);
        int shift = (int)(bits >> 54) & 63;
        return kind switch
        {
            0 => bits & 0xFF,
            1 => 1UL << shift,
            2 => (1UL << shift) - 1,
            3 => ~(1UL << shift),
            4 => (ulong)(long)(sbyte)bits,
            5 => (ulong)(long)(short)bits,
            6 => (ulong)(long)(int)bits,
            7 => (bits & 7) switch
            {
                0 => 0,
                1 => ulong.MaxValue,
                2 => 1,
                3 => 0x80,
                4 => 0x8000,
                5 => 0x8000_0000,
                6 => 0x7FFF_FFFF_FFFF_FFFF,
                _ => 1UL << 63
            },
            8 => bits & 0xFFFF_FFFF,
            9 => (1UL << shift) + (bits & 7) - 4,
            _ => random.Next(),
        };
    }
}
