using System.Runtime.CompilerServices;
using Hv.Cpu.Decode;
using Hv.Cpu.State;

namespace Hv.Cpu.Execute;

/// <summary>A shift or rotate of a value by a masked count, as a type. A count of 0 changes nothing, flags included.</summary>
internal interface IShift
{
    static abstract ulong Apply<TW, TF>(ref CpuState s, ulong a, int count) where TW : struct, IWidth where TF : struct, IFlagsMode;
}

/// <summary>SHL. OF is defined for a count of 1 only; for others the same expression holds on silicon (SDM 2B, SAL/SAR/SHL/SHR).</summary>
internal readonly struct ShlOp : IShift
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Apply<TW, TF>(ref CpuState s, ulong a, int count) where TW : struct, IWidth where TF : struct, IFlagsMode
    {
        if (count == 0)
            return a;
        ulong result = TW.Truncate(a << count);
        if (TF.Live)
        {
            bool carry = count <= TW.Bits && (a >> (TW.Bits - count) & 1) != 0;
            Flags.Explicit<TW>(ref s, result, carry, Bit.Top<TW>(result) != carry);
        }

        return result;
    }
}

internal readonly struct ShrOp : IShift
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Apply<TW, TF>(ref CpuState s, ulong a, int count) where TW : struct, IWidth where TF : struct, IFlagsMode
    {
        if (count == 0)
            return a;
        ulong result = a >> count;
        if (TF.Live)
            Flags.Explicit<TW>(ref s, result, (a >> (count - 1) & 1) != 0, Bit.Top<TW>(result << 1) != Bit.Top<TW>(result));
        return result;
    }
}

internal readonly struct SarOp : IShift
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Apply<TW, TF>(ref CpuState s, ulong a, int count) where TW : struct, IWidth where TF : struct, IFlagsMode
    {
        if (count == 0)
            return a;
        long wide = (long)TW.SignExtend(a);
        ulong result = TW.Truncate((ulong)(wide >> count));
        if (TF.Live)
            Flags.Explicit<TW>(ref s, result, (wide >> (count - 1) & 1) != 0, false);
        return result;
    }
}

/// <summary>ROL; CF and OF change whenever the masked count is not 0, even if the value comes round (SDM 2B, RCL/RCR/ROL/ROR).</summary>
internal readonly struct RolOp : IShift
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Apply<TW, TF>(ref CpuState s, ulong a, int count) where TW : struct, IWidth where TF : struct, IFlagsMode
    {
        if (count == 0)
            return a;
        int by = count & (TW.Bits - 1);
        ulong result = by == 0 ? a : TW.Truncate(a << by | a >> (TW.Bits - by));
        if (TF.Live)
            Flags.SetCarryOverflow(ref s, (result & 1) != 0, Bit.Top<TW>(result) != ((result & 1) != 0));
        return result;
    }
}

internal readonly struct RorOp : IShift
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Apply<TW, TF>(ref CpuState s, ulong a, int count) where TW : struct, IWidth where TF : struct, IFlagsMode
    {
        if (count == 0)
            return a;
        int by = count & (TW.Bits - 1);
        ulong result = by == 0 ? a : TW.Truncate(a >> by | a << (TW.Bits - by));
        if (TF.Live)
            Flags.SetCarryOverflow(ref s, Bit.Top<TW>(result), Bit.Top<TW>(result) != Bit.Top<TW>(result << 1));
        return result;
    }
}

/// <summary>RCL: a rotation through one bit more than the operand has.</summary>
internal readonly struct RclOp : IShift
{
    public static ulong Apply<TW, TF>(ref CpuState s, ulong a, int count) where TW : struct, IWidth where TF : struct, IFlagsMode
    {
        int by = TW.Bits < 32 ? count % (TW.Bits + 1) : count;
        if (by == 0)
            return a;
        ulong carry = Flags.Carry(ref s);
        ulong shifted = by == 64 ? 0 : a << by;
        ulong result = TW.Truncate(shifted | carry << (by - 1) | (by > 1 ? a >> (TW.Bits + 1 - by) : 0));
        bool newCarry = (a >> (TW.Bits - by) & 1) != 0;
        Flags.SetCarryOverflow(ref s, newCarry, Bit.Top<TW>(result) != newCarry);
        return result;
    }
}

internal readonly struct RcrOp : IShift
{
    public static ulong Apply<TW, TF>(ref CpuState s, ulong a, int count) where TW : struct, IWidth where TF : struct, IFlagsMode
    {
        int by = TW.Bits < 32 ? count % (TW.Bits + 1) : count;
        if (by == 0)
            return a;
        ulong carry = Flags.Carry(ref s);
        ulong result = TW.Truncate(a >> by | carry << (TW.Bits - by) | (by > 1 ? a << (TW.Bits + 1 - by) : 0));
        Flags.SetCarryOverflow(ref s, (a >> (by - 1) & 1) != 0, Bit.Top<TW>(result) != Bit.Top<TW>(result << 1));
        return result;
    }
}

/// <summary>Single bits of operands.</summary>
internal static class Bit
{
    /// <summary>The operand's top bit; bits above it are ignored.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static bool Top<TW>(ulong value) where TW : struct, IWidth => (value >> (TW.Bits - 1) & 1) != 0;
}

/// <summary>Handlers of shifts and rotates.</summary>
internal static class ShiftHandlers
{
    [MethodImpl(Threading.Handler)]
    internal static void RegImm<TOp, TW, TF>(ref CpuState s, ref Op op, Processor p)
        where TOp : struct, IShift where TW : struct, IWidth where TF : struct, IFlagsMode
    {
        TW.Set(ref s, op.Rm, TOp.Apply<TW, TF>(ref s, TW.Get(ref s, op.Rm), (int)op.Immediate & (TW.Bits == 64 ? 63 : 31)));
        Threading.Next(ref s, ref op, p);
    }

    [MethodImpl(Threading.Handler)]
    internal static void RegCl<TOp, TW>(ref CpuState s, ref Op op, Processor p) where TOp : struct, IShift where TW : struct, IWidth
    {
        TW.Set(ref s, op.Rm, TOp.Apply<TW, LiveFlags>(ref s, TW.Get(ref s, op.Rm), (int)s.Gpr.Rcx & (TW.Bits == 64 ? 63 : 31)));
        Threading.Next(ref s, ref op, p);
    }

    [MethodImpl(Threading.Handler)]
    internal static void Memory<TOp, TW>(ref CpuState s, ref Op op, Processor p) where TOp : struct, IShift where TW : struct, IWidth
    {
        ulong value = Operand.ReadForWrite<TW>(ref s, ref op, p);
        if (s.Attention != 0)
            return;
        int count = (int)(op.Shape == OpShape.RmCl ? s.Gpr.Rcx : op.Immediate) & (TW.Bits == 64 ? 63 : 31);
        ulong flagsResult = s.FlagsResult, flagsAux = s.FlagsAux;
        if (!Operand.Write<TW>(ref s, ref op, p, TOp.Apply<TW, LiveFlags>(ref s, value, count)))
        {
            (s.FlagsResult, s.FlagsAux) = (flagsResult, flagsAux);
            return;
        }

        Threading.Next(ref s, ref op, p);
    }

    /// <summary>SHLD and SHRD. With 16-bit operands and a count above 16 the result is undefined (SDM 2B); silicon goes on into the destination
    /// again.</summary>
    [MethodImpl(Threading.Handler)]
    internal static void Double<TW>(ref CpuState s, ref Op op, Processor p) where TW : struct, IWidth
    {
        ulong a = Operand.ReadForWrite<TW>(ref s, ref op, p);
        if (s.Attention != 0)
            return;
        int count = (int)(op.Shape == OpShape.RmRegCl ? s.Gpr.Rcx : op.Immediate) & (TW.Bits == 64 ? 63 : 31);
        if (count != 0)
        {
            ulong b = TW.Get(ref s, op.Reg);
            bool left = op.Kind == OpKind.Shld;
            ulong result;
            bool carry;
            if (TW.Bits == 16)
            {
                ulong triple = a << 32 | b << 16 | a;
                result = TW.Truncate(left ? triple << count >> 32 : triple >> count);
                carry = ((left ? triple >> (48 - count) : triple >> (count - 1)) & 1) != 0;
            }
            else
            {
                result = TW.Truncate(left ? a << count | b >> (TW.Bits - count) : a >> count | b << (TW.Bits - count));
                carry = ((left ? a >> (TW.Bits - count) : a >> (count - 1)) & 1) != 0;
            }

            if (!Operand.Write<TW>(ref s, ref op, p, result))
                return;
            Flags.Explicit<TW>(ref s, result, carry, Bit.Top<TW>(result) != Bit.Top<TW>(a));
        }
        else if (!Operand.Write<TW>(ref s, ref op, p, a))
        {
            return;
        }

        Threading.Next(ref s, ref op, p);
    }
}

/// <summary>Chooses among <see cref="ShiftHandlers"/>.</summary>
// SAFETY: only takes the addresses of static methods that have the handlers' signature.
internal static unsafe class ShiftBinder
{
    // SAFETY: function pointers to static methods of the handlers' signature, for Op.Handler, throughout.
    internal static nint Bind(in Op op, BindContext context) => op.Kind switch
    {
        OpKind.Rol => Width<RolOp>(op, context),
        OpKind.Ror => Width<RorOp>(op, context),
        OpKind.Rcl => Width<RclOp>(op, context),
        OpKind.Rcr => Width<RcrOp>(op, context),
        OpKind.Shl or OpKind.Sal => Width<ShlOp>(op, context),
        OpKind.Shr => Width<ShrOp>(op, context),
        OpKind.Sar => Width<SarOp>(op, context),
        _ => Double(op),
    };

    private static nint Double(in Op op)
    {
        delegate*<ref CpuState, ref Op, Processor, void> handler = op.SizeLog2 == 1 ? &ShiftHandlers.Double<W16> : op.SizeLog2 == 2
            ? &ShiftHandlers.Double<W32> : &ShiftHandlers.Double<W64>;
        return (nint)handler;
    }

    private static nint Width<TOp>(in Op op, BindContext context) where TOp : struct, IShift => op.SizeLog2 switch
    {
        0 => Shape<TOp, W8>(op, context),
        1 => Shape<TOp, W16>(op, context),
        2 => Shape<TOp, W32>(op, context),
        _ => Shape<TOp, W64>(op, context),
    };

    private static nint Shape<TOp, TW>(in Op op, BindContext context) where TOp : struct, IShift where TW : struct, IWidth
    {
        delegate*<ref CpuState, ref Op, Processor, void> handler;
        if (op.IsMemory)
            handler = &ShiftHandlers.Memory<TOp, TW>;
        else if (op.Shape == OpShape.RmCl)
            handler = &ShiftHandlers.RegCl<TOp, TW>;
        else
            handler = context.FlagsLive ? &ShiftHandlers.RegImm<TOp, TW, LiveFlags> : &ShiftHandlers.RegImm<TOp, TW, DeadFlags>;
        return (nint)handler;
    }
}
