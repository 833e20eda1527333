using System.Runtime.CompilerServices;
using Hv.Cpu.Decode;
using Hv.Cpu.Memory;
using Hv.Cpu.State;

namespace Hv.Cpu.Execute;

/// <summary>Operands that are a register or memory by the operation's form: what the less frequent handlers use. After a read or write the
/// caller returns at once when <see cref="CpuState.Attention"/> is set.</summary>
internal static class Operand
{
    /// <summary>Reads the rm operand.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static ulong Read<TW>(ref CpuState s, ref Op op, Processor p) where TW : struct, IWidth =>
        op.IsMemory ? ReadMemory<TW>(ref s, ref op, p) : TW.Get(ref s, op.Rm);

    /// <summary>Reads the rm operand, which <see cref="Write"/> will write.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static ulong ReadForWrite<TW>(ref CpuState s, ref Op op, Processor p) where TW : struct, IWidth =>
        op.IsMemory ? ReadMemoryForWrite<TW>(ref s, ref op, p) : TW.Get(ref s, op.Rm);

    /// <summary>Writes the rm operand. False: return at once.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static bool Write<TW>(ref CpuState s, ref Op op, Processor p, ulong value) where TW : struct, IWidth
    {
        if (op.IsMemory)
            return WriteMemory<TW>(ref s, ref op, p, value);
        TW.Set(ref s, op.Rm, value);
        return true;
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    internal static ulong ReadMemory<TW>(ref CpuState s, ref Op op, Processor p)
        where TW : struct, IWidth => ReadAt<TW>(ref s, ref op, p, Address(ref s, ref op, p, TW.Bits / 8, false));

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static ulong ReadMemoryForWrite<TW>(ref CpuState s, ref Op op, Processor p) where TW : struct, IWidth
    {
        ulong at = Address(ref s, ref op, p, TW.Bits / 8, true);
        ref TlbEntry entry = ref TranslationCache.Entry(s.WriteTlb, at);
        return entry.Tag == TranslationCache.Tag<TW>(at) ? TW.Load((nint)at + entry.Addend) : p.LoadForWriteSlow(ref s, ref op, at, TW.Bits / 8);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    internal static bool WriteMemory<TW>(ref CpuState s, ref Op op, Processor p, ulong value) where TW : struct, IWidth =>
        WriteAt<TW>(ref s, ref op, p, Address(ref s, ref op, p, TW.Bits / 8, true), value);

    /// <summary>Reads at a linear address.</summary>
    internal static ulong ReadAt<TW>(ref CpuState s, ref Op op, Processor p, ulong at) where TW : struct, IWidth
    {
        ref TlbEntry entry = ref TranslationCache.Entry(s.ReadTlb, at);
        return entry.Tag == TranslationCache.Tag<TW>(at) ? TW.Load((nint)at + entry.Addend) : p.LoadSlow(ref s, ref op, at, TW.Bits / 8);
    }

    /// <summary>Writes at a linear address.</summary>
    internal static bool WriteAt<TW>(ref CpuState s, ref Op op, Processor p, ulong at, ulong value) where TW : struct, IWidth
    {
        ref TlbEntry entry = ref TranslationCache.Entry(s.WriteTlb, at);
        if (entry.Tag != TranslationCache.Tag<TW>(at))
            return p.StoreSlow(ref s, ref op, at, TW.Bits / 8, value);
        TW.Store((nint)at + entry.Addend, value);
        return true;
    }

    private static ulong Address(ref CpuState s, ref Op op, Processor p, int size, bool write) =>
        p.LinearOrPoison(ref s, ref op, (SegmentNumber)op.Segment, p.EffectiveAddress(ref s, ref op), size, write);

    /// <summary>Reads a register by a size known at run time.</summary>
    internal static ulong Get(ref CpuState s, int offset, int sizeLog2) => sizeLog2 switch
    {
        0 => W8.Get(ref s, offset),
        1 => W16.Get(ref s, offset),
        2 => W32.Get(ref s, offset),
        _ => W64.Get(ref s, offset),
    };

    /// <summary>Writes a register by a size known at run time.</summary>
    internal static void Set(ref CpuState s, int offset, int sizeLog2, ulong value)
    {
        switch (sizeLog2)
        {
            case 0: W8.Set(ref s, offset, value); break;
            case 1: W16.Set(ref s, offset, value); break;
            case 2: W32.Set(ref s, offset, value); break;
            default: W64.Set(ref s, offset, value); break;
        }
    }
}
