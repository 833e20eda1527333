using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics.X86;
using Hv.Cpu.Decode;
using Hv.Cpu.State;

namespace Hv.Cpu.Execute;

/// <summary>IMUL of two operands of one size: CF and OF when the product does not fit.</summary>
internal readonly struct ImulOp : IBinary
{
    public static bool Writes => true;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Apply<TW, TF>(ref CpuState s, ulong a, ulong b) where TW : struct, IWidth where TF : struct, IFlagsMode
    {
        ulong product = TW.Bits == 64 ? a * b : TW.SignExtend(a) * TW.SignExtend(b);
        ulong result = TW.Truncate(product);
        if (TF.Live)
        {
            bool overflow = TW.Bits == 64 ? MultiplyHandlers.HighSigned(a, b) != (ulong)((long)product >> 63) : TW.SignExtend(result) != product;
            Flags.Explicit<TW>(ref s, result, overflow, overflow);
        }

        return result;
    }
}

/// <summary>MUL, IMUL, DIV, IDIV. SF, ZF, AF and PF after a multiplication, and all flags after a division, are undefined (SDM 2A, 2B).</summary>
internal static class MultiplyHandlers
{
    [MethodImpl(Threading.Handler)]
    internal static void Wide<TW>(ref CpuState s, ref Op op, Processor p) where TW : struct, IWidth
    {
        ulong b = Operand.Read<TW>(ref s, ref op, p);
        if (s.Attention != 0)
            return;
        ulong a = TW.Get(ref s, Registers.Rax);
        bool signed = op.Kind == OpKind.ImulWide;
        ulong low, high;
        if (TW.Bits == 64)
        {
            low = a * b;
            high = signed ? HighSigned(a, b) : HighUnsigned(a, b);
        }
        else
        {
            ulong product = signed ? TW.SignExtend(a) * TW.SignExtend(b) : a * b;
            low = TW.Truncate(product);
            high = TW.Truncate(product >> TW.Bits);
        }

        if (TW.Bits == 8)
        {
            W16.Set(ref s, Registers.Rax, low | high << 8);
        }
        else
        {
            TW.Set(ref s, Registers.Rax, low);
            TW.Set(ref s, Registers.Rdx, high);
        }

        bool overflow = signed ? high != TW.Truncate((ulong)((long)TW.SignExtend(low) >> 63)) : high != 0;
        Flags.Explicit<TW>(ref s, low, overflow, overflow);
        Threading.Next(ref s, ref op, p);
    }

    /// <summary>IMUL with an immediate.</summary>
    [MethodImpl(Threading.Handler)]
    internal static void Three<TW, TF>(ref CpuState s, ref Op op, Processor p) where TW : struct, IWidth where TF : struct, IFlagsMode
    {
        ulong b = Operand.Read<TW>(ref s, ref op, p);
        if (s.Attention != 0)
            return;
        TW.Set(ref s, op.Reg, ImulOp.Apply<TW, TF>(ref s, b, op.Immediate));
        Threading.Next(ref s, ref op, p);
    }

    [MethodImpl(Threading.Handler)]
    internal static void Divide<TW>(ref CpuState s, ref Op op, Processor p) where TW : struct, IWidth
    {
        ulong divisor = Operand.Read<TW>(ref s, ref op, p);
        if (s.Attention != 0)
            return;
        if (!(op.Kind == OpKind.Div ? TryUnsigned<TW>(ref s, divisor) : TrySigned<TW>(ref s, divisor)))
        {
            p.Raise(ref s, ref op, ExceptionVector.DivideError);
            return;
        }

        Threading.Next(ref s, ref op, p);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static ulong HighUnsigned(ulong a, ulong b) => Math.BigMul(a, b, out _);

    /// <summary>Bits 127:64 of the signed product.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static ulong HighSigned(ulong a, ulong b) => Bmi2.X64.IsSupported
        ? Bmi2.X64.MultiplyNoFlags(a, b) - ((ulong)((long)a >> 63) & b) - ((ulong)((long)b >> 63) & a)
        : HighSignedAnywhere(a, b);

    // Apart, because a local whose address is taken would make a handler's last call grow the stack.
    [MethodImpl(MethodImplOptions.NoInlining)]
    private static ulong HighSignedAnywhere(ulong a, ulong b) => (ulong)Math.BigMul((long)a, (long)b, out _);

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static bool TryUnsigned<TW>(ref CpuState s, ulong divisor) where TW : struct, IWidth
    {
        if (divisor == 0)
            return false;
        ulong quotient, remainder;
        if (TW.Bits == 64)
        {
            ulong high = s.Gpr.Rdx, low = s.Gpr.Rax;
            if (high >= divisor)
                return false;
            if (high == 0)
            {
                (quotient, remainder) = Math.DivRem(low, divisor);
            }
            else
            {
                (UInt128 q, UInt128 r) = UInt128.DivRem(new UInt128(high, low), divisor);
                (quotient, remainder) = ((ulong)q, (ulong)r);
            }
        }
        else
        {
            ulong dividend = TW.Bits == 8 ? (ushort)s.Gpr.Rax : TW.Get(ref s, Registers.Rdx) << TW.Bits | TW.Get(ref s, Registers.Rax);
            (quotient, remainder) = Math.DivRem(dividend, divisor);
            if (quotient != TW.Truncate(quotient))
                return false;
        }

        Put<TW>(ref s, quotient, remainder);
        return true;
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static bool TrySigned<TW>(ref CpuState s, ulong divisor) where TW : struct, IWidth
    {
        if (divisor == 0)
            return false;
        long by = (long)TW.SignExtend(divisor);
        if (TW.Bits == 64)
        {
            long high = (long)s.Gpr.Rdx, low = (long)s.Gpr.Rax;
            if (high == low >> 63)
            {
                if (low == long.MinValue && by == -1)
                    return false;
                Put<TW>(ref s, (ulong)(low / by), (ulong)(low % by));
                return true;
            }

            Int128 wide = new((ulong)high, (ulong)low);
            if (wide == Int128.MinValue && by == -1)
                return false;
            Int128 q = wide / by;
            if (q != (long)q)
                return false;
            Put<TW>(ref s, (ulong)(long)q, (ulong)(long)(wide - q * by));
            return true;
        }

        long dividend = TW.Bits == 8
            ? (short)s.Gpr.Rax
            : (long)(TW.SignExtend(TW.Get(ref s, Registers.Rdx)) << TW.Bits | TW.Get(ref s, Registers.Rax));
        if (dividend == long.MinValue && by == -1)
            return false;
        long quotient = dividend / by;
        if (quotient != (long)TW.SignExtend((ulong)quotient))
            return false;
        Put<TW>(ref s, (ulong)quotient, (ulong)(dividend % by));
        return true;
    }

    private static void Put<TW>(ref CpuState s, ulong quotient, ulong remainder) where TW : struct, IWidth
    {
        if (TW.Bits == 8)
        {
            W16.Set(ref s, Registers.Rax, (byte)quotient | (remainder & 0xFF) << 8);
            return;
        }

        TW.Set(ref s, Registers.Rax, TW.Truncate(quotient));
        TW.Set(ref s, Registers.Rdx, TW.Truncate(remainder));
    }
}

/// <summary>Chooses among <see cref="MultiplyHandlers"/>.</summary>
// SAFETY: only takes the addresses of static methods that have the handlers' signature.
internal static unsafe class MultiplyBinder
{
    internal static nint Bind(ref Op op, BindContext context)
    {
        // IMUL of a register by a register or memory has the shape of ADD.
        if (op.Kind == OpKind.Imul && op.Shape == OpShape.RegRm)
            return AluBinder.Bind(ref op, context);
        return op.SizeLog2 switch
        {
            0 => Width<W8>(op, context),
            1 => Width<W16>(op, context),
            2 => Width<W32>(op, context),
            _ => Width<W64>(op, context),
        };
    }

    private static nint Width<TW>(in Op op, BindContext context) where TW : struct, IWidth
    {
        // SAFETY: function pointers to static methods of the handlers' signature, for Op.Handler.
        delegate*<ref CpuState, ref Op, Processor, void> handler = op.Kind switch
        {
            OpKind.Mul or OpKind.ImulWide => &MultiplyHandlers.Wide<TW>,
            OpKind.Imul when context.FlagsLive => &MultiplyHandlers.Three<TW, LiveFlags>,
            OpKind.Imul => &MultiplyHandlers.Three<TW, DeadFlags>,
            _ => &MultiplyHandlers.Divide<TW>,
        };
        return (nint)handler;
    }
}
