using System.Numerics;

namespace Hv.Conformance.Ring0.Cases;

/// <summary>xoshiro256** (Blackman and Vigna, 2018): the same cases from the same seed on every machine and .NET version.</summary>
public sealed class CaseRandom
{
    private readonly ulong[] _state = new ulong[4];

    /// <summary>The generator of one stream of a seed.</summary>
    public CaseRandom(ulong seed, ulong stream)
    {
        ulong x = seed ^ (stream * 0x9E37_79B9_7F4A_7C15);
        for (int i = 0; i < 4; i++)
        {
            ulong z = x += 0x9E37_79B9_7F4A_7C15;
            z = (z ^ (z >> 30)) * 0xBF58_476D_1CE4_E5B9;
            z = (z ^ (z >> 27)) * 0x94D0_49BB_1331_11EB;
            _state[i] = z ^ (z >> 31);
        }
    }

    /// <summary>64 random bits.</summary>
    public ulong Next()
    {
        ulong result = BitOperations.RotateLeft(_state[1] * 5, 7) * 9, t = _state[1] << 17;
        _state[2] ^= _state[0];
        _state[3] ^= _state[1];
        _state[1] ^= _state[2];
        _state[0] ^= _state[3];
        _state[2] ^= t;
        _state[3] = BitOperations.RotateLeft(_state[3], 45);
        return result;
    }

    /// <summary>A number in [0, <paramref name="bound"/>).</summary>
    public int Below(int bound) => (int)(((Next() >> 32) * (uint)bound) >> 32);

    /// <summary>True once in <paramref name="n"/> times.</summary>
    public bool OneIn(int n) => Below(n) == 0;

    /// <summary>One of <paramref name="choices"/>.</summary>
    public T Pick<T>(params ReadOnlySpan<T> choices) => choices[Below(choices.Length)];
}
