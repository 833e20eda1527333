using System.Runtime.CompilerServices;
using Hv.Cpu.Decode;
using Hv.Cpu.Memory;
using Hv.Cpu.State;

namespace Hv.Cpu.Execute;

/// <summary>An arithmetic operation and the conditional branch behind it in one handler, which sits on the first of the two: one dispatch less at the
/// end of most
/// blocks. Both operations stay in the block as they are; only the binding knows.</summary>
internal static class FusedHandlers
{
    [MethodImpl(Threading.Handler)]
    internal static void Reg<TOp, TW, TS, TCondition>(ref CpuState s, ref Op op, Processor p)
        where TOp : struct, IBinary where TW : struct, IWidth where TS : struct, ISource where TCondition : struct, ICondition
    {
        ulong result = TOp.Apply<TW, LiveFlags>(ref s, TW.Get(ref s, op.Rm), TS.Get<TW>(ref s, ref op));
        if (TOp.Writes)
            TW.Set(ref s, op.Rm, result);
        if (TCondition.Holds(ref s))
            Threading.Follow(ref s, ref Unsafe.Add(ref op, 1), p, 0);
        else
            Threading.Follow(ref s, ref Unsafe.Add(ref op, 1), p, 1);
    }

    /// <summary>CMP and TEST with memory first.</summary>
    [MethodImpl(Threading.Handler)]
    internal static void Memory<TOp, TW, TS, TCondition>(ref CpuState s, ref Op op, Processor p)
        where TOp : struct, IBinary where TW : struct, IWidth where TS : struct, ISource where TCondition : struct, ICondition
    {
        ulong at = Flat64.Linear(ref s, ref op, p, TW.Bits / 8, false);
        ref TlbEntry entry = ref TranslationCache.Entry(s.ReadTlb, at);
        ulong value;
        if (entry.Tag == TranslationCache.Tag<TW>(at))
        {
            value = TW.Load((nint)at + entry.Addend);
        }
        else
        {
            value = p.LoadSlow(ref s, ref op, at, TW.Bits / 8);
            if (s.Attention != 0)
                return;
        }

        TOp.Apply<TW, LiveFlags>(ref s, value, TS.Get<TW>(ref s, ref op));
        if (TCondition.Holds(ref s))
            Threading.Follow(ref s, ref Unsafe.Add(ref op, 1), p, 0);
        else
            Threading.Follow(ref s, ref Unsafe.Add(ref op, 1), p, 1);
    }

    /// <summary>INC and DEC.</summary>
    [MethodImpl(Threading.Handler)]
    internal static void Unary<TOp, TW, TCondition>(ref CpuState s, ref Op op, Processor p)
        where TOp : struct, IUnary where TW : struct, IWidth where TCondition : struct, ICondition
    {
        TW.Set(ref s, op.Rm, TOp.Apply<TW, LiveFlags>(ref s, TW.Get(ref s, op.Rm)));
        if (TCondition.Holds(ref s))
            Threading.Follow(ref s, ref Unsafe.Add(ref op, 1), p, 0);
        else
            Threading.Follow(ref s, ref Unsafe.Add(ref op, 1), p, 1);
    }
}

/// <summary>Chooses among <see cref="FusedHandlers"/>.</summary>
// SAFETY: only takes the addresses of static methods that have the handlers' signature.
internal static unsafe class FusedBinder
{
    // SAFETY: function pointers to static methods of the handlers' signature, for Op.Handler, throughout.

    /// <summary>The handler for <paramref name="op"/> with the branch of kind <paramref name="branch"/> behind it, or 0 when the pair stays
    /// two.</summary>
    internal static nint Bind(in Op op, OpKind branch, BindContext context)
    {
        if (branch is < OpKind.Jo or > OpKind.Jg)
            return 0;
        int condition = branch - OpKind.Jo;
        return (condition >> 1) switch
        {
            1 => Sense<CondB>(op, condition, context),
            2 => Sense<CondE>(op, condition, context),
            3 => Sense<CondBe>(op, condition, context),
            4 => Sense<CondS>(op, condition, context),
            6 => Sense<CondL>(op, condition, context),
            7 => Sense<CondLe>(op, condition, context),
            _ => 0,
        };
    }

    private static nint Sense<TCondition>(in Op op, int condition, BindContext context) where TCondition : struct, ICondition =>
        (condition & 1) == 0 ? Kind<TCondition>(op, context) : Kind<Not<TCondition>>(op, context);

    private static nint Kind<TCondition>(in Op op, BindContext context) where TCondition : struct, ICondition => op.Kind switch
    {
        OpKind.Cmp => Width<CmpOp, TCondition>(op, context),
        OpKind.Test => Width<TestOp, TCondition>(op, context),
        OpKind.Sub => Width<SubOp, TCondition>(op, context),
        OpKind.Add => Width<AddOp, TCondition>(op, context),
        OpKind.And => Width<AndOp, TCondition>(op, context),
        OpKind.Dec when !op.IsMemory => Unary<DecOp, TCondition>(op),
        OpKind.Inc when !op.IsMemory => Unary<IncOp, TCondition>(op),
        _ => 0,
    };

    private static nint Unary<TOp, TCondition>(in Op op) where TOp : struct, IUnary where TCondition : struct, ICondition
    {
        delegate*<ref CpuState, ref Op, Processor, void> handler = op.SizeLog2 switch
        {
            2 => &FusedHandlers.Unary<TOp, W32, TCondition>,
            3 => &FusedHandlers.Unary<TOp, W64, TCondition>,
            _ => null,
        };
        return (nint)handler;
    }

    private static nint Width<TOp, TCondition>(in Op op, BindContext context)
        where TOp : struct, IBinary where TCondition : struct, ICondition => op.SizeLog2 switch
        {
            0 => Shape<TOp, W8, TCondition>(op, context),
            1 => Shape<TOp, W16, TCondition>(op, context),
            2 => Shape<TOp, W32, TCondition>(op, context),
            _ => Shape<TOp, W64, TCondition>(op, context),
        };

    private static nint Shape<TOp, TW, TCondition>(in Op op, BindContext context)
        where TOp : struct, IBinary where TW : struct, IWidth where TCondition : struct, ICondition
    {
        delegate*<ref CpuState, ref Op, Processor, void> handler = null;
        bool immediate = op.Shape == OpShape.RmImm;
        if (!op.IsMemory)
            handler = immediate ? &FusedHandlers.Reg<TOp, TW, ImmSource, TCondition> : &FusedHandlers.Reg<TOp, TW, RegSource, TCondition>;
        else if (!TOp.Writes && op.Shape != OpShape.RegRm && context.AddressForm(op) is 0 or 3)
            handler = immediate ? &FusedHandlers.Memory<TOp, TW, ImmSource, TCondition> : &FusedHandlers.Memory<TOp, TW, RegSource, TCondition>;
        return (nint)handler;
    }
}
