namespace Hv.Hostile;

/// <summary>SplitMix64: the same numbers from the same seed on every runtime, which <see cref="Random"/> does not promise.</summary>
internal sealed class SeededRandom(ulong seed)
{
    private ulong _state = seed;

    /// <summary>The next 64 bits.</summary>
    public ulong Next()
    {
        ulong z = _state += 0x9E3779B97F4A7C15;
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
        return z ^ (z >> 31);
    }

    /// <summary>0..<paramref name="count"/>-1.</summary>
    public int Below(int count) => (int)(Next() % (ulong)count);

    /// <summary>True one time in <paramref name="n"/>.</summary>
    public bool OneIn(int n) => Below(n) == 0;

    /// <summary>One of the given.</summary>
    public T Pick<T>(params ReadOnlySpan<T> choices) => choices[Below(choices.Length)];

    /// <summary>Fills <paramref name="bytes"/>.</summary>
    public void Fill(Span<byte> bytes)
    {
        for (int i = 0; i < bytes.Length; i++)
            bytes[i] = (byte)(Next() >> 32);
    }

    /// <summary>A number as mistakes have it: small, near a power of two, a run of ones, a canonical boundary, an address in low memory, or
    /// any.</summary>
    public ulong Number() => Below(8) switch
    {
        0 => Next() & 0xFF,
        1 => (1UL << Below(64)) + (ulong)(Below(5) - 2),
        2 => ulong.MaxValue >> Below(64),
        3 => (Pick(0x0000_8000_0000_0000UL, 0xFFFF_8000_0000_0000UL, 0UL, 0x1_0000_0000UL, 0x8000_0000UL)) + (ulong)(Below(33) - 16),
        4 or 5 => Next() & 0xFFFFF,
        6 => (uint)Next(),
        _ => Next(),
    };
}
