using System.Numerics;

namespace Hv.Conformance.Campaigns.Cases;

/// <summary>Floating-point values where processors err: every class of encoding, the borders between them, exact halves, integers at the limits of
/// conversions, and exponents close enough to cancel.</summary>
public static class FloatValues
{
    private static readonly int[] _limits = [7, 8, 15, 16, 23, 24, 31, 32, 52, 53, 62, 63, 64];

    /// <summary>A value of 16, 32 or 64 bits.</summary>
    /// <param name="random">Source of randomness.</param>
    /// <param name="exponentBits">5, 8 or 11.</param>
    /// <param name="fractionBits">10, 23 or 52.</param>
    public static ulong Next(Prng random, int exponentBits, int fractionBits)
    {
        (bool negative, int exponent, ulong fraction) = Parts(random, exponentBits, fractionBits);
        return (negative ? 1UL << (exponentBits + fractionBits) : 0) | ((ulong)exponent << fractionBits) | fraction;
    }

    /// <summary>A value of 80 bits: now and then one whose integer bit contradicts its exponent (SDM 1 table 8-3).</summary>
    public static (ulong Significand, ushort SignExponent) NextExtended(Prng random)
    {
        (bool negative, int exponent, ulong fraction) = Parts(random, 15, 63);
        ulong significand = fraction | (exponent != 0 ? 1UL << 63 : 0);
        if (random.OneIn(24))
            significand ^= 1UL << 63;
        return (significand, (ushort)(exponent | (negative ? 0x8000 : 0)));
    }

    private static (bool Negative, int Exponent, ulong Fraction) Parts(Prng random, int exponentBits, int fractionBits)
    {
        ulong bits = random.Next();
        bool negative = (bits & 1) != 0;
        int bias = (1 << (exponentBits - 1)) - 1, top = 2 * bias + 1;
        ulong mask = (1UL << fractionBits) - 1, noise = random.Next() & mask;
        int little = (int)(bits >> 8 & 7) - 4;
        switch (bits >> 59)
        {
            case 0 or 1:
                return (negative, 0, 0);
            case 2:
                return (negative, top, 0);
            case 3:
                return (negative, top, noise | 1UL << (fractionBits - 1));
            case 4:
                return (negative, top, noise >> 1 | 1);                       // signalling
            case 5 or 6:
                return (negative, 0, noise >> (int)((bits >> 16 & 63) % (uint)fractionBits));
            case 7:
                return Near(negative, 1, little, mask, fractionBits);          // around the smallest normal number
            case 8:
                return (negative, top - 1, mask - (bits >> 8 & 7));            // the largest ones
            case 9 or 10:
                return Near(negative, bias, little, mask, fractionBits);
            case 11 or 12:
                return Scaled(negative, bits >> 16 & 0xFF, 0, bias, top, fractionBits);
            case 13 or 14:
                return Scaled(negative, (bits >> 16 & 0xFF) * 2 + 1, -1, bias, top, fractionBits);
            case 15 or 16 or 17:
                // 2^k, and the neighbours that differ from it by little, by a half or by one.
                int k = _limits[(int)((bits >> 24 & 0xFF) % (uint)_limits.Length)];
                if (bias + k >= top)
                    return (negative, top - 1, noise);
                if (k < 62 && k + 2 <= fractionBits && (bits & 2) != 0)
                    return Scaled(negative, (1UL << (k + 1)) + (ulong)little, -1, bias, top, fractionBits);
                return Near(negative, bias + k, little, mask, fractionBits);
            case 18 or 19:
                return (negative, bias + little, noise & ~(mask >> 4));        // few bits
            case 20 or 21:
                return (negative, top - 1 - (int)(bits >> 16 & 15) % top, noise);
            case 22 or 23:
                return (negative, (int)(bits >> 16 & 31) % top, noise);
            case 24 or 25 or 26 or 27:
                return (negative, bias + (int)((bits >> 16 & 0xFF) % (uint)Math.Min(bias, fractionBits)) * ((bits & 2) != 0 ? 1 : -1), noise);
            case 28 or 29:
                return (negative, bias + little, noise);
            default:
                return (negative, (int)((bits >> 16 & 0xFFFF) % (uint)top), noise);
        }
    }

    /// <summary>The value with this exponent and fraction 0, moved by a few units in the last place.</summary>
    private static (bool Negative, int Exponent, ulong Fraction) Near(bool negative, int exponent, int steps, ulong mask, int fractionBits) =>
        steps >= 0 ? (negative, exponent, (ulong)steps & mask) : (negative, exponent - 1, (ulong)((1L << fractionBits) + steps) & mask);

    /// <summary><paramref name="number"/> times a power of two, truncated to the format.</summary>
    private static (bool Negative, int Exponent, ulong Fraction) Scaled(bool negative, ulong number, int power, int bias, int top, int fractionBits)
    {
        if (number == 0)
            return (negative, 0, 0);
        int high = 63 - BitOperations.LeadingZeroCount(number);
        int exponent = bias + high + power;
        ulong fraction = number ^ (1UL << high);
        fraction = high <= fractionBits ? fraction << (fractionBits - high) : fraction >> (high - fractionBits);
        return exponent >= top ? (negative, top, 0) : (negative, exponent, fraction);
    }
}
