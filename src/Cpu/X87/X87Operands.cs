using System.Numerics;
using System.Runtime.CompilerServices;
using Hv.Cpu.Decode;
using Hv.Cpu.Execute;
using Hv.Cpu.Floating;
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

    /// <summary>Reads m80fp: as on silicon two reads, each with its checks.</summary>
    public static bool TryReadExtended(ref CpuState s, ref Op op, Processor p, out Extended80 value)
    {
        ulong offset = p.EffectiveAddress(ref s, ref op);
        ulong significand = Operand.ReadAt<W64>(ref s, ref op, p, Part(ref s, ref op, p, offset, 8, false));
        value = default;
        if (s.Attention != 0)
            return false;
        value = new Extended80(significand, (ushort)Operand.ReadAt<W16>(ref s, ref op, p, Part(ref s, ref op, p, offset + 8, 2, false)));
        return s.Attention == 0;
    }

    /// <summary>Writes m80fp: two stores, and when the second faults the first has happened.</summary>
    public static bool TryWriteExtended(ref CpuState s, ref Op op, Processor p, Extended80 value)
    {
        ulong offset = p.EffectiveAddress(ref s, ref op);
        return Operand.WriteAt<W64>(ref s, ref op, p, Part(ref s, ref op, p, offset, 8, true), value.Significand)
            && Operand.WriteAt<W16>(ref s, ref op, p, Part(ref s, ref op, p, offset + 8, 2, true), value.SignExponent);
    }

    private static ulong Part(ref CpuState s, ref Op op, Processor p, ulong offset, int size, bool write) =>
        p.LinearOrPoison(ref s, ref op, (SegmentNumber)op.Segment, offset, size, write);
}
