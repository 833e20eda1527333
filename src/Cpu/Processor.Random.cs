namespace Hv.Cpu;

/// <summary>The numbers behind RDRAND and RDSEED: a sequence that repeats (docs/adr/0033-random-numbers.md).</summary>
public abstract partial class Processor
{
    // splitmix64's step, odd: 2^64 divided by the golden ratio.
    private const ulong Step = 0x9E37_79B9_7F4A_7C15;

    /// <summary>Where the sequence stands; never 0, which xorshift does not leave.</summary>
    internal ulong Random { get; set; } = FirstRandom(0, 0);

    /// <summary>Starts the sequence of RDRAND and RDSEED. Neither reset nor INIT does: a restarted guest draws new numbers.</summary>
    /// <param name="seed">Any number; the same one gives the same numbers.</param>
    /// <param name="index">The processor's index in its machine, at least 0: processors of one seed draw different numbers.</param>
    public void SeedRandom(ulong seed, int index) => Random = FirstRandom(seed, index);

    /// <summary>The next number of the sequence (xorshift64*).</summary>
    internal ulong NextRandom()
    {
        ulong x = Random;
        x ^= x >> 12;
        x ^= x << 25;
        x ^= x >> 27;
        Random = x;
        return x * 0x2545_F491_4F6C_DD1D;
    }

    /// <summary>Number <paramref name="index"/>, counted from 0, of the sequence that splitmix64 makes of <paramref name="seed"/>, no two of which are
    /// equal. For each index one seed gives 0, which is replaced.</summary>
    private static ulong FirstRandom(ulong seed, int index)
    {
        ulong z = seed + ((ulong)index + 1) * Step;
        z = (z ^ z >> 30) * 0xBF58_476D_1CE4_E5B9;
        z = (z ^ z >> 27) * 0x94D0_49BB_1331_11EB;
        z ^= z >> 31;
        return z != 0 ? z : Step;
    }
}
