using Hv.Cpu.Decode;
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
        FloatEnvironment exact = default;
        return FloatParts.Unpack(FloatConversion.FromInteger(value).ToExtended(ref exact));
    }

    /// <summary>Reads up to 8 bytes at an offset from the operand. False: the fault is recorded.</summary>
    public static bool TryRead(ref CpuState s, ref Op op, Processor p, int offset, int size, out ulong value) =>
        p.TryRead(ref s, ref op, (SegmentNumber)op.Segment, System.OpAccess.Advance(ref op, p.EffectiveAddress(ref s, ref op), offset), size,
            out value);

    /// <summary>Writes up to 8 bytes at an offset from the operand. False: the fault is recorded.</summary>
    public static bool TryWrite(ref CpuState s, ref Op op, Processor p, int offset, int size, ulong value) =>
        p.TryWrite(ref s, ref op, (SegmentNumber)op.Segment, System.OpAccess.Advance(ref op, p.EffectiveAddress(ref s, ref op), offset), size, value);

    /// <summary>Reads m80fp.</summary>
    public static bool TryReadExtended(ref CpuState s, ref Op op, Processor p, int offset, out Extended80 value)
    {
        value = default;
        if (!TryRead(ref s, ref op, p, offset, 8, out ulong significand) || !TryRead(ref s, ref op, p, offset + 8, 2, out ulong signExponent))
            return false;
        value = new Extended80(significand, (ushort)signExponent);
        return true;
    }

    /// <summary>Writes m80fp, all or nothing.</summary>
    public static bool TryWriteExtended(ref CpuState s, ref Op op, Processor p, int offset, Extended80 value) =>
        TryProbe(ref s, ref op, p, offset + 10)
        && TryWrite(ref s, ref op, p, offset, 8, value.Significand) && TryWrite(ref s, ref op, p, offset + 8, 2, value.SignExponent);

    /// <summary>Makes sure that all bytes of the operand can be written.</summary>
    public static bool TryProbe(ref CpuState s, ref Op op, Processor p, int size)
    {
        if (!p.TryLinear(ref s, ref op, (SegmentNumber)op.Segment, p.EffectiveAddress(ref s, ref op), size, true, out ulong linear))
            return false;
        if (p.TryProbeWrite(ref s, linear, size, s.Sys.Cpl))
            return true;
        p.Abort(ref s, ref op);
        return false;
    }
}
