using System.Numerics;
using System.Runtime.CompilerServices;
using Hv.Cpu.Decode;
using Hv.Cpu.Execute;
using Hv.Cpu.Floating;
using Hv.Cpu.Memory;
using Hv.Cpu.State;

namespace Hv.Cpu.X87;

/// <summary>A memory operand's format, as a type.</summary>
internal interface IX87Memory
{
    /// <summary>Bytes.</summary>
    static abstract int Size { get; }

    /// <summary>The operand's value; conversions of m32fp and m64fp raise what they raise when the value is used.</summary>
    static abstract FloatParts Unpack(ulong bits);
}

internal readonly struct Memory32Real : IX87Memory
{
    public static int Size => 4;

    public static FloatParts Unpack(ulong bits) => FloatParts.Unpack<Single32>(bits);
}

internal readonly struct Memory64Real : IX87Memory
{
    public static int Size => 8;

    public static FloatParts Unpack(ulong bits) => FloatParts.Unpack<Double64>(bits);
}

internal readonly struct Memory16Integer : IX87Memory
{
    public static int Size => 2;

    public static FloatParts Unpack(ulong bits) => X87Memory.Integer((short)bits);
}

internal readonly struct Memory32Integer : IX87Memory
{
    public static int Size => 4;

    public static FloatParts Unpack(ulong bits) => X87Memory.Integer((int)bits);
}

internal readonly struct Memory64Integer : IX87Memory
{
    public static int Size => 8;

    public static FloatParts Unpack(ulong bits) => X87Memory.Integer((long)bits);
}

/// <summary>Access to x87 memory operands.</summary>
internal static class X87Memory
{
    private const int ExtendedSize = 10;

    /// <summary>An integer as parts: exact in the 80-bit format.</summary>
    public static FloatParts Integer(long value)
    {
        if (value == 0)
            return FloatParts.Zero(false);
        ulong magnitude = (ulong)(value < 0 ? -value : value);
        int zeros = BitOperations.LeadingZeroCount(magnitude);
        return new FloatParts { Class = FloatClass.Finite, Sign = value < 0, Exponent = 63 - zeros, Significand = magnitude << zeros };
    }

    /// <summary>Reads an operand of a size that is known where this is compiled. False: the fault is recorded.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool TryRead(ref CpuState s, ref Op op, Processor p, int size, out ulong value)
    {
        value = size switch
        {
            2 => Operand.ReadMemory<W16>(ref s, ref op, p),
            4 => Operand.ReadMemory<W32>(ref s, ref op, p),
            _ => Operand.ReadMemory<W64>(ref s, ref op, p),
        };
        return s.Attention == 0;
    }

    /// <summary>Writes an operand of a size that is known where this is compiled. False: the fault is recorded.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool TryWrite(ref CpuState s, ref Op op, Processor p, int size, ulong value) => size switch
    {
        2 => Operand.WriteMemory<W16>(ref s, ref op, p, value),
        4 => Operand.WriteMemory<W32>(ref s, ref op, p, value),
        _ => Operand.WriteMemory<W64>(ref s, ref op, p, value),
    };

    /// <summary>Reads m80fp.</summary>
    public static bool TryReadExtended(ref CpuState s, ref Op op, Processor p, out Extended80 value)
    {
        ulong at = Linear(ref s, ref op, p, write: false);
        ref TlbEntry entry = ref TranslationCache.Entry(s.ReadTlb, at);
        if (entry.Tag == ExtendedTag(at))
        {
            nint host = (nint)at + entry.Addend;
            value = new Extended80(W64.Load(host), (ushort)W16.Load(host + 8));
            return true;
        }

        value = new Extended80(p.LoadSlow(ref s, ref op, at, 8), (ushort)p.LoadSlow(ref s, ref op, Second(ref s, at), 2));
        return s.Attention == 0;
    }

    /// <summary>Writes m80fp. As on silicon, the significand is written even when the page of the sign and exponent faults.</summary>
    public static bool TryWriteExtended(ref CpuState s, ref Op op, Processor p, Extended80 value)
    {
        ulong at = Linear(ref s, ref op, p, write: true);
        ref TlbEntry entry = ref TranslationCache.Entry(s.WriteTlb, at);
        if (entry.Tag != ExtendedTag(at))
        {
            return p.StoreSlow(ref s, ref op, at, 8, value.Significand)
                && p.StoreSlow(ref s, ref op, Second(ref s, at), 2, value.SignExponent);
        }

        nint host = (nint)at + entry.Addend;
        W64.Store(host, value.Significand);
        W16.Store(host + 8, value.SignExponent);
        return true;
    }

    private static ulong Linear(ref CpuState s, ref Op op, Processor p, bool write) =>
        p.LinearOrPoison(ref s, ref op, (SegmentNumber)op.Segment, p.EffectiveAddress(ref s, ref op), ExtendedSize, write);

    /// <summary>Where the sign and exponent are.</summary>
    private static ulong Second(ref CpuState s, ulong at) => System.Modes.Is64(ref s) ? at + 8 : (uint)(at + 8);

    private static ulong ExtendedTag(ulong at) => (at + (ExtendedSize - 1)) & ~0xFFFUL;
}
