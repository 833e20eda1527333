using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Hv.Cpu.Floating;

namespace Hv.Cpu.Simd;

/// <summary>MINPS and its like: the first source only where it is smaller; two zeros, and any NaN, give the second (SDM 2B MINPS).</summary>
internal readonly struct FloatMinimum : IFloatOperation, ILaneOperation
{
    public static bool Rounds => false;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<T> Compute<T>(Vector128<T> a, Vector128<T> b, int immediate) =>
        Vector128.ConditionalSelect(Vector128.LessThan(a, b), a, b);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<T> Certain<T>(Vector128<T> a, Vector128<T> b, Vector128<T> result) => Lanes.IsPlain(a) & Lanes.IsPlain(b);

    public static Vector128<T> Exact<T>(Vector128<T> a, Vector128<T> b, Vector128<T> result, int immediate) => Vector128<T>.AllBitsSet;

    public static Vector256<T> Soft<T>(Vector256<T> a, Vector256<T> b, uint lanes, int immediate, ref FloatEnvironment environment) =>
        Lanes.Apply<FloatMinimum, T>(a, b, lanes, immediate, ref environment);

    public static ulong Apply<TFormat>(ulong a, ulong b, int immediate, ref FloatEnvironment environment) where TFormat : struct, IFloatFormat =>
        Select<TFormat>(a, b, FloatRelation.Less, ref environment);

    /// <summary>The operand that a comparison picks: bits as they are (a signaling NaN stays one), but a denormal is a zero under DAZ.</summary>
    internal static ulong Select<TFormat>(ulong a, ulong b, FloatRelation takesFirst, ref FloatEnvironment environment)
        where TFormat : struct, IFloatFormat
    {
        FloatParts first = FloatParts.Unpack<TFormat>(a, in environment), second = FloatParts.Unpack<TFormat>(b, in environment);
        bool isFirst = FloatComparison.Compare(in first, in second, signaling: true, ref environment) == takesFirst;
        FloatParts taken = isFirst ? first : second;
        return taken.Class == FloatClass.Zero ? FloatRounding.Pack<TFormat>(in taken, ref environment) : isFirst ? a : b;
    }
}

/// <summary>MAXPS and its like; see <see cref="FloatMinimum"/>.</summary>
internal readonly struct FloatMaximum : IFloatOperation, ILaneOperation
{
    public static bool Rounds => false;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<T> Compute<T>(Vector128<T> a, Vector128<T> b, int immediate) =>
        Vector128.ConditionalSelect(Vector128.LessThan(b, a), a, b);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<T> Certain<T>(Vector128<T> a, Vector128<T> b, Vector128<T> result) => Lanes.IsPlain(a) & Lanes.IsPlain(b);

    public static Vector128<T> Exact<T>(Vector128<T> a, Vector128<T> b, Vector128<T> result, int immediate) => Vector128<T>.AllBitsSet;

    public static Vector256<T> Soft<T>(Vector256<T> a, Vector256<T> b, uint lanes, int immediate, ref FloatEnvironment environment) =>
        Lanes.Apply<FloatMaximum, T>(a, b, lanes, immediate, ref environment);

    public static ulong Apply<TFormat>(ulong a, ulong b, int immediate, ref FloatEnvironment environment) where TFormat : struct, IFloatFormat =>
        FloatMinimum.Select<TFormat>(a, b, FloatRelation.Greater, ref environment);
}

/// <summary>How many predicates an encoding of CMPPS has, as a type.</summary>
internal interface IPredicates
{
    /// <summary>The bits of the immediate that count.</summary>
    static abstract int Mask { get; }
}

internal readonly struct SsePredicates : IPredicates
{
    public static int Mask => 0x07;
}

internal readonly struct VexPredicates : IPredicates
{
    public static int Mask => 0x1F;
}

/// <summary>CMPPS and its like: all ones where the predicate holds.</summary>
internal readonly struct Comparison<TPredicates> : IFloatOperation, ILaneOperation where TPredicates : struct, IPredicates
{
    public static bool Rounds => false;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<T> Compute<T>(Vector128<T> a, Vector128<T> b, int immediate)
    {
        Vector128<T> less = Vector128.LessThan(a, b), equal = Vector128.Equals(a, b);
        uint relations = ComparePredicate.Relations(immediate & TPredicates.Mask);
        return (less & Mask<T>(relations, FloatRelation.Less))
            | (equal & Mask<T>(relations, FloatRelation.Equal))
            | Vector128.AndNot(Mask<T>(relations, FloatRelation.Greater), less | equal);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<T> Certain<T>(Vector128<T> a, Vector128<T> b, Vector128<T> result) => Lanes.IsPlain(a) & Lanes.IsPlain(b);

    public static Vector128<T> Exact<T>(Vector128<T> a, Vector128<T> b, Vector128<T> result, int immediate) => Vector128<T>.AllBitsSet;

    public static Vector256<T> Soft<T>(Vector256<T> a, Vector256<T> b, uint lanes, int immediate, ref FloatEnvironment environment) =>
        Lanes.Apply<Comparison<TPredicates>, T>(a, b, lanes, immediate, ref environment);

    public static ulong Apply<TFormat>(ulong a, ulong b, int immediate, ref FloatEnvironment environment) where TFormat : struct, IFloatFormat
    {
        FloatRelation relation = FloatComparison.Compare(FloatParts.Unpack<TFormat>(a, in environment),
            FloatParts.Unpack<TFormat>(b, in environment), ComparePredicate.Signals(immediate & TPredicates.Mask), ref environment);
        return (ComparePredicate.Relations(immediate & TPredicates.Mask) >> (int)relation & 1) != 0 ? ulong.MaxValue : 0;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<T> Mask<T>(uint relations, FloatRelation relation) =>
        Vector128.Create(0 - (relations >> (int)relation & 1)).As<uint, T>();
}

/// <summary>The 32 predicates of VCMPPS; SSE has the first eight (SDM 2A CMPPD, table 3-1).</summary>
internal static class ComparePredicate
{
    private const uint Less = 1 << (int)FloatRelation.Less, Equal = 1 << (int)FloatRelation.Equal, Greater = 1 << (int)FloatRelation.Greater,
        Unordered = 1 << (int)FloatRelation.Unordered;

    /// <summary>
    /// Four bits a predicate, bit n for relation n, for predicates 0 to 15: EQ LT LE UNORD NEQ NLT NLE ORD EQ_U NGE NGT FALSE NEQ_O GE GT TRUE.
    /// Predicates 16 to 31 hold for the same relations and differ in what they do with a quiet NaN.
    /// </summary>
    private const ulong Table =
        (ulong)Equal << 0 | (ulong)Less << 4 | (ulong)(Less | Equal) << 8 | (ulong)Unordered << 12
        | (ulong)(Less | Greater | Unordered) << 16 | (ulong)(Equal | Greater | Unordered) << 20 | (ulong)(Greater | Unordered) << 24
        | (ulong)(Less | Equal | Greater) << 28
        | (ulong)(Equal | Unordered) << 32 | (ulong)(Less | Unordered) << 36 | (ulong)(Less | Equal | Unordered) << 40 | 0UL << 44
        | (ulong)(Less | Greater) << 48 | (ulong)(Equal | Greater) << 52 | (ulong)Greater << 56
        | (ulong)(Less | Equal | Greater | Unordered) << 60;

    /// <summary>Predicates that raise invalid for a quiet NaN too: LT LE NLT NLE NGE NGT GE GT, and from 16 on the others.</summary>
    private const uint Signaling = 0b1001_1001_1001_1001_0110_0110_0110_0110;

    /// <summary>For which relations the predicate holds: bit n for relation n.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static uint Relations(int predicate) => (uint)(Table >> (predicate & 0xF) * 4) & 0xF;

    /// <summary>Whether a quiet NaN raises invalid.</summary>
    internal static bool Signals(int predicate) => (Signaling >> predicate & 1) != 0;
}
