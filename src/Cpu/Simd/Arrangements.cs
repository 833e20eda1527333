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

    public static Vector128<T> Soft<T>(Vector128<T> a, Vector128<T> b, uint lanes, int immediate, ref FloatEnvironment environment) =>
        TOperation.Soft(Even(a, b), Odd(a, b), lanes, immediate, ref environment);

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
    private const uint EvenLanes = 0b0101, OddLanes = 0b1010;

    public static bool Rounds => true;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<T> Compute<T>(Vector128<T> a, Vector128<T> b, int immediate) => a + Signed(b);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<T> Certain<T>(Vector128<T> a, Vector128<T> b, Vector128<T> result) => Addition.Certain(a, b, result);

    public static Vector128<T> Exact<T>(Vector128<T> a, Vector128<T> b, Vector128<T> result, int immediate) =>
        Addition.Exact(a, Signed(b), result, immediate);

    public static Vector128<T> Soft<T>(Vector128<T> a, Vector128<T> b, uint lanes, int immediate, ref FloatEnvironment environment)
    {
        Vector128<T> odd = Lanes.Apply<Addition, T>(a, b, lanes & OddLanes, ref environment);
        Vector128<T> even = Lanes.Apply<Subtraction, T>(a, b, lanes & EvenLanes, ref environment);
        return Vector128.ConditionalSelect(EvenMask<T>(), even, odd);
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

    public static Vector128<T> Soft<T>(Vector128<T> a, Vector128<T> b, uint lanes, int immediate, ref FloatEnvironment environment)
    {
        Vector128<T> products = Vector128.ConditionalSelect(Chosen<T>(immediate >> 4), Lanes.Apply<Multiplication, T>(a, b,
            (uint)immediate >> 4, ref environment), Vector128<T>.Zero);
        if (!environment.TryBeginStep())
            return default;

        // Every lane is summed, which decides which of two NaNs it gets; silicon's order, the manuals name none.
        Vector128<T> swapped = SwapNeighbours(products);
        Vector128<T> sum = typeof(T) == typeof(float)
            ? Lanes.Apply<Addition, T>(swapped, products, lanes, ref environment)
            : Lanes.Apply<Addition, T>(products, swapped, lanes, ref environment);
        if (typeof(T) == typeof(float) && environment.TryBeginStep())
            sum = Lanes.Apply<Addition, T>(sum, SwapHalves(sum), lanes, ref environment);
        return sum & Chosen<T>(immediate);
    }

    private static Vector128<T> SwapNeighbours<T>(Vector128<T> value) => typeof(T) == typeof(float)
        ? Vector128.Shuffle(value.AsInt32(), Vector128.Create(1, 0, 3, 2)).As<int, T>()
        : SwapHalves(value);

    private static Vector128<T> SwapHalves<T>(Vector128<T> value) => Vector128.Create(value.GetUpper(), value.GetLower());

    /// <summary>All ones in the lanes whose bit is set.</summary>
    private static Vector128<T> Chosen<T>(int bits)
    {
        Vector128<T> mask = default;
        for (int i = 0; i < Vector128<T>.Count; i++)
        {
            if ((bits >> i & 1) != 0)
                mask = Lanes.With(mask, i, ulong.MaxValue);
        }

        return mask;
    }
}
