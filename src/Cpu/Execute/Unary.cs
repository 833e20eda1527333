using System.Runtime.CompilerServices;
using Hv.Cpu.Decode;
using Hv.Cpu.State;

namespace Hv.Cpu.Execute;

/// <summary>A one-operand operation, as a type.</summary>
internal interface IUnary
{
    static abstract ulong Apply<TW, TF>(ref CpuState s, ulong a) where TW : struct, IWidth where TF : struct, IFlagsMode;
}

internal readonly struct IncOp : IUnary
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Apply<TW, TF>(ref CpuState s, ulong a) where TW : struct, IWidth where TF : struct, IFlagsMode
    {
        ulong result = TW.Truncate(a + 1);
        if (TF.Live)
            Flags.KeepCarry<TW>(ref s, result, a & ~result);
        return result;
    }
}

internal readonly struct DecOp : IUnary
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Apply<TW, TF>(ref CpuState s, ulong a) where TW : struct, IWidth where TF : struct, IFlagsMode
    {
        ulong result = TW.Truncate(a - 1);
        if (TF.Live)
            Flags.KeepCarry<TW>(ref s, result, ~a & result);
        return result;
    }
}

internal readonly struct NegOp : IUnary
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Apply<TW, TF>(ref CpuState s, ulong a)
        where TW : struct, IWidth where TF : struct, IFlagsMode => SubOp.Apply<TW, TF>(ref s, 0, a);
}

internal readonly struct NotOp : IUnary
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Apply<TW, TF>(ref CpuState s, ulong a) where TW : struct, IWidth where TF : struct, IFlagsMode => TW.Truncate(~a);
}

/// <summary>Handlers of INC, DEC, NEG and NOT.</summary>
internal static class UnaryHandlers
{
    [MethodImpl(Threading.Handler)]
    internal static void Reg<TOp, TW, TF>(ref CpuState s, ref Op op, Processor p)
        where TOp : struct, IUnary where TW : struct, IWidth where TF : struct, IFlagsMode
    {
        TW.Set(ref s, op.Rm, TOp.Apply<TW, TF>(ref s, TW.Get(ref s, op.Rm)));
        Threading.Next(ref s, ref op, p);
    }

    [MethodImpl(Threading.Handler)]
    internal static void Memory<TOp, TW>(ref CpuState s, ref Op op, Processor p) where TOp : struct, IUnary where TW : struct, IWidth
    {
        ulong value = Operand.ReadForWrite<TW>(ref s, ref op, p);
        if (s.Attention != 0)
            return;
        ulong flagsResult = s.FlagsResult, flagsAux = s.FlagsAux;
        if (!Operand.Write<TW>(ref s, ref op, p, TOp.Apply<TW, LiveFlags>(ref s, value)))
        {
            (s.FlagsResult, s.FlagsAux) = (flagsResult, flagsAux);
            return;
        }

        Threading.Next(ref s, ref op, p);
    }
}

/// <summary>Chooses among <see cref="UnaryHandlers"/>.</summary>
// SAFETY: only takes the addresses of static methods that have the handlers' signature.
internal static unsafe class UnaryBinder
{
    internal static nint Bind(in Op op, BindContext context) => op.Kind switch
    {
        OpKind.Inc => Width<IncOp>(op, context),
        OpKind.Dec => Width<DecOp>(op, context),
        OpKind.Neg => Width<NegOp>(op, context),
        _ => Width<NotOp>(op, context),
    };

    private static nint Width<TOp>(in Op op, BindContext context) where TOp : struct, IUnary => op.SizeLog2 switch
    {
        0 => Shape<TOp, W8>(op, context),
        1 => Shape<TOp, W16>(op, context),
        2 => Shape<TOp, W32>(op, context),
        _ => Shape<TOp, W64>(op, context),
    };

    private static nint Shape<TOp, TW>(in Op op, BindContext context) where TOp : struct, IUnary where TW : struct, IWidth
    {
        // SAFETY: function pointers to static methods of the handlers' signature, for Op.Handler.
        delegate*<ref CpuState, ref Op, Processor, void> handler;
        if (op.IsMemory)
            handler = &UnaryHandlers.Memory<TOp, TW>;
        else
            handler = context.FlagsLive ? &UnaryHandlers.Reg<TOp, TW, LiveFlags> : &UnaryHandlers.Reg<TOp, TW, DeadFlags>;
        return (nint)handler;
    }
}
