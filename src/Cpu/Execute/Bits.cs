using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics.X86;
using Hv.Cpu.Decode;
using Hv.Cpu.State;

namespace Hv.Cpu.Execute;

/// <summary>Bit instructions: BT and its kind, scans and counts, CRC32, ADCX and ADOX.</summary>
internal static class BitHandlers
{
    /// <summary>BT, BTS, BTR, BTC on a register, or on memory with an immediate: the bit number wraps in the operand.</summary>
    [MethodImpl(Threading.Handler)]
    internal static void Test<TW>(ref CpuState s, ref Op op, Processor p) where TW : struct, IWidth
    {
        bool writes = op.Kind != OpKind.Bt;
        ulong value = writes ? Operand.ReadForWrite<TW>(ref s, ref op, p) : Operand.Read<TW>(ref s, ref op, p);
        if (s.Attention != 0)
            return;
        int bit = (int)(op.Shape == OpShape.RmImm ? op.Immediate : TW.Get(ref s, op.Reg)) & (TW.Bits - 1);
        if (writes && !Operand.Write<TW>(ref s, ref op, p, Change(op.Kind, value, 1UL << bit)))
            return;
        Flags.SetCarryKeepOverflow(ref s, value >> bit & 1);
        Threading.Next(ref s, ref op, p);
    }

    /// <summary>The same with a register's bit number on memory: a signed bit offset from the operand's address (SDM 2A, BT).</summary>
    [MethodImpl(Threading.Handler)]
    internal static void TestString<TW>(ref CpuState s, ref Op op, Processor p) where TW : struct, IWidth
    {
        bool writes = op.Kind != OpKind.Bt;
        long number = (long)TW.SignExtend(TW.Get(ref s, op.Reg));
        int bit = (int)number & (TW.Bits - 1);
        ulong offset = p.EffectiveAddress(ref s, ref op) + (ulong)((number - bit) / 8);
        offset = (op.Form & OpForm.AddressMask) switch { OpForm.Address64 => offset, OpForm.Address32 => (uint)offset, _ => (ushort)offset };
        ulong at = p.LinearOrPoison(ref s, ref op, (SegmentNumber)op.Segment, offset, TW.Bits / 8, writes);
        ulong value = writes ? p.LoadForWriteSlow(ref s, ref op, at, TW.Bits / 8) : Operand.ReadAt<TW>(ref s, ref op, p, at);
        if (s.Attention != 0)
            return;
        if (writes && !Operand.WriteAt<TW>(ref s, ref op, p, at, Change(op.Kind, value, 1UL << bit)))
            return;
        Flags.SetCarryKeepOverflow(ref s, value >> bit & 1);
        Threading.Next(ref s, ref op, p);
    }

    private static ulong Change(OpKind kind, ulong value, ulong mask) => kind switch
    {
        OpKind.Bts => value | mask,
        OpKind.Btr => value & ~mask,
        _ => value ^ mask,
    };

    /// <summary>BSF and BSR: a source of 0 sets ZF and leaves the destination (APM 3; undefined in SDM 2A, where silicon does the same).</summary>
    [MethodImpl(Threading.Handler)]
    internal static void Scan<TW>(ref CpuState s, ref Op op, Processor p) where TW : struct, IWidth
    {
        ulong value = Operand.Read<TW>(ref s, ref op, p);
        if (s.Attention != 0)
            return;
        if (value != 0)
            TW.Set(ref s, op.Reg, (ulong)(op.Kind == OpKind.Bsf ? BitOperations.TrailingZeroCount(value) : BitOperations.Log2(value)));
        Flags.Logic<TW>(ref s, value);
        Threading.Next(ref s, ref op, p);
    }

    /// <summary>TZCNT and LZCNT: CF says that the source was 0, ZF that the count is.</summary>
    [MethodImpl(Threading.Handler)]
    internal static void Count<TW>(ref CpuState s, ref Op op, Processor p) where TW : struct, IWidth
    {
        ulong value = Operand.Read<TW>(ref s, ref op, p);
        if (s.Attention != 0)
            return;
        int count = op.Kind == OpKind.Lzcnt ? BitOperations.LeadingZeroCount(value) - (64 - TW.Bits) : value == 0 ? TW.Bits
            : BitOperations.TrailingZeroCount(value);
        TW.Set(ref s, op.Reg, (ulong)count);
        Flags.Explicit<TW>(ref s, (ulong)count, value == 0, false);
        Threading.Next(ref s, ref op, p);
    }

    [MethodImpl(Threading.Handler)]
    internal static void Popcnt<TW>(ref CpuState s, ref Op op, Processor p) where TW : struct, IWidth
    {
        ulong value = Operand.Read<TW>(ref s, ref op, p);
        if (s.Attention != 0)
            return;
        TW.Set(ref s, op.Reg, (ulong)BitOperations.PopCount(value));
        Flags.Put(ref s, value == 0 ? Flags.Zf : 0);
        Threading.Next(ref s, ref op, p);
    }

    /// <summary>CRC32 over a source of TW; the destination is 32 bits, and the upper half of a 64-bit register is cleared either way (SDM
    /// 2A).</summary>
    [MethodImpl(Threading.Handler)]
    internal static void Crc32<TW>(ref CpuState s, ref Op op, Processor p) where TW : struct, IWidth
    {
        ulong value = Operand.Read<TW>(ref s, ref op, p);
        if (s.Attention != 0)
            return;
        uint crc = (uint)W32.Get(ref s, op.Reg);
        crc = TW.Bits switch
        {
            8 => BitOperations.Crc32C(crc, (byte)value),
            16 => BitOperations.Crc32C(crc, (ushort)value),
            32 => BitOperations.Crc32C(crc, (uint)value),
            _ => BitOperations.Crc32C(crc, value),
        };
        W32.Set(ref s, op.Reg, crc);
        Threading.Next(ref s, ref op, p);
    }

    /// <summary>ADCX carries through CF, ADOX through OF; nothing else changes.</summary>
    [MethodImpl(Threading.Handler)]
    internal static void AddCarry<TW>(ref CpuState s, ref Op op, Processor p) where TW : struct, IWidth
    {
        ulong b = Operand.Read<TW>(ref s, ref op, p);
        if (s.Attention != 0)
            return;
        bool throughCarry = op.Kind == OpKind.Adcx;
        bool carry = Flags.Carry(ref s) != 0, overflow = Flags.Overflow(ref s);
        ulong a = TW.Get(ref s, op.Reg), add = throughCarry ? carry ? 1UL : 0 : overflow ? 1UL : 0;
        ulong result = TW.Truncate(a + b + add);
        bool carryOut = Bit.Top<TW>((a & b) | ((a | b) & ~result));
        TW.Set(ref s, op.Reg, result);
        Flags.SetCarryOverflow(ref s, throughCarry ? carryOut : carry, throughCarry ? overflow : carryOut);
        Threading.Next(ref s, ref op, p);
    }
}

/// <summary>BMI1 and BMI2 (SDM 2A to 2D). The third register's offset is in <see cref="Op.Immediate"/>.</summary>
internal static class BmiHandlers
{
    [MethodImpl(Threading.Handler)]
    internal static void Andn<TW>(ref CpuState s, ref Op op, Processor p) where TW : struct, IWidth
    {
        ulong value = Operand.Read<TW>(ref s, ref op, p);
        if (s.Attention != 0)
            return;
        ulong result = ~TW.Get(ref s, (int)op.Immediate) & value;
        TW.Set(ref s, op.Reg, result);
        Flags.Logic<TW>(ref s, result);
        Threading.Next(ref s, ref op, p);
    }

    /// <summary>BLSI, BLSMSK, BLSR.</summary>
    [MethodImpl(Threading.Handler)]
    internal static void Lowest<TW>(ref CpuState s, ref Op op, Processor p) where TW : struct, IWidth
    {
        ulong value = Operand.Read<TW>(ref s, ref op, p);
        if (s.Attention != 0)
            return;
        ulong result = op.Kind switch
        {
            OpKind.Blsi => value & (ulong)-(long)value,
            OpKind.Blsmsk => TW.Truncate(value ^ (value - 1)),
            _ => value & (value - 1),
        };
        TW.Set(ref s, (int)op.Immediate, result);
        Flags.Explicit<TW>(ref s, result, op.Kind == OpKind.Blsi ? value != 0 : value == 0, false);
        Threading.Next(ref s, ref op, p);
    }

    [MethodImpl(Threading.Handler)]
    internal static void Bextr<TW>(ref CpuState s, ref Op op, Processor p) where TW : struct, IWidth
    {
        ulong value = Operand.Read<TW>(ref s, ref op, p);
        if (s.Attention != 0)
            return;
        ulong control = TW.Get(ref s, (int)op.Immediate);
        int start = (int)(control & 0xFF), length = (int)(control >> 8 & 0xFF);
        ulong result = start >= 64 ? 0 : value >> start;
        if (length < 64)
            result &= (1UL << length) - 1;
        TW.Set(ref s, op.Reg, result);
        Flags.Logic<TW>(ref s, result);
        Threading.Next(ref s, ref op, p);
    }

    [MethodImpl(Threading.Handler)]
    internal static void Bzhi<TW>(ref CpuState s, ref Op op, Processor p) where TW : struct, IWidth
    {
        ulong value = Operand.Read<TW>(ref s, ref op, p);
        if (s.Attention != 0)
            return;
        int index = (byte)TW.Get(ref s, (int)op.Immediate);
        bool beyond = index >= TW.Bits;
        ulong result = beyond ? value : value & ((1UL << index) - 1);
        TW.Set(ref s, op.Reg, result);
        Flags.Explicit<TW>(ref s, result, beyond, false);
        Threading.Next(ref s, ref op, p);
    }

    /// <summary>MULX: low to the third register, high to ModRM.reg, which wins when both are one.</summary>
    [MethodImpl(Threading.Handler)]
    internal static void Mulx<TW>(ref CpuState s, ref Op op, Processor p) where TW : struct, IWidth
    {
        ulong value = Operand.Read<TW>(ref s, ref op, p);
        if (s.Attention != 0)
            return;
        ulong a = TW.Get(ref s, Registers.Rdx);
        ulong low = a * value;
        ulong high = TW.Bits == 64 ? High(a, value) : low >> 32;
        TW.Set(ref s, (int)op.Immediate, TW.Truncate(low));
        TW.Set(ref s, op.Reg, high);
        Threading.Next(ref s, ref op, p);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static ulong High(ulong a, ulong b) => Math.BigMul(a, b, out _);

    /// <summary>PDEP and PEXT; the mask is ModRM.rm.</summary>
    [MethodImpl(Threading.Handler)]
    internal static void Deposit<TW>(ref CpuState s, ref Op op, Processor p) where TW : struct, IWidth
    {
        ulong mask = Operand.Read<TW>(ref s, ref op, p);
        if (s.Attention != 0)
            return;
        ulong source = TW.Get(ref s, (int)op.Immediate);
        TW.Set(ref s, op.Reg, op.Kind == OpKind.Pdep ? Scatter(source, mask) : Gather(source, mask));
        Threading.Next(ref s, ref op, p);
    }

    private static ulong Scatter(ulong source, ulong mask)
    {
        if (Bmi2.X64.IsSupported)
            return Bmi2.X64.ParallelBitDeposit(source, mask);
        ulong result = 0;
        for (; mask != 0; mask &= mask - 1, source >>= 1)
            result |= (source & 1) != 0 ? mask & (ulong)-(long)mask : 0;
        return result;
    }

    private static ulong Gather(ulong source, ulong mask)
    {
        if (Bmi2.X64.IsSupported)
            return Bmi2.X64.ParallelBitExtract(source, mask);
        ulong result = 0;
        for (int i = 0; mask != 0; mask &= mask - 1, i++)
            result |= (source & mask & (ulong)-(long)mask) != 0 ? 1UL << i : 0;
        return result;
    }

    /// <summary>RORX, SARX, SHLX, SHRX: no flags.</summary>
    [MethodImpl(Threading.Handler)]
    internal static void Shift<TW>(ref CpuState s, ref Op op, Processor p) where TW : struct, IWidth
    {
        ulong value = Operand.Read<TW>(ref s, ref op, p);
        if (s.Attention != 0)
            return;
        int count = (int)(op.Kind == OpKind.Rorx ? op.Immediate : TW.Get(ref s, (int)op.Immediate)) & (TW.Bits - 1);
        ulong result = op.Kind switch
        {
            OpKind.Rorx => count == 0 ? value : TW.Truncate(value >> count | value << (TW.Bits - count)),
            OpKind.Sarx => TW.Truncate((ulong)((long)TW.SignExtend(value) >> count)),
            OpKind.Shlx => TW.Truncate(value << count),
            _ => value >> count,
        };
        TW.Set(ref s, op.Reg, result);
        Threading.Next(ref s, ref op, p);
    }
}

/// <summary>Chooses among <see cref="BitHandlers"/> and <see cref="BmiHandlers"/>.</summary>
// SAFETY: only takes the addresses of static methods that have the handlers' signature.
internal static unsafe class BitBinder
{
    // SAFETY: function pointers to static methods of the handlers' signature, for Op.Handler, throughout.
    internal static nint Bind(in Op op, BindContext context)
    {
        if (op.Kind == OpKind.Crc32Byte)
        {
            delegate*<ref CpuState, ref Op, Processor, void> handler = &BitHandlers.Crc32<W8>;
            return (nint)handler;
        }

        return op.SizeLog2 switch { 1 => Width<W16>(op), 2 => Width<W32>(op), _ => Width<W64>(op) };
    }

    private static nint Width<TW>(in Op op) where TW : struct, IWidth
    {
        delegate*<ref CpuState, ref Op, Processor, void> handler = op.Kind switch
        {
            OpKind.Bt or OpKind.Bts or OpKind.Btr or OpKind.Btc when op.IsMemory && op.Shape == OpShape.RmReg => &BitHandlers.TestString<TW>,
            OpKind.Bt or OpKind.Bts or OpKind.Btr or OpKind.Btc => &BitHandlers.Test<TW>,
            OpKind.Bsf or OpKind.Bsr => &BitHandlers.Scan<TW>,
            OpKind.Tzcnt or OpKind.Lzcnt => &BitHandlers.Count<TW>,
            OpKind.Popcnt => &BitHandlers.Popcnt<TW>,
            OpKind.Crc32 => &BitHandlers.Crc32<TW>,
            OpKind.Adcx or OpKind.Adox => &BitHandlers.AddCarry<TW>,
            OpKind.Andn => &BmiHandlers.Andn<TW>,
            OpKind.Bextr => &BmiHandlers.Bextr<TW>,
            OpKind.Blsi or OpKind.Blsmsk or OpKind.Blsr => &BmiHandlers.Lowest<TW>,
            OpKind.Bzhi => &BmiHandlers.Bzhi<TW>,
            OpKind.Mulx => &BmiHandlers.Mulx<TW>,
            OpKind.Pdep or OpKind.Pext => &BmiHandlers.Deposit<TW>,
            _ => &BmiHandlers.Shift<TW>,
        };
        return (nint)handler;
    }
}
