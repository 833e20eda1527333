using System.Buffers.Binary;
using System.Runtime.CompilerServices;
using Hv.Cpu.Decode;
using Hv.Cpu.Memory;
using Hv.Cpu.State;

namespace Hv.Cpu.Execute;

/// <summary>How a narrower source is widened, as a type.</summary>
internal interface IExtend
{
    static abstract ulong Extend<TSource>(ulong value) where TSource : struct, IWidth;
}

internal readonly struct ZeroExtend : IExtend
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static ulong Extend<TSource>(ulong value) where TSource : struct, IWidth => value;
}

internal readonly struct SignExtend : IExtend
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Extend<TSource>(ulong value) where TSource : struct, IWidth => TSource.SignExtend(value);
}

/// <summary>MOV, MOVZX, MOVSX, LEA and other moves that touch no flags.</summary>
internal static class MoveHandlers
{
    /// <summary>Register to register, widened from TSource to TW: MOV is the case where both are the same.</summary>
    [MethodImpl(Threading.Handler)]
    internal static void RegReg<TW, TSource, TExtend>(ref CpuState s, ref Op op, Processor p)
        where TW : struct, IWidth where TSource : struct, IWidth where TExtend : struct, IExtend
    {
        TW.Set(ref s, op.Reg, TExtend.Extend<TSource>(TSource.Get(ref s, op.Rm)));
        Threading.Next(ref s, ref op, p);
    }

    [MethodImpl(Threading.Handler)]
    internal static void RegImm<TW>(ref CpuState s, ref Op op, Processor p) where TW : struct, IWidth
    {
        TW.Set(ref s, op.Rm, op.Immediate);
        Threading.Next(ref s, ref op, p);
    }

    /// <summary>Memory to register, widened from TSource to TW.</summary>
    [MethodImpl(Threading.Handler)]
    internal static void Load<TW, TSource, TExtend, TA>(ref CpuState s, ref Op op, Processor p)
        where TW : struct, IWidth where TSource : struct, IWidth where TExtend : struct, IExtend where TA : struct, IAddress
    {
        ulong at = TA.Linear(ref s, ref op, p, TSource.Bits / 8, false);
        ref TlbEntry entry = ref TranslationCache.Entry(s.ReadTlb, at);
        ulong value;
        if (entry.Tag == TranslationCache.Tag<TSource>(at))
        {
            value = TSource.Load((nint)at + entry.Addend);
        }
        else
        {
            value = p.LoadSlow(ref s, ref op, at, TSource.Bits / 8);
            if (s.Attention != 0)
                return;
        }

        TW.Set(ref s, op.Reg, TExtend.Extend<TSource>(value));
        Threading.Next(ref s, ref op, p);
    }

    [MethodImpl(Threading.Handler)]
    internal static void Store<TW, TA, TS>(ref CpuState s, ref Op op, Processor p)
        where TW : struct, IWidth where TA : struct, IAddress where TS : struct, ISource
    {
        ulong at = TA.Linear(ref s, ref op, p, TW.Bits / 8, true);
        ref TlbEntry entry = ref TranslationCache.Entry(s.WriteTlb, at);
        if (entry.Tag == TranslationCache.Tag<TW>(at))
            TW.Store((nint)at + entry.Addend, TS.Get<TW>(ref s, ref op));
        else if (!p.StoreSlow(ref s, ref op, at, TW.Bits / 8, TS.Get<TW>(ref s, ref op)))
            return;
        Threading.Next(ref s, ref op, p);
    }

    [MethodImpl(Threading.Handler)]
    internal static void Lea64(ref CpuState s, ref Op op, Processor p)
    {
        Registers.At(ref s, op.Reg) = Registers.At(ref s, op.Base) + (Registers.At(ref s, op.Index) << op.Scale) + (ulong)op.Displacement;
        Threading.Next(ref s, ref op, p);
    }

    [MethodImpl(Threading.Handler)]
    internal static void Lea<TW>(ref CpuState s, ref Op op, Processor p) where TW : struct, IWidth
    {
        TW.Set(ref s, op.Reg, p.EffectiveAddress(ref s, ref op));
        Threading.Next(ref s, ref op, p);
    }

    [MethodImpl(Threading.Handler)]
    internal static void FromMoffs<TW>(ref CpuState s, ref Op op, Processor p) where TW : struct, IWidth
    {
        ulong value = Operand.ReadAt<TW>(ref s, ref op, p,
            p.LinearOrPoison(ref s, ref op, (SegmentNumber)op.Segment, op.Immediate, TW.Bits / 8, false));
        if (s.Attention != 0)
            return;
        TW.Set(ref s, Registers.Rax, value);
        Threading.Next(ref s, ref op, p);
    }

    [MethodImpl(Threading.Handler)]
    internal static void ToMoffs<TW>(ref CpuState s, ref Op op, Processor p) where TW : struct, IWidth
    {
        ulong at = p.LinearOrPoison(ref s, ref op, (SegmentNumber)op.Segment, op.Immediate, TW.Bits / 8, true);
        if (!Operand.WriteAt<TW>(ref s, ref op, p, at, TW.Get(ref s, Registers.Rax)))
            return;
        Threading.Next(ref s, ref op, p);
    }

    [MethodImpl(Threading.Handler)]
    internal static void MovbeLoad<TW>(ref CpuState s, ref Op op, Processor p) where TW : struct, IWidth
    {
        ulong value = Operand.ReadMemory<TW>(ref s, ref op, p);
        if (s.Attention != 0)
            return;
        TW.Set(ref s, op.Reg, Reverse<TW>(value));
        Threading.Next(ref s, ref op, p);
    }

    [MethodImpl(Threading.Handler)]
    internal static void MovbeStore<TW>(ref CpuState s, ref Op op, Processor p) where TW : struct, IWidth
    {
        if (!Operand.WriteMemory<TW>(ref s, ref op, p, Reverse<TW>(TW.Get(ref s, op.Reg))))
            return;
        Threading.Next(ref s, ref op, p);
    }

    /// <summary>BSWAP; with a 16-bit operand the result is undefined (SDM 2A), and silicon clears it.</summary>
    [MethodImpl(Threading.Handler)]
    internal static void Bswap<TW>(ref CpuState s, ref Op op, Processor p) where TW : struct, IWidth
    {
        TW.Set(ref s, op.Rm, TW.Bits == 16 ? 0 : Reverse<TW>(TW.Get(ref s, op.Rm)));
        Threading.Next(ref s, ref op, p);
    }

    private static ulong Reverse<TW>(ulong value) where TW : struct, IWidth => BinaryPrimitives.ReverseEndianness(value) >> (64 - TW.Bits);

    [MethodImpl(Threading.Handler)]
    internal static void Xchg<TW>(ref CpuState s, ref Op op, Processor p) where TW : struct, IWidth
    {
        ulong value = Operand.ReadForWrite<TW>(ref s, ref op, p);
        if (s.Attention != 0)
            return;
        ulong register = TW.Get(ref s, op.Reg);
        if (!Operand.Write<TW>(ref s, ref op, p, register))
            return;
        TW.Set(ref s, op.Reg, value);
        Threading.Next(ref s, ref op, p);
    }

    [MethodImpl(Threading.Handler)]
    internal static void Xadd<TW>(ref CpuState s, ref Op op, Processor p) where TW : struct, IWidth
    {
        ulong value = Operand.ReadForWrite<TW>(ref s, ref op, p);
        if (s.Attention != 0)
            return;
        ulong register = TW.Get(ref s, op.Reg);
        ulong sum = TW.Truncate(value + register);
        if (op.IsMemory)
        {
            if (!Operand.WriteMemory<TW>(ref s, ref op, p, sum))
                return;
            TW.Set(ref s, op.Reg, value);
        }
        else
        {
            // XADD r, r with one register ends with the sum (SDM 2C, XADD: DEST is written last).
            TW.Set(ref s, op.Reg, value);
            TW.Set(ref s, op.Rm, sum);
        }

        Flags.Add<TW>(ref s, value, register, sum);
        Threading.Next(ref s, ref op, p);
    }

    /// <summary>CMPXCHG writes its destination whatever the comparison says (SDM 2A).</summary>
    [MethodImpl(Threading.Handler)]
    internal static void Cmpxchg<TW>(ref CpuState s, ref Op op, Processor p) where TW : struct, IWidth
    {
        ulong value = Operand.ReadForWrite<TW>(ref s, ref op, p);
        if (s.Attention != 0)
            return;
        ulong accumulator = TW.Get(ref s, Registers.Rax);
        bool equal = accumulator == value;
        if (op.IsMemory || equal)
        {
            if (!Operand.Write<TW>(ref s, ref op, p, equal ? TW.Get(ref s, op.Reg) : value))
                return;
        }

        if (!equal)
            TW.Set(ref s, Registers.Rax, value);
        Flags.Sub<TW>(ref s, accumulator, value, TW.Truncate(accumulator - value));
        Threading.Next(ref s, ref op, p);
    }

    /// <summary>CMPXCHG8B and CMPXCHG16B: TW is half the operand.</summary>
    [MethodImpl(Threading.Handler)]
    internal static void CmpxchgPair<TW>(ref CpuState s, ref Op op, Processor p) where TW : struct, IWidth
    {
        const int Half = 2;
        int bytes = TW.Bits / 8;
        SegmentNumber segment = (SegmentNumber)op.Segment;
        ulong offset = p.EffectiveAddress(ref s, ref op);
        ulong at = p.LinearOrPoison(ref s, ref op, segment, offset, bytes * Half, true);
        if (bytes == 8 && at != IAddress.Poison && (at & 15) != 0)
        {
            p.Raise(ref s, ref op, ExceptionVector.GeneralProtection, 0);
            return;
        }

        ulong low = p.ReadPairHalf(ref s, ref op, at, 0, bytes);
        if (s.Attention != 0)
            return;
        ulong high = p.ReadPairHalf(ref s, ref op, at, bytes, bytes);
        if (s.Attention != 0)
            return;
        bool equal = low == TW.Get(ref s, Registers.Rax) && high == TW.Get(ref s, Registers.Rdx);
        ulong newLow = equal ? TW.Get(ref s, Registers.Rbx) : low, newHigh = equal ? TW.Get(ref s, Registers.Rcx) : high;
        if (!p.StorePair(ref s, ref op, at, bytes, newLow, newHigh))
            return;
        if (!equal)
        {
            TW.Set(ref s, Registers.Rax, low);
            TW.Set(ref s, Registers.Rdx, high);
        }

        Flags.Put(ref s, Flags.Get(ref s) & ~Flags.Zf | (equal ? Flags.Zf : 0));
        Threading.Next(ref s, ref op, p);
    }

    /// <summary>CBW, CWDE, CDQE.</summary>
    [MethodImpl(Threading.Handler)]
    internal static void Cbw<TW, THalf>(ref CpuState s, ref Op op, Processor p) where TW : struct, IWidth where THalf : struct, IWidth
    {
        TW.Set(ref s, Registers.Rax, THalf.SignExtend(THalf.Get(ref s, Registers.Rax)));
        Threading.Next(ref s, ref op, p);
    }

    /// <summary>CWD, CDQ, CQO.</summary>
    [MethodImpl(Threading.Handler)]
    internal static void Cwd<TW>(ref CpuState s, ref Op op, Processor p) where TW : struct, IWidth
    {
        TW.Set(ref s, Registers.Rdx, (ulong)((long)TW.SignExtend(TW.Get(ref s, Registers.Rax)) >> 63));
        Threading.Next(ref s, ref op, p);
    }

    [MethodImpl(Threading.Handler)]
    internal static void Xlat(ref CpuState s, ref Op op, Processor p)
    {
        ulong offset = s.Gpr.Rbx + (byte)s.Gpr.Rax;
        offset = (op.Form & OpForm.AddressMask) switch { OpForm.Address64 => offset, OpForm.Address32 => (uint)offset, _ => (ushort)offset };
        ulong value = Operand.ReadAt<W8>(ref s, ref op, p, p.LinearOrPoison(ref s, ref op, (SegmentNumber)op.Segment, offset, 1, false));
        if (s.Attention != 0)
            return;
        W8.Set(ref s, Registers.Rax, value);
        Threading.Next(ref s, ref op, p);
    }

    /// <summary>RDRAND and RDSEED: a seeded sequence, so that runs repeat; CF says that a number was there, the other flags are clear.</summary>
    [MethodImpl(Threading.Handler)]
    internal static void Random<TW>(ref CpuState s, ref Op op, Processor p) where TW : struct, IWidth
    {
        TW.Set(ref s, op.Rm, TW.Truncate(p.NextRandom()));
        Flags.Put(ref s, Flags.Cf);
        Threading.Next(ref s, ref op, p);
    }

    [MethodImpl(Threading.Handler)]
    internal static void Rdpid(ref CpuState s, ref Op op, Processor p)
    {
        W64.Set(ref s, op.Rm, (uint)s.Sys.TscAux);
        Threading.Next(ref s, ref op, p);
    }
}
