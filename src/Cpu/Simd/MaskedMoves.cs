using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using Hv.Cpu.Decode;
using Hv.Cpu.Execute;
using Hv.Cpu.State;
using Hv.Cpu.System;

namespace Hv.Cpu.Simd;

/// <summary>VMASKMOVPS/PD, VPMASKMOVD/Q, MASKMOVQ, MASKMOVDQU: elements move whose mask element's sign is set, and only they are accessed (SDM 2C
/// VMASKMOV, 2B MASKMOVDQU).</summary>
internal static class MaskedMoves
{
    /// <summary>Loads; what is not selected becomes 0.</summary>
    [MethodImpl(Threading.Handler)]
    internal static void Load<TW>(ref CpuState s, ref Op op, Processor p) where TW : struct, IWidth
    {
        if (!ExecuteLoad<TW>(ref s, ref op, p))
            return;
        VectorThreading.Next(ref s, ref op, p);
    }

    /// <summary>Stores, all or nothing.</summary>
    [MethodImpl(Threading.Handler)]
    internal static void Store<TW>(ref CpuState s, ref Op op, Processor p) where TW : struct, IWidth
    {
        bool wide = (op.Form & OpForm.Ymm) != 0;
        if (!Write<TW>(ref s, ref op, p, VectorRegister.Ymm(ref s, op.Reg), VectorRegister.Ymm(ref s, VectorRegister.Third(ref op)), wide ? 32 : 16))
            return;
        VectorThreading.Next(ref s, ref op, p);
    }

    /// <summary>MASKMOVDQU; the binder has made DS:RDI its memory operand. Both quadwords must be writable whatever the mask, the upper one
    /// first.</summary>
    [MethodImpl(Threading.Handler)]
    internal static void StoreBytes(ref CpuState s, ref Op op, Processor p)
    {
        ulong offset = p.EffectiveAddress(ref s, ref op);
        if (!p.TryProbeQuadword(ref s, ref op, OpAccess.Advance(ref op, offset, 8)) || !p.TryProbeQuadword(ref s, ref op, offset)
            || !Write<W8>(ref s, ref op, p, VectorRegister.Ymm(ref s, op.Reg), VectorRegister.Ymm(ref s, op.Rm), 16))
            return;
        VectorThreading.Next(ref s, ref op, p);
    }

    /// <summary>MASKMOVQ, which becomes an MMX instruction to the x87 state before it accesses memory.</summary>
    [MethodImpl(Threading.Handler)]
    internal static void StoreBytesMmx(ref CpuState s, ref Op op, Processor p)
    {
        if (!MmxRegister.TryBegin(ref s, ref op, p))
            return;
        MmxRegister.Finish(ref s);
        if (!p.TryProbeQuadword(ref s, ref op, p.EffectiveAddress(ref s, ref op))
            || !Write<W8>(ref s, ref op, p, Mmx.Get(ref s, op.Reg).ToVector256(), Mmx.Get(ref s, op.Rm).ToVector256(), 8))
            return;
        VectorThreading.Next(ref s, ref op, p);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static bool ExecuteLoad<TW>(ref CpuState s, ref Op op, Processor p) where TW : struct, IWidth
    {
        uint selected = Signs<TW>(VectorRegister.Ymm(ref s, VectorRegister.Third(ref op)), (op.Form & OpForm.Ymm) != 0 ? 32 : 16);
        ulong offset = p.EffectiveAddress(ref s, ref op);
        Vector256<byte> result = default;
        Span<byte> bytes = MemoryMarshal.AsBytes(MemoryMarshal.CreateSpan(ref result, 1));
        for (; selected != 0; selected &= selected - 1)
        {
            int at = (int)uint.TrailingZeroCount(selected) * (TW.Bits / 8);
            ulong value = p.LoadElement(ref s, ref op, offset + (ulong)at, TW.Bits / 8);
            if (s.Attention != 0)
                return false;
            if (TW.Bits == 32)
                MemoryMarshal.Write(bytes[at..], (uint)value);
            else
                MemoryMarshal.Write(bytes[at..], value);
        }

        VectorRegister.Ymm(ref s, op.Reg) = result;
        return true;
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static bool Write<TW>(ref CpuState s, ref Op op, Processor p, Vector256<byte> value, Vector256<byte> mask, int size)
        where TW : struct, IWidth
    {
        s.Staging = value;
        return p.StoreSelected(ref s, ref op, p.EffectiveAddress(ref s, ref op), TW.Bits / 8, Signs<TW>(mask, size));
    }

    /// <summary>A bit for each of the elements in the first <paramref name="size"/> bytes.</summary>
    private static uint Signs<TW>(Vector256<byte> mask, int size) where TW : struct, IWidth
    {
        uint signs = TW.Bits switch
        {
            8 => mask.ExtractMostSignificantBits(),
            32 => mask.AsUInt32().ExtractMostSignificantBits(),
            _ => mask.AsUInt64().ExtractMostSignificantBits(),
        };
        return signs & (uint)((1UL << (size * 8 / TW.Bits)) - 1);
    }
}
