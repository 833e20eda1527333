using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Hv.Cpu.Decode;
using Hv.Cpu.Execute;
using Hv.Cpu.Floating;
using Hv.Cpu.State;

namespace Hv.Cpu.Simd;

/// <summary>Which operands are multiplied and which is added, as a type: the digits of the mnemonics, 1 the destination, 2 the third register, 3
/// rm.</summary>
internal interface IFusedOrder
{
    static abstract int Multiplicand { get; }

    static abstract int Multiplier { get; }

    static abstract int Addend { get; }
}

internal readonly struct Order132 : IFusedOrder
{
    public static int Multiplicand => 1;

    public static int Multiplier => 3;

    public static int Addend => 2;
}

internal readonly struct Order213 : IFusedOrder
{
    public static int Multiplicand => 2;

    public static int Multiplier => 1;

    public static int Addend => 3;
}

internal readonly struct Order231 : IFusedOrder
{
    public static int Multiplicand => 2;

    public static int Multiplier => 3;

    public static int Addend => 1;
}

/// <summary>VFMADD and its like; see <see cref="FloatHandlers"/>.</summary>
// SAFETY: only takes the address of a static method, to call it.
internal static unsafe class FusedHandlers
{
    [MethodImpl(Threading.Handler)]
    internal static void Run<TSigns, TOrder, T, TShape, TSource>(ref CpuState s, ref Op op, Processor p)
        where TSigns : struct, IFusedSigns
        where TOrder : struct, IFusedOrder
        where TShape : struct, IFloatShape
        where TSource : struct, IOperandAddress
    {
        nint third = TSource.Locate(ref s, ref op, p, Shape<TShape>.Size<T>(), false);
        if (third == 0)
            return;
        nint first = OperandAddress.OfVector(ref s, op.Reg), second = OperandAddress.OfVector(ref s, VectorRegister.Third(ref op));
        nint multiplicand = Pick(TOrder.Multiplicand, first, second, third), multiplier = Pick(TOrder.Multiplier, first, second, third),
            addend = Pick(TOrder.Addend, first, second, third);
        Vector128<T> a = FloatHandlers.Load<T, TShape>(multiplicand), b = FloatHandlers.Load<T, TShape>(multiplier),
            c = FloatHandlers.Load<T, TShape>(addend), low = FusedMultiply<TSigns>.Compute(a, b, c), high = default;
        bool certain = Mxcsr.IsSettled(s.Fpu.Mxcsr) && FloatHandlers.Covers<T, TShape>(FusedMultiply<TSigns>.Certain(a, b, c, low));
        if (TShape.IsWide)
        {
            a = FloatHandlers.Load<T, TShape>(multiplicand + 16);
            b = FloatHandlers.Load<T, TShape>(multiplier + 16);
            c = FloatHandlers.Load<T, TShape>(addend + 16);
            high = FusedMultiply<TSigns>.Compute(a, b, c);
            certain &= FloatHandlers.Covers<T, TShape>(FusedMultiply<TSigns>.Certain(a, b, c, high));
        }

        if (!certain)
        {
            delegate*<ref CpuState, ref Op, Processor, nint, nint, nint, void> rest = &Rest<TSigns, T, TShape>;
            rest(ref s, ref op, p, multiplicand, multiplier, addend);
            return;
        }

        FloatHandlers.Store<T, TShape>(ref s, op.Reg, first, low, high);
        VectorThreading.NextFused(ref s, ref op, p);
    }

    [MethodImpl(Threading.Handler)]
    private static void Rest<TSigns, T, TShape>(ref CpuState s, ref Op op, Processor p, nint multiplicand, nint multiplier, nint addend)
        where TSigns : struct, IFusedSigns
        where TShape : struct, IFloatShape
    {
        if (!TryRest<TSigns, T, TShape>(ref s, ref op, p, multiplicand, multiplier, addend))
            return;
        VectorThreading.NextFused(ref s, ref op, p);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static bool TryRest<TSigns, T, TShape>(ref CpuState s, ref Op op, Processor p, nint multiplicand, nint multiplier, nint addend)
        where TSigns : struct, IFusedSigns
        where TShape : struct, IFloatShape
    {
        Vector256<T> a = FloatHandlers.LoadAll<T, TShape>(multiplicand), b = FloatHandlers.LoadAll<T, TShape>(multiplier),
            c = FloatHandlers.LoadAll<T, TShape>(addend);
        var environment = FloatEnvironment.FromMxcsr(s.Fpu.Mxcsr);
        Vector256<T> result = FusedMultiply<TSigns>.Soft(a, b, c, Shape<TShape>.Lanes<T>(), ref environment);
        if (!FloatHandlers.TryAccept(ref s, ref op, p, in environment))
            return false;
        FloatHandlers.Store<T, TShape>(ref s, op.Reg, OperandAddress.OfVector(ref s, op.Reg), result.GetLower(), result.GetUpper());
        return true;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static nint Pick(int operand, nint first, nint second, nint third) => operand == 1 ? first : operand == 2 ? second : third;
}
