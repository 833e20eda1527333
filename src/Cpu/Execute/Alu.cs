using System.Runtime.CompilerServices;
using Hv.Cpu.Decode;
using Hv.Cpu.Memory;
using Hv.Cpu.State;

namespace Hv.Cpu.Execute;

/// <summary>Whether flags are computed, as a type.</summary>
internal interface IFlagsMode
{
    static abstract bool Live { get; }
}

internal readonly struct LiveFlags : IFlagsMode
{
    public static bool Live => true;
}

internal readonly struct DeadFlags : IFlagsMode
{
    public static bool Live => false;
}

/// <summary>A two-operand operation on values, as a type.</summary>
internal interface IBinary
{
    /// <summary>Whether the result is stored.</summary>
    static abstract bool Writes { get; }

    static abstract ulong Apply<TW, TF>(ref CpuState s, ulong a, ulong b) where TW : struct, IWidth where TF : struct, IFlagsMode;
}

internal readonly struct AddOp : IBinary
{
    public static bool Writes => true;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Apply<TW, TF>(ref CpuState s, ulong a, ulong b) where TW : struct, IWidth where TF : struct, IFlagsMode
    {
        ulong result = TW.Truncate(a + b);
        if (TF.Live)
            Flags.Add<TW>(ref s, a, b, result);
        return result;
    }
}

internal readonly struct AdcOp : IBinary
{
    public static bool Writes => true;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Apply<TW, TF>(ref CpuState s, ulong a, ulong b) where TW : struct, IWidth where TF : struct, IFlagsMode
    {
        ulong result = TW.Truncate(a + b + Flags.Carry(ref s));
        if (TF.Live)
            Flags.Add<TW>(ref s, a, b, result);
        return result;
    }
}

internal readonly struct SubOp : IBinary
{
    public static bool Writes => true;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Apply<TW, TF>(ref CpuState s, ulong a, ulong b) where TW : struct, IWidth where TF : struct, IFlagsMode
    {
        ulong result = TW.Truncate(a - b);
        if (TF.Live)
            Flags.Sub<TW>(ref s, a, b, result);
        return result;
    }
}

internal readonly struct SbbOp : IBinary
{
    public static bool Writes => true;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Apply<TW, TF>(ref CpuState s, ulong a, ulong b) where TW : struct, IWidth where TF : struct, IFlagsMode
    {
        ulong result = TW.Truncate(a - b - Flags.Carry(ref s));
        if (TF.Live)
            Flags.Sub<TW>(ref s, a, b, result);
        return result;
    }
}

internal readonly struct CmpOp : IBinary
{
    public static bool Writes => false;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Apply<TW, TF>(ref CpuState s, ulong a, ulong b)
        where TW : struct, IWidth where TF : struct, IFlagsMode => SubOp.Apply<TW, TF>(ref s, a, b);
}

internal readonly struct AndOp : IBinary
{
    public static bool Writes => true;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Apply<TW, TF>(ref CpuState s, ulong a, ulong b) where TW : struct, IWidth where TF : struct, IFlagsMode
    {
        if (TF.Live)
            Flags.Logic<TW>(ref s, a & b);
        return a & b;
    }
}

internal readonly struct OrOp : IBinary
{
    public static bool Writes => true;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Apply<TW, TF>(ref CpuState s, ulong a, ulong b) where TW : struct, IWidth where TF : struct, IFlagsMode
    {
        if (TF.Live)
            Flags.Logic<TW>(ref s, a | b);
        return a | b;
    }
}

internal readonly struct XorOp : IBinary
{
    public static bool Writes => true;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Apply<TW, TF>(ref CpuState s, ulong a, ulong b) where TW : struct, IWidth where TF : struct, IFlagsMode
    {
        if (TF.Live)
            Flags.Logic<TW>(ref s, a ^ b);
        return a ^ b;
    }
}

internal readonly struct TestOp : IBinary
{
    public static bool Writes => false;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Apply<TW, TF>(ref CpuState s, ulong a, ulong b)
        where TW : struct, IWidth where TF : struct, IFlagsMode => AndOp.Apply<TW, TF>(ref s, a, b);
}

/// <summary>Handlers of two-operand operations: one body for each operand shape.</summary>
internal static class AluHandlers
{
    [MethodImpl(Threading.Handler)]
    internal static void RegReg<TOp, TW, TF>(ref CpuState s, ref Op op, Processor p)
        where TOp : struct, IBinary where TW : struct, IWidth where TF : struct, IFlagsMode
    {
        ulong result = TOp.Apply<TW, TF>(ref s, TW.Get(ref s, op.Rm), TW.Get(ref s, op.Reg));
        if (TOp.Writes)
            TW.Set(ref s, op.Rm, result);
        Threading.Next(ref s, ref op, p);
    }

    [MethodImpl(Threading.Handler)]
    internal static void RegImm<TOp, TW, TF>(ref CpuState s, ref Op op, Processor p)
        where TOp : struct, IBinary where TW : struct, IWidth where TF : struct, IFlagsMode
    {
        ulong result = TOp.Apply<TW, TF>(ref s, TW.Get(ref s, op.Rm), op.Immediate);
        if (TOp.Writes)
            TW.Set(ref s, op.Rm, result);
        Threading.Next(ref s, ref op, p);
    }

    [MethodImpl(Threading.Handler)]
    internal static void RegMem<TOp, TW, TF, TA>(ref CpuState s, ref Op op, Processor p)
        where TOp : struct, IBinary where TW : struct, IWidth where TF : struct, IFlagsMode where TA : struct, IAddress
    {
        ulong at = TA.Linear(ref s, ref op, p, TW.Bits / 8, false);
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

        ulong result = TOp.Apply<TW, TF>(ref s, TW.Get(ref s, op.Reg), value);
        if (TOp.Writes)
            TW.Set(ref s, op.Reg, result);
        Threading.Next(ref s, ref op, p);
    }

    /// <summary>CMP and TEST with memory first: nothing is written.</summary>
    [MethodImpl(Threading.Handler)]
    internal static void ReadMem<TOp, TW, TF, TA, TS>(ref CpuState s, ref Op op, Processor p)
        where TOp : struct, IBinary where TW : struct, IWidth where TF : struct, IFlagsMode where TA : struct, IAddress where TS : struct, ISource
    {
        ulong at = TA.Linear(ref s, ref op, p, TW.Bits / 8, false);
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

        TOp.Apply<TW, TF>(ref s, value, TS.Get<TW>(ref s, ref op));
        Threading.Next(ref s, ref op, p);
    }

    /// <summary>Memory as destination: read, modify, write. The flags change only when the write has succeeded.</summary>
    [MethodImpl(Threading.Handler)]
    internal static void MemSource<TOp, TW, TF, TA, TS>(ref CpuState s, ref Op op, Processor p)
        where TOp : struct, IBinary where TW : struct, IWidth where TF : struct, IFlagsMode where TA : struct, IAddress where TS : struct, ISource
    {
        ulong at = TA.Linear(ref s, ref op, p, TW.Bits / 8, true);
        ref TlbEntry entry = ref TranslationCache.Entry(s.WriteTlb, at);
        if (entry.Tag == TranslationCache.Tag<TW>(at))
        {
            nint host = (nint)at + entry.Addend;
            TW.Store(host, TOp.Apply<TW, TF>(ref s, TW.Load(host), TS.Get<TW>(ref s, ref op)));
        }
        else
        {
            ulong value = p.LoadForWriteSlow(ref s, ref op, at, TW.Bits / 8);
            if (s.Attention != 0)
                return;
            ulong flagsResult = s.FlagsResult, flagsAux = s.FlagsAux;
            if (!p.StoreSlow(ref s, ref op, at, TW.Bits / 8, TOp.Apply<TW, TF>(ref s, value, TS.Get<TW>(ref s, ref op))))
            {
                (s.FlagsResult, s.FlagsAux) = (flagsResult, flagsAux);
                return;
            }
        }

        Threading.Next(ref s, ref op, p);
    }
}

/// <summary>Where a second operand comes from, as a type.</summary>
internal interface ISource
{
    static abstract ulong Get<TW>(ref CpuState s, ref Op op) where TW : struct, IWidth;
}

internal readonly struct RegSource : ISource
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Get<TW>(ref CpuState s, ref Op op) where TW : struct, IWidth => TW.Get(ref s, op.Reg);
}

internal readonly struct RmSource : ISource
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Get<TW>(ref CpuState s, ref Op op) where TW : struct, IWidth => TW.Get(ref s, op.Rm);
}

internal readonly struct ImmSource : ISource
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Get<TW>(ref CpuState s, ref Op op) where TW : struct, IWidth => op.Immediate;
}

/// <summary>Chooses among <see cref="AluHandlers"/>.</summary>
// SAFETY: only takes the addresses of static methods that have the handlers' signature.
internal static unsafe class AluBinder
{
    internal static nint Bind(ref Op op, BindContext context)
    {
        if (op.Shape == OpShape.RegRm && !op.IsMemory)
            (op.Reg, op.Rm, op.Shape) = (op.Rm, op.Reg, OpShape.RmReg);
        return op.Kind switch
        {
            OpKind.Add => Width<AddOp>(op, context),
            OpKind.Or => Width<OrOp>(op, context),
            OpKind.Adc => Width<AdcOp>(op, context),
            OpKind.Sbb => Width<SbbOp>(op, context),
            OpKind.And => Width<AndOp>(op, context),
            OpKind.Sub => Width<SubOp>(op, context),
            OpKind.Xor => Width<XorOp>(op, context),
            OpKind.Cmp => Width<CmpOp>(op, context),
            OpKind.Imul => Width<ImulOp>(op, context),
            _ => Width<TestOp>(op, context),
        };
    }

    private static nint Width<TOp>(in Op op, BindContext context) where TOp : struct, IBinary => op.SizeLog2 switch
    {
        0 => Shape<TOp, W8, LiveFlags>(op, context),
        1 => Shape<TOp, W16, LiveFlags>(op, context),
        2 => context.FlagsLive ? Shape<TOp, W32, LiveFlags>(op, context) : Shape<TOp, W32, DeadFlags>(op, context),
        _ => context.FlagsLive ? Shape<TOp, W64, LiveFlags>(op, context) : Shape<TOp, W64, DeadFlags>(op, context),
    };

    private static nint Shape<TOp, TW, TF>(in Op op, BindContext context)
        where TOp : struct, IBinary where TW : struct, IWidth where TF : struct, IFlagsMode
    {
        if (!op.IsMemory)
        {
            delegate*<ref CpuState, ref Op, Processor, void> handler = op.Shape == OpShape.RmImm ? &AluHandlers.RegImm<TOp, TW, TF>
                : &AluHandlers.RegReg<TOp, TW, TF>;
            return (nint)handler;
        }

        return context.AddressForm(op) switch
        {
            0 => Memory<TOp, TW, TF, Flat64>(op),
            1 => Memory<TOp, TW, TF, Flat32>(op),
            3 => Memory<TOp, TW, TF, Flat64Base>(op),
            _ => Memory<TOp, TW, TF, Segmented>(op),
        };
    }

    private static nint Memory<TOp, TW, TF, TA>(in Op op)
        where TOp : struct, IBinary where TW : struct, IWidth where TF : struct, IFlagsMode where TA : struct, IAddress
    {
        // SAFETY: function pointers to static methods of the handlers' signature, for Op.Handler.
        delegate*<ref CpuState, ref Op, Processor, void> handler;
        if (op.Shape == OpShape.RegRm)
            handler = &AluHandlers.RegMem<TOp, TW, TF, TA>;
        else if (op.Shape == OpShape.RmImm)
            handler = TOp.Writes ? &AluHandlers.MemSource<TOp, TW, TF, TA, ImmSource> : &AluHandlers.ReadMem<TOp, TW, TF, TA, ImmSource>;
        else
            handler = TOp.Writes ? &AluHandlers.MemSource<TOp, TW, TF, TA, RegSource> : &AluHandlers.ReadMem<TOp, TW, TF, TA, RegSource>;
        return (nint)handler;
    }
}
