using Hv.Conformance.Oracle;

namespace Hv.Conformance.Campaigns.Cases;

/// <summary>
/// Edge-biased bytes of each kind, from which operands are cut at random places: making each value anew would cost more than executing the case. The
/// pools of an epoch depend on the seed and the epoch alone.
/// </summary>
public sealed class ValuePools
{
    /// <summary>Batches of a campaign that share pools.</summary>
    public const int BatchesPerEpoch = 64;
    private const int Size = 1 << 15;
    private readonly ulong _seed;
    private readonly byte[] _integers = new byte[Size], _halves = new byte[Size], _singles = new byte[Size], _doubles = new byte[Size];
    private readonly StackRegister[] _extended = new StackRegister[Size / 16];
    private long _epoch = -1;

    /// <summary>Makes the pools of a campaign's first epoch.</summary>
    public ValuePools(ulong seed)
    {
        _seed = seed;
        Renew(0);
    }

    /// <summary>Makes the pools that a batch of the campaign is to use.</summary>
    public void Renew(long batch)
    {
        long epoch = batch / BatchesPerEpoch;
        if (epoch == _epoch)
            return;
        _epoch = epoch;
        var random = new Prng(_seed, ulong.MaxValue - (ulong)epoch);
        for (int i = 0; i < Size; i += 8)
        {
            BitConverter.TryWriteBytes(_integers.AsSpan(i), EdgeValues.Next(random));
            BitConverter.TryWriteBytes(_doubles.AsSpan(i), FloatValues.Next(random, 11, 52));
        }

        for (int i = 0; i < Size; i += 4)
            BitConverter.TryWriteBytes(_singles.AsSpan(i), (uint)FloatValues.Next(random, 8, 23));
        for (int i = 0; i < Size; i += 2)
            BitConverter.TryWriteBytes(_halves.AsSpan(i), (ushort)FloatValues.Next(random, 5, 10));
        for (int i = 0; i < _extended.Length; i++)
            (_extended[i].Significand, _extended[i].SignExponent) = FloatValues.NextExtended(random);
    }

    /// <summary>Fills <paramref name="destination"/> (at most 1024 bytes) with neighbouring elements from a random place.</summary>
    public void Cut(ElementKind kind, Span<byte> destination, Prng random)
    {
        if (kind == ElementKind.Extended)
        {
            Span<byte> value = stackalloc byte[16];
            StackRegister one = Extended(random);
            BitConverter.TryWriteBytes(value, one.Significand);
            BitConverter.TryWriteBytes(value[8..], one.SignExponent);
            value[..Math.Min(10, destination.Length)].CopyTo(destination);
            return;
        }

        (byte[] pool, int mask) = kind switch
        {
            ElementKind.Half => (_halves, ~1),
            ElementKind.Single => (_singles, ~3),
            ElementKind.Double => (_doubles, ~7),
            _ => (_integers, ~0),
        };
        pool.AsSpan(random.Below(Size - destination.Length) & mask, destination.Length).CopyTo(destination);
    }

    /// <summary>An 80-bit value.</summary>
    public StackRegister Extended(Prng random) => _extended[random.Below(_extended.Length)];
}
