using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Hv.Cpu.Floating;

namespace Hv.Cpu.Simd;

/// <summary>HADDPS, HSUBPS and their like: an operation on neighbours; the even lanes of both sources are the first operands, the odd the
/// second.</summary>
internal readonly struct Horizontal<TOperation> : IFloatOperation where TOperation : struct, IFloatOperation
{
    public static bool Rounds => TOperation.Rounds;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<T> Compute<T>(Vector128<T> a, Vector128<T> b, int immediate) =>
        TOperation.Compute(Even(a, b), Odd(a, b), immediate);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<T> Certain<T>(Vector128<T> a, Vector128<T> b, Vector128<T> result) =>
        TOperation.Certain(Even(a, b), Odd(a, b), result);

    public static Vector128<T> Exact<T>(Vector128<T> a, Vector128<T> b, Vector128<T> result, int immediate) =>
        TOperation.Exact(Even(a, b), Odd(a, b), result, immediate);

    public static Vector256<T> Soft<T>(Vector256<T> a, Vector256<T> b, uint lanes, int immediate, ref FloatEnvironment environment)
    {
        Vector128<T> low = a.GetLower(), high = a.GetUpper(), lowSecond = b.GetLower(), highSecond = b.GetUpper();
        return TOperation.Soft(Vector256.Create(Even(low, lowSecond), Even(high, highSecond)),
            Vector256.Create(Odd(low, lowSecond), Odd(high, highSecond)), lanes, immediate, ref environment);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<T> Even<T>(Vector128<T> a, Vector128<T> b)
    {
        if (typeof(T) == typeof(double))
            return Vector128.Create(a.GetLower(), b.GetLower());
        Vector128<int> indices = Vector128.Create(0, 2, 0, 2);
        return Vector128.Create(Vector128.Shuffle(a.AsInt32(), indices).GetLower(), Vector128.Shuffle(b.AsInt32(), indices).GetLower())
            .As<int, T>();
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<T> Odd<T>(Vector128<T> a, Vector128<T> b)
    {
        if (typeof(T) == typeof(double))
            return Vector128.Create(a.GetUpper(), b.GetUpper());
        Vector128<int> indices = Vector128.Create(1, 3, 1, 3);
        return Vector128.Create(Vector128.Shuffle(a.AsInt32(), indices).GetLower(), Vector128.Shuffle(b.AsInt32(), indices).GetLower())
            .As<int, T>();
    }
}

/// <summary>ADDSUBPS and ADDSUBPD: even lanes are subtracted, odd ones added.</summary>
internal readonly struct AlternateAddition : IFloatOperation
{
    private const uint OddLanes = 0b1010_1010;

    public static bool Rounds => true;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<T> Compute<T>(Vector128<T> a, Vector128<T> b, int immediate) => a + Signed(b);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<T> Certain<T>(Vector128<T> a, Vector128<T> b, Vector128<T> result) => Addition.Certain(a, b, result);

    public static Vector128<T> Exact<T>(Vector128<T> a, Vector128<T> b, Vector128<T> result, int immediate) =>
        Addition.Exact(a, Signed(b), result, immediate);

    public static Vector256<T> Soft<T>(Vector256<T> a, Vector256<T> b, uint lanes, int immediate, ref FloatEnvironment environment)
    {
        Vector256<T> half = Lanes.Apply<Addition, T>(a, b, lanes & OddLanes, immediate, ref environment);
        Vector256<T> other = Lanes.Apply<Subtraction, T>(a, b, lanes & ~OddLanes, immediate, ref environment);
        return Vector256.ConditionalSelect(Vector256.Create(EvenMask<T>(), EvenMask<T>()), other, half);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<T> Signed<T>(Vector128<T> b) => b ^ (EvenMask<T>() & Lanes.Negate(Vector128<T>.Zero));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<T> EvenMask<T>() => typeof(T) == typeof(float)
        ? Vector128.Create(-1, 0, -1, 0).As<int, T>()
        : Vector128.Create(-1L, 0).As<long, T>();
}

/// <summary>DPPS and DPPD: products of the lanes that bits 7:4 of the immediate choose, summed pairwise, to the lanes of bits 3:0
/// (SDM 2A DPPS).</summary>
internal readonly struct DotProduct : IFloatOperation
{
    public static bool Rounds => true;

    /// <summary>Products and sums all certain and exact are rare; the software path answers.</summary>
    public static Vector128<T> Compute<T>(Vector128<T> a, Vector128<T> b, int immediate) => default;

    public static Vector128<T> Certain<T>(Vector128<T> a, Vector128<T> b, Vector128<T> result) => default;

    public static Vector128<T> Exact<T>(Vector128<T> a, Vector128<T> b, Vector128<T> result, int immediate) => default;

    public static Vector256<T> Soft<T>(Vector256<T> a, Vector256<T> b, uint lanes, int immediate, ref FloatEnvironment environment)
    {
        uint factors = Repeated<T>(immediate >> 4) & lanes;
        Vector256<T> products = Lanes.Apply<Multiplication, T>(a, b, factors, 0, ref environment) & Mask<T>(factors);
        if (!environment.TryBeginStep())
            return default;

        // Every lane is summed, which decides which of two NaNs it gets: silicon's order, where the manuals name none.
        Vector256<T> swapped = SwapNeighbours(products);
        Vector256<T> sum = typeof(T) == typeof(float)
            ? Lanes.Apply<Addition, T>(swapped, products, lanes, 0, ref environment)
            : Lanes.Apply<Addition, T>(products, swapped, lanes, 0, ref environment);
        if (typeof(T) == typeof(float) && environment.TryBeginStep())
            sum = Lanes.Apply<Addition, T>(sum, SwapPairs(sum), lanes, 0, ref environment);
        return sum & Mask<T>(Repeated<T>(immediate) & lanes);
    }

    /// <summary>The immediate's four or two bits, for both 128-bit lanes.</summary>
    private static uint Repeated<T>(int bits) => (uint)(typeof(T) == typeof(float) ? (bits & 0xF) * 0x11 : (bits & 3) * 5);

    private static Vector256<T> SwapNeighbours<T>(Vector256<T> value) => typeof(T) == typeof(float)
        ? Vector256.Shuffle(value.AsInt32(), Vector256.Create(1, 0, 3, 2, 5, 4, 7, 6)).As<int, T>()
        : SwapPairs(value);

    private static Vector256<T> SwapPairs<T>(Vector256<T> value) =>
        Vector256.Shuffle(value.AsInt64(), Vector256.Create(1L, 0, 3, 2)).As<long, T>();

    /// <summary>All ones in the lanes whose bit is set.</summary>
    private static Vector256<T> Mask<T>(uint lanes)
    {
        Vector256<T> mask = default;
        for (; lanes != 0; lanes &= lanes - 1)
            Lanes.Set(ref mask, BitOperations.TrailingZeroCount(lanes), ulong.MaxValue);
        return mask;
    }
}
