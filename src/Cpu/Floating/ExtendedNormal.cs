using System.Numerics;
using System.Runtime.CompilerServices;

namespace Hv.Cpu.Floating;

/// <summary>
/// Sums and products of normal 80-bit numbers rounded to 64 bits, where the result is normal too: what <see cref="FloatArithmetic"/> and
/// <see cref="FloatRounding"/> give, without their generality. False: they must be asked.
/// </summary>
internal static class ExtendedNormal
{
    /// <summary>a + b.</summary>
    public static bool TryAdd(Extended80 a, Extended80 b, ref FloatEnvironment environment, out Extended80 result)
    {
        int aExponent = a.SignExponent & Extended80.MaxExponent, bExponent = b.SignExponent & Extended80.MaxExponent;
        Unsafe.SkipInit(out result);
        if (!IsNormal(a.Significand, aExponent) || !IsNormal(b.Significand, bExponent) || environment.Precision != 64)
            return false;
        if (aExponent < bExponent || (aExponent == bExponent && a.Significand < b.Significand))
            (a, b, aExponent, bExponent) = (b, a, bExponent, aExponent);
        bool sign = a.SignExponent > Extended80.MaxExponent;

        // b aligned to a: the bits that stay, and 64 bits of what is shifted out, the last of them sticky.
        int shift = aExponent - bExponent;
        ulong high = b.Significand, low = 0;
        if (shift >= 64)
        {
            low = shift == 64 ? high : shift < 128 ? high >> (shift - 64) | (high << (128 - shift) != 0 ? 1u : 0u) : 1;
            high = 0;
        }
        else if (shift != 0)
        {
            low = high << (64 - shift);
            high >>= shift;
        }

        if (((a.SignExponent ^ b.SignExponent) & 0x8000) == 0)
        {
            ulong sum = a.Significand + high;
            if (sum < high)
            {
                low = low >> 1 | (low & 1) | sum << 63;
                sum = sum >> 1 | FloatParts.IntegerBit;
                aExponent++;
            }

            high = sum;
        }
        else
        {
            high = a.Significand - high - (low != 0 ? 1u : 0u);
            low = 0 - low;
            if (high == 0)
                return false;
            int zeros = BitOperations.LeadingZeroCount(high);
            if (zeros != 0)
            {
                high = high << zeros | low >> (64 - zeros);
                low <<= zeros;
                aExponent -= zeros;
            }
        }

        return TryRound(sign, aExponent, high, low, ref environment, out result);
    }

    /// <summary>a × b.</summary>
    public static bool TryMultiply(Extended80 a, Extended80 b, ref FloatEnvironment environment, out Extended80 result)
    {
        int aExponent = a.SignExponent & Extended80.MaxExponent, bExponent = b.SignExponent & Extended80.MaxExponent;
        Unsafe.SkipInit(out result);
        if (!IsNormal(a.Significand, aExponent) || !IsNormal(b.Significand, bExponent) || environment.Precision != 64)
            return false;
        ulong high = Math.BigMul(a.Significand, b.Significand, out ulong low);
        int exponent = aExponent + bExponent - Extended80.Bias + 1;
        if ((long)high >= 0)
        {
            high = high << 1 | low >> 63;
            low <<= 1;
            exponent--;
        }

        return TryRound(((a.SignExponent ^ b.SignExponent) & 0x8000) != 0, exponent, high, low, ref environment, out result);
    }

    /// <summary>Neither zero, denormal, infinite, NaN nor unsupported.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static bool IsNormal(ulong significand, int exponent) =>
        (long)significand < 0 && (uint)(exponent - 1) < Extended80.MaxExponent - 1;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static bool TryRound(bool sign, int exponent, ulong high, ulong low, ref FloatEnvironment environment, out Extended80 result)
    {
        // Not so near the ends of the range that rounding could leave it.
        if ((uint)(exponent - 1) >= Extended80.MaxExponent - 2)
        {
            result = default;
            return false;
        }

        if (low != 0)
        {
            environment.Flags |= FloatFlags.Inexact;
            if (FloatRounding.RoundsAway(sign, (high & 1) != 0, low, environment.Rounding))
            {
                environment.RoundedUp = true;
                if (++high == 0)
                {
                    high = FloatParts.IntegerBit;
                    exponent++;
                }
            }
        }

        result = new Extended80(high, (ushort)(exponent | (sign ? 0x8000 : 0)));
        return true;
    }
}
