using System.Numerics;

namespace Hv.Conformance.Campaigns.Cases;

/// <summary>xoshiro256** (Blackman and Vigna, 2018): the same cases from the same seed on every machine and .NET version.</summary>
public sealed class Prng
{
    private ulong _a, _b, _c, _d;

    /// <summary>Makes the generator of one stream, for example of one batch of a campaign.</summary>
    public Prng(ulong seed, ulong stream)
    {
        ulong x = seed ^ (stream * 0x9E37_79B9_7F4A_7C15);
        _a = SplitMix(ref x);
        _b = SplitMix(ref x);
        _c = SplitMix(ref x);
        _d = SplitMix(ref x);
    }

    /// <summary>64 random bits.</summary>
    public ulong Next()
    {
        ulong result = BitOperations.RotateLeft(_b * 5, 7) * 9;
        ulong t = _b << 17;
        _c ^= _a;
        _d ^= _b;
        _b ^= _c;
        _a ^= _d;
        _c ^= t;
        _d = BitOperations.RotateLeft(_d, 45);
        return result;
    }

    /// <summary>A number in [0, <paramref name="bound"/>).</summary>
    public int Below(int bound) => (int)(((Next() >> 32) * (uint)bound) >> 32);

    /// <summary>True once in <paramref name="n"/> times.</summary>
    public bool OneIn(int n) => Below(n) == 0;

    /// <summary>One of <paramref name="choices"/>.</summary>
    public T Pick<T>(ReadOnlySpan<T> choices) => choices[Below(choices.Length)];

    private static ulong SplitMix(ref ulong x)
    {
        ulong z = x += 0x9E37_79B9_7F4A_7C15;
        z = (z ^ (z >> 30)) * 0xBF58_476D_1CE4_E5B9;
        z = (z ^ (z >> 27)) * 0x94D0_49BB_1331_11EB;
        return z ^ (z >> 31);
    }
}
