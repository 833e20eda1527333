using System.Numerics;
using Hv.Cpu.Floating;

namespace Hv.Cpu.Tests.Floating;

/// <summary>Software floating point against the host's, which rounds to nearest and tells no flags; directed rounding by what IEEE 754 says of
/// it.</summary>
public sealed class FloatArithmeticTests
{
    private const int Samples = 100_000;
    private const uint AllMasked = 0x1F80;
    private const int RoundingShift = 13;

    [Fact]
    public void Doubles_round_as_the_hosts_do() =>
        CompareWithHost<Double64, double>(BitConverter.DoubleToUInt64Bits, BitConverter.UInt64BitsToDouble);

    [Fact]
    public void Singles_round_as_the_hosts_do() =>
        CompareWithHost<Single32, float>(f => BitConverter.SingleToUInt32Bits(f), bits => BitConverter.UInt32BitsToSingle((uint)bits));

    [Fact]
    public void Halves_convert_as_the_hosts_do()
    {
        for (uint i = 0; i < 1 << 16; i++)
        {
            var half = BitConverter.UInt16BitsToHalf((ushort)i);
            var environment = FloatEnvironment.FromMxcsr(AllMasked);
            ulong single = FloatConversion.Convert(FloatParts.Unpack<Half16>(i), ref environment).To<Single32>(ref environment);
            if (Half.IsNaN(half))
                Assert.True(float.IsNaN(BitConverter.UInt32BitsToSingle((uint)single)));
            else
                Assert.Equal(BitConverter.SingleToUInt32Bits((float)half), (uint)single);
        }

        var random = new Random(5);
        for (int i = 0; i < Samples; i++)
        {
            float single = BitConverter.UInt32BitsToSingle((uint)(random.Next(96, 150) << 23 | random.Next(1 << 23)));
            var environment = FloatEnvironment.FromMxcsr(AllMasked);
            ulong half = FloatConversion.Convert(FloatParts.Unpack<Single32>(BitConverter.SingleToUInt32Bits(single)), ref environment)
                .To<Half16>(ref environment);
            Assert.Equal(BitConverter.HalfToUInt16Bits((Half)single), (ushort)half);
        }
    }

    /// <summary>Down and up are the neighbours of the exact result, or both equal to it; toward zero and nearest are one of them.</summary>
    [Fact]
    public void Directed_rounding_brackets_the_result()
    {
        var random = new Random(6);
        int inexact = 0;
        for (int i = 0; i < Samples; i++)
        {
            ulong a = Edge(random, 52, 11), b = Edge(random, 52, 11), c = Edge(random, 52, 11);
            var results = new double[4];
            FloatFlags flags = default;
            for (int mode = 0; mode < 4; mode++)
            {
                var environment = FloatEnvironment.FromMxcsr(AllMasked | (uint)mode << RoundingShift);
                FloatParts x = FloatParts.Unpack<Double64>(a), y = FloatParts.Unpack<Double64>(b), z = FloatParts.Unpack<Double64>(c);
                FloatResult result = (i % 5) switch
                {
                    0 => FloatArithmetic.Add(x, y, false, ref environment),
                    1 => FloatArithmetic.Multiply(in x, in y, ref environment),
                    2 => FloatArithmetic.Divide(in x, in y, ref environment),
                    3 => FloatArithmetic.SquareRoot(in x, ref environment),
                    _ => FloatArithmetic.MultiplyAdd(in x, in y, in z, ref environment),
                };
                results[mode] = BitConverter.UInt64BitsToDouble(result.To<Double64>(ref environment));
                flags = environment.Flags;
            }

            if (double.IsNaN(results[0]))
                continue;
            (double nearest, double down, double up, double zero) = (results[0], results[1], results[2], results[3]);
            if ((flags & FloatFlags.Inexact) == 0)
            {
                Assert.True(down == up && nearest == down && zero == down);
                continue;
            }

            inexact++;
            Assert.True(down < up && (Math.BitIncrement(down) == up || down == -double.Epsilon || up == double.Epsilon), $"{down:r} {up:r}");
            Assert.Equal(down >= 0 ? down : up, zero);
            Assert.True(nearest == down || nearest == up);
        }

        Assert.True(inexact > Samples / 4);
    }

    private static void CompareWithHost<TFormat, T>(Func<T, ulong> toBits, Func<ulong, T> fromBits)
        where TFormat : struct, IFloatFormat
        where T : struct, IBinaryFloatingPointIeee754<T>
    {
        var random = new Random(4);
        for (int i = 0; i < Samples; i++)
        {
            ulong p = Edge(random, TFormat.FractionBits, TFormat.ExponentBits), q = Edge(random, TFormat.FractionBits, TFormat.ExponentBits),
                r = Edge(random, TFormat.FractionBits, TFormat.ExponentBits);
            T a = fromBits(p), b = fromBits(q), c = fromBits(r);
            FloatParts x = FloatParts.Unpack<TFormat>(p), y = FloatParts.Unpack<TFormat>(q), z = FloatParts.Unpack<TFormat>(r);
            var environment = FloatEnvironment.FromMxcsr(AllMasked);
            Same("+", a + b, FloatArithmetic.Add(x, y, false, ref environment));
            Same("-", a - b, FloatArithmetic.Add(x, y, true, ref environment));
            Same("*", a * b, FloatArithmetic.Multiply(in x, in y, ref environment));
            Same("/", a / b, FloatArithmetic.Divide(in x, in y, ref environment));
            Same("sqrt", T.Sqrt(a), FloatArithmetic.SquareRoot(in x, ref environment));
            Same("fma", T.FusedMultiplyAdd(a, b, c), FloatArithmetic.MultiplyAdd(in x, in y, in z, ref environment));

            void Same(string operation, T expected, FloatResult result)
            {
                ulong bits = result.To<TFormat>(ref environment);
                Assert.True(T.IsNaN(expected) ? T.IsNaN(fromBits(bits)) : toBits(expected) == bits,
                    $"{operation} of {a}, {b}, {c}: host {expected}, software {fromBits(bits)}");
            }
        }
    }

    /// <summary>Bits of a number: its exponent mostly in the middle or at an end, its fraction often all zeros or nearly all ones.</summary>
    private static ulong Edge(Random random, int fractionBits, int exponentBits)
    {
        int top = (1 << exponentBits) - 1, middle = top / 2;
        int exponent = random.Next(4) switch
        {
            0 => random.Next(top + 1),
            1 => random.Next(3),
            2 => top - random.Next(4),
            _ => random.Next(middle - 30, middle + 30),
        };
        ulong fraction = random.Next(3) switch
        {
            0 => 0,
            1 => (1UL << fractionBits) - 1 - (ulong)random.Next(4),
            _ => (ulong)random.NextInt64(1L << fractionBits),
        };
        return ((ulong)random.Next(2) << exponentBits | (uint)exponent) << fractionBits | fraction;
    }
}
