using System.Runtime.CompilerServices;
using Hv.Cpu.Decode;
using Hv.Cpu.State;

namespace Hv.Cpu.Execute;

/// <summary>Flag instructions, decimal arithmetic, BOUND, NOP and hints.</summary>
internal static class RestHandlers
{
    private const ulong DirectionFlag = 1 << 10;

    [MethodImpl(Threading.Handler)]
    internal static void Nop(ref CpuState s, ref Op op, Processor p) => Threading.Next(ref s, ref op, p);

    /// <summary>CLFLUSH and its kind read their line (SDM 2A), and there is no cache to flush.</summary>
    [MethodImpl(Threading.Handler)]
    internal static void Clflush(ref CpuState s, ref Op op, Processor p)
    {
        Operand.ReadMemory<W8>(ref s, ref op, p);
        if (s.Attention != 0)
            return;
        Threading.Next(ref s, ref op, p);
    }

    [MethodImpl(Threading.Handler)]
    internal static void Lahf(ref CpuState s, ref Op op, Processor p)
    {
        Registers.ByteAt(ref s, Registers.Rax + 1) = (byte)(Flags.Get(ref s) & 0xFF | 2);
        Threading.Next(ref s, ref op, p);
    }

    [MethodImpl(Threading.Handler)]
    internal static void Sahf(ref CpuState s, ref Op op, Processor p)
    {
        Flags.Put(ref s, Flags.Get(ref s) & Flags.Of | Registers.ByteAt(ref s, Registers.Rax + 1));
        Threading.Next(ref s, ref op, p);
    }

    [MethodImpl(Threading.Handler)]
    internal static void Carry(ref CpuState s, ref Op op, Processor p)
    {
        ulong carry = op.Kind switch { OpKind.Clc => 0, OpKind.Stc => 1, _ => Flags.Carry(ref s) ^ 1 };
        Flags.SetCarryKeepOverflow(ref s, carry);
        Threading.Next(ref s, ref op, p);
    }

    [MethodImpl(Threading.Handler)]
    internal static void Direction(ref CpuState s, ref Op op, Processor p)
    {
        s.Gpr.Rflags = op.Kind == OpKind.Cld ? s.Gpr.Rflags & ~DirectionFlag : s.Gpr.Rflags | DirectionFlag;
        Threading.Next(ref s, ref op, p);
    }

    [MethodImpl(Threading.Handler)]
    internal static void Salc(ref CpuState s, ref Op op, Processor p)
    {
        W8.Set(ref s, Registers.Rax, Flags.Carry(ref s) != 0 ? 0xFFUL : 0);
        Threading.Next(ref s, ref op, p);
    }

    /// <summary>DAA and DAS (SDM 2A).</summary>
    [MethodImpl(Threading.Handler)]
    internal static void DecimalAdjust(ref CpuState s, ref Op op, Processor p)
    {
        bool add = op.Kind == OpKind.Daa;
        byte old = (byte)s.Gpr.Rax;
        bool oldCarry = Flags.Carry(ref s) != 0, adjust = (old & 0xF) > 9 || Flags.Adjust(ref s), carry = false;
        int value = old;
        if (adjust)
        {
            value = add ? value + 6 : value - 6;
            carry = oldCarry || value is < 0 or > 0xFF;
        }

        if (old > 0x99 || oldCarry)
        {
            value = add ? value + 0x60 : value - 0x60;
            carry = true;
        }
        else if (add)
        {
            carry = false;
        }

        W8.Set(ref s, Registers.Rax, (byte)value);
        Flags.Explicit<W8>(ref s, (byte)value, carry, false, adjust);
        Threading.Next(ref s, ref op, p);
    }

    /// <summary>AAA and AAS (SDM 2A).</summary>
    [MethodImpl(Threading.Handler)]
    internal static void AsciiAdjust(ref CpuState s, ref Op op, Processor p)
    {
        bool adjust = (s.Gpr.Rax & 0xF) > 9 || Flags.Adjust(ref s);
        ulong ax = (ushort)s.Gpr.Rax;
        if (adjust)
            ax = op.Kind == OpKind.Aaa ? ax + 0x106 : ax - 0x106;
        ax &= 0xFF0F;
        W16.Set(ref s, Registers.Rax, ax);
        Flags.Explicit<W8>(ref s, ax & 0xFF, adjust, false, adjust);
        Threading.Next(ref s, ref op, p);
    }

    [MethodImpl(Threading.Handler)]
    internal static void Aam(ref CpuState s, ref Op op, Processor p)
    {
        byte radix = (byte)op.Immediate;
        if (radix == 0)
        {
            p.Raise(ref s, ref op, ExceptionVector.DivideError);
            return;
        }

        uint al = (byte)s.Gpr.Rax;
        uint low = al % radix;
        W16.Set(ref s, Registers.Rax, al / radix << 8 | low);
        Flags.Logic<W8>(ref s, low);
        Threading.Next(ref s, ref op, p);
    }

    [MethodImpl(Threading.Handler)]
    internal static void Aad(ref CpuState s, ref Op op, Processor p)
    {
        ulong result = (byte)(s.Gpr.Rax + (s.Gpr.Rax >> 8 & 0xFF) * op.Immediate);
        W16.Set(ref s, Registers.Rax, result);
        Flags.Logic<W8>(ref s, result);
        Threading.Next(ref s, ref op, p);
    }

    /// <summary>BOUND: #BR unless lower ≤ index ≤ upper, both signed, from two adjacent words (SDM 2A).</summary>
    [MethodImpl(Threading.Handler)]
    internal static void Bound<TW>(ref CpuState s, ref Op op, Processor p) where TW : struct, IWidth
    {
        int bytes = TW.Bits / 8;
        ulong offset = p.EffectiveAddress(ref s, ref op);
        SegmentNumber segment = (SegmentNumber)op.Segment;
        ulong lower = Operand.ReadAt<TW>(ref s, ref op, p, p.LinearOrPoison(ref s, ref op, segment, offset, bytes, false));
        if (s.Attention != 0)
            return;
        // Below the lower bound the upper one is not read, as on Intel's processors.
        long index = (long)TW.SignExtend(TW.Get(ref s, op.Reg));
        if (index < (long)TW.SignExtend(lower))
        {
            p.Raise(ref s, ref op, ExceptionVector.BoundRange);
            return;
        }

        ulong upper = Operand.ReadAt<TW>(ref s, ref op, p, p.LinearOrPoison(ref s, ref op, segment,
            System.OpAccess.Advance(ref op, offset, bytes), bytes, false));
        if (s.Attention != 0)
            return;
        if (index > (long)TW.SignExtend(upper))
        {
            p.Raise(ref s, ref op, ExceptionVector.BoundRange);
            return;
        }

        Threading.Next(ref s, ref op, p);
    }
}

/// <summary>Chooses among <see cref="RestHandlers"/> and the string handlers.</summary>
// SAFETY: only takes the addresses of static methods that have the handlers' signature.
internal static unsafe class RestBinder
{
    internal static nint Bind(in Op op, BindContext context)
    {
        // SAFETY: function pointers to static methods of the handlers' signature, for Op.Handler.
        delegate*<ref CpuState, ref Op, Processor, void> handler;
        switch (op.Kind)
        {
            case OpKind.Nop: handler = &RestHandlers.Nop; break;
            case OpKind.Clflush: handler = &RestHandlers.Clflush; break;
            case OpKind.Lahf: handler = &RestHandlers.Lahf; break;
            case OpKind.Sahf: handler = &RestHandlers.Sahf; break;
            case OpKind.Clc or OpKind.Stc or OpKind.Cmc: handler = &RestHandlers.Carry; break;
            case OpKind.Cld or OpKind.Std: handler = &RestHandlers.Direction; break;
            case OpKind.Salc: handler = &RestHandlers.Salc; break;
            case OpKind.Daa or OpKind.Das: handler = &RestHandlers.DecimalAdjust; break;
            case OpKind.Aaa or OpKind.Aas: handler = &RestHandlers.AsciiAdjust; break;
            case OpKind.Aam: handler = &RestHandlers.Aam; break;
            case OpKind.Aad: handler = &RestHandlers.Aad; break;
            case OpKind.Bound: handler = op.SizeLog2 == 1 ? &RestHandlers.Bound<W16> : &RestHandlers.Bound<W32>; break;
            default: return StringBinder.Bind(op);
        }

        return (nint)handler;
    }
}
