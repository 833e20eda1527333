using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Hv.Cpu.Decode;
using Hv.Cpu.Execute;
using Hv.Cpu.Floating;
using Hv.Cpu.State;

namespace Hv.Cpu.Simd;

/// <summary>Whether a quiet NaN raises invalid, as a type.</summary>
internal interface IQuietNan
{
    static abstract bool Signals { get; }
}

/// <summary>COMISD.</summary>
internal readonly struct SignalingQuietNan : IQuietNan
{
    public static bool Signals => true;
}

/// <summary>UCOMISD.</summary>
internal readonly struct SilentQuietNan : IQuietNan
{
    public static bool Signals => false;
}

/// <summary>COMISS, COMISD, UCOMISS, UCOMISD: ZF, PF and CF tell the relation; OF, SF and AF become 0 (SDM 2A COMISD).</summary>
// SAFETY: only takes the address of a static method, to call it.
internal static unsafe class FlagComparisons
{
    [MethodImpl(Threading.Handler)]
    internal static void Run<TNan, T, TSource>(ref CpuState s, ref Op op, Processor p)
        where TNan : struct, IQuietNan
        where TSource : struct, IOperandAddress
    {
        nint second = TSource.Locate(ref s, ref op, p, Unsafe.SizeOf<T>(), false);
        if (second == 0)
            return;
        Vector128<T> a = FloatHandlers.Load<T, SseScalar>(OperandAddress.OfVector(ref s, op.Reg)), b = FloatHandlers.Load<T, SseScalar>(second);
        if (!FloatHandlers.Covers<T, SseScalar>(Lanes.IsPlain(a) & Lanes.IsPlain(b)))
        {
            delegate*<ref CpuState, ref Op, Processor, nint, void> rest = &Rest<TNan, T>;
            rest(ref s, ref op, p, second);
            return;
        }

        Flags.Ordered(ref s, FloatHandlers.Covers<T, SseScalar>(Vector128.Equals(a, b)),
            FloatHandlers.Covers<T, SseScalar>(Vector128.LessThan(a, b)));
        VectorThreading.Next(ref s, ref op, p);
    }

    [MethodImpl(Threading.Handler)]
    private static void Rest<TNan, T>(ref CpuState s, ref Op op, Processor p, nint second) where TNan : struct, IQuietNan
    {
        if (!TryRest<TNan, T>(ref s, ref op, p, second))
            return;
        VectorThreading.Next(ref s, ref op, p);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static bool TryRest<TNan, T>(ref CpuState s, ref Op op, Processor p, nint second) where TNan : struct, IQuietNan
    {
        Vector256<T> a = FloatHandlers.LoadAll<T, SseScalar>(OperandAddress.OfVector(ref s, op.Reg)),
            b = FloatHandlers.LoadAll<T, SseScalar>(second);
        var environment = FloatEnvironment.FromMxcsr(s.Fpu.Mxcsr);
        FloatRelation relation = Relate<T>(Lanes.Bits(ref a, 0), Lanes.Bits(ref b, 0), TNan.Signals, ref environment);
        if (!FloatHandlers.TryAccept(ref s, ref op, p, in environment))
            return false;
        Flags.Put(ref s, relation switch
        {
            FloatRelation.Unordered => Flags.Zf | Flags.Pf | Flags.Cf,
            FloatRelation.Less => Flags.Cf,
            FloatRelation.Equal => Flags.Zf,
            _ => 0,
        });
        return true;
    }

    private static FloatRelation Relate<T>(ulong a, ulong b, bool signaling, ref FloatEnvironment environment) => typeof(T) == typeof(float)
        ? FloatComparison.Compare(FloatParts.Unpack<Single32>(a, in environment), FloatParts.Unpack<Single32>(b, in environment), signaling,
            ref environment)
        : FloatComparison.Compare(FloatParts.Unpack<Double64>(a, in environment), FloatParts.Unpack<Double64>(b, in environment), signaling,
            ref environment);
}
