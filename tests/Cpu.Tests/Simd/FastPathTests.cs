using System.Runtime.Intrinsics;
using Hv.Cpu.Floating;
using Hv.Cpu.Simd;

namespace Hv.Cpu.Tests.Simd;

/// <summary>What the host's arithmetic is trusted with, against the software operation, which <see cref="FloatCaseTests"/> compares with silicon: a
/// certain result is the right one and raises at most inexact, under FTZ and DAZ too; an exact one raises nothing.</summary>
public sealed class FastPathTests
{
    private const int Samples = 20_000;

    private static readonly uint[] s_mxcsr = [0x1F80, 0x9FC0, 0x1000];

    [Fact]
    public void Sums() => Check<Addition>(0);

    [Fact]
    public void Differences() => Check<Subtraction>(0);

    [Fact]
    public void Alternating_sums() => Check<AlternateAddition>(0);

    [Fact]
    public void Sums_of_neighbours() => Check<Horizontal<Addition>>(0);

    [Fact]
    public void Products() => Check<Multiplication>(0);

    [Fact]
    public void Quotients() => Check<Division>(0);

    [Fact]
    public void Square_roots() => Check<SquareRoot>(0);

    [Fact]
    public void Minima() => Check<FloatMinimum>(0);

    [Fact]
    public void Maxima() => Check<FloatMaximum>(0);

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(10)]
    public void Roundings_to_integral(int immediate) => Check<RoundToIntegral>(immediate);

    [Fact]
    public void Comparisons()
    {
        for (int predicate = 0; predicate < 32; predicate++)
            Check<Hv.Cpu.Simd.Comparison<VexPredicates>>(predicate, Samples / 20);
    }

    [Fact]
    public void Fused_products()
    {
        CheckFused<AddProduct, double>();
        CheckFused<AddProduct, float>();
        CheckFused<SubtractFromNegatedProduct, double>();
        CheckFused<AlternateFromAdd, float>();
    }

    [Fact]
    public void Conversions()
    {
        Convert<SingleToDouble>();
        Convert<DoubleToSingle>();
        Convert<Int32ToDouble>();
        Convert<Int64ToDouble>();
        Convert<Int32ToSingle>();
        Convert<Int64ToSingle>();
        Convert<HalfToSingle>();
        Convert<DoubleToInt32<Rounding>>();
        Convert<DoubleToInt64<Truncating>>();
        Convert<SingleToInt32<Truncating>>();
        Convert<SingleToInt64<Rounding>>();
    }

    private static void Check<TOperation>(int immediate, int samples = Samples) where TOperation : struct, IFloatOperation
    {
        Check<TOperation, double>(immediate, samples);
        Check<TOperation, float>(immediate, samples);
    }

    private static void Check<TOperation, T>(int immediate, int samples) where TOperation : struct, IFloatOperation
    {
        var random = new Random(immediate + 1);
        int lanes = Vector128<T>.Count, certain = 0;
        for (int i = 0; i < samples; i++)
        {
            Vector128<T> a = Edge<T>(random), b = Edge<T>(random), result = TOperation.Compute(a, b, immediate);
            Vector128<T> trusted = TOperation.Certain(a, b, result), exact = trusted & TOperation.Exact(a, b, result, immediate);
            for (int lane = 0; lane < lanes; lane++)
            {
                if ((trusted.ExtractMostSignificantBits() >> lane & 1) == 0)
                    continue;
                certain++;
                var environment = FloatEnvironment.FromMxcsr(s_mxcsr[i % s_mxcsr.Length]);
                Vector256<T> soft = TOperation.Soft(a.ToVector256(), b.ToVector256(), 1u << lane, immediate, ref environment),
                    fast = result.ToVector256();
                bool mayBeInexact = TOperation.Rounds && (exact.ExtractMostSignificantBits() >> lane & 1) == 0;
                Assert.True(Lanes.Bits(ref fast, lane) == Lanes.Bits(ref soft, lane)
                    && (environment.Flags & ~(mayBeInexact ? FloatFlags.Inexact : FloatFlags.None)) == 0,
                    $"lane {lane} of {a}, {b}: host {result}, software {soft}, {environment.Flags}");
            }
        }

        Assert.True(certain > samples * lanes / 5, $"{certain} certain lanes of {samples * lanes}");
    }

    private static void CheckFused<TSigns, T>() where TSigns : struct, IFusedSigns
    {
        var random = new Random(3);
        int certain = 0;
        for (int i = 0; i < Samples; i++)
        {
            Vector128<T> a = Edge<T>(random), b = Edge<T>(random), c = Edge<T>(random), result = FusedMultiply<TSigns>.Compute(a, b, c);
            uint trusted = FusedMultiply<TSigns>.Certain(a, b, c, result).ExtractMostSignificantBits();
            for (int lane = 0; lane < Vector128<T>.Count; lane++)
            {
                if ((trusted >> lane & 1) == 0)
                    continue;
                certain++;
                var environment = FloatEnvironment.FromMxcsr(s_mxcsr[i % s_mxcsr.Length]);
                Vector256<T> soft = FusedMultiply<TSigns>.Soft(a.ToVector256(), b.ToVector256(), c.ToVector256(), 1u << lane, ref environment),
                    fast = result.ToVector256();
                Assert.True(Lanes.Bits(ref fast, lane) == Lanes.Bits(ref soft, lane) && (environment.Flags & ~FloatFlags.Inexact) == 0,
                    $"lane {lane} of {a}, {b}, {c}: host {result}, software {soft}, {environment.Flags}");
            }
        }

        Assert.True(certain > Samples / 5, $"{certain} certain lanes");
    }

    private static void Convert<TLane>() where TLane : struct, ILaneConversion
    {
        var random = new Random(4);
        int certain = 0;
        for (int i = 0; i < Samples; i++)
        {
            ulong source = TLane.SourceSize switch
            {
                2 => (ulong)random.Next(1 << 16),
                4 when random.Next(2) == 0 => (uint)random.Next(),
                4 => Bits<float>(random),
                _ when random.Next(2) == 0 => (ulong)(random.NextInt64() >> random.Next(63)),
                _ => Bits<double>(random),
            };
            ulong result = TLane.Compute(source);
            if (!TLane.Certain(source, result))
                continue;
            certain++;
            var environment = FloatEnvironment.FromMxcsr(s_mxcsr[0]);
            bool mayBeInexact = TLane.Rounds && !TLane.Exact(source, result);
            ulong soft = TLane.Soft(source, ref environment);
            Assert.True(result == soft && (environment.Flags & ~(mayBeInexact ? FloatFlags.Inexact : FloatFlags.None)) == 0,
                $"{typeof(TLane).Name} of {source:x}: host {result:x}, software {soft:x}, {environment.Flags}");
        }

        Assert.True(certain > Samples / 10, $"{typeof(TLane).Name}: {certain} certain");
    }

    private static Vector128<T> Edge<T>(Random random)
    {
        Vector256<T> vector = default;
        for (int i = 0; i < Vector128<T>.Count; i++)
            Lanes.Set(ref vector, i, random.Next(12) == 0 ? 0 : Bits<T>(random));
        return vector.GetLower();
    }

    /// <summary>Bits of a number whose exponent is mostly in the middle, near the square root of the smallest normal number, or at an end.</summary>
    private static ulong Bits<T>(Random random)
    {
        (int exponentBits, int fractionBits) = typeof(T) == typeof(float) ? (8, 23) : (11, 52);
        int top = (1 << exponentBits) - 1, middle = top / 2;
        int exponent = random.Next(8) switch
        {
            0 => random.Next(top + 1),
            1 => random.Next(3),
            2 => top - random.Next(4),
            3 => middle / 2 + random.Next(-4, 5),
            _ => random.Next(middle - 8, middle + 9),
        };
        ulong fraction = random.Next(4) switch
        {
            0 => 0,
            1 => (1UL << fractionBits) - 1 - (ulong)random.Next(4),
            2 => (ulong)random.Next(256) << (fractionBits - 8),
            _ => (ulong)random.NextInt64(1L << fractionBits),
        };
        return ((ulong)random.Next(2) << exponentBits | (uint)exponent) << fractionBits | fraction;
    }
}
