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

    /// <summary>Reads up to 8 bytes at an offset from the operand. False: the fault is recorded.</summary>
    public static bool TryReadAt(ref CpuState s, ref Op op, Processor p, int offset, int size, out ulong value) =>
        p.TryRead(ref s, ref op, (SegmentNumber)op.Segment, System.OpAccess.Advance(ref op, p.EffectiveAddress(ref s, ref op), offset), size,
            out value);

    /// <summary>Writes up to 8 bytes at an offset from the operand. False: the fault is recorded.</summary>
    public static bool TryWriteAt(ref CpuState s, ref Op op, Processor p, int offset, int size, ulong value) =>
        p.TryWrite(ref s, ref op, (SegmentNumber)op.Segment, System.OpAccess.Advance(ref op, p.EffectiveAddress(ref s, ref op), offset), size, value);

    /// <summary>Reads m80fp that is the operand.</summary>
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

        value = default;
        return s.Attention == 0 && TryReadExtendedAt(ref s, ref op, p, 0, out value);
    }

    /// <summary>Writes m80fp that is the operand, all or nothing.</summary>
    public static bool TryWriteExtended(ref CpuState s, ref Op op, Processor p, Extended80 value)
    {
        ulong at = Linear(ref s, ref op, p, write: true);
        ref TlbEntry entry = ref TranslationCache.Entry(s.WriteTlb, at);
        if (entry.Tag != ExtendedTag(at))
            return s.Attention == 0 && TryWriteExtendedAt(ref s, ref op, p, 0, value);
        nint host = (nint)at + entry.Addend;
        W64.Store(host, value.Significand);
        W16.Store(host + 8, value.SignExponent);
        return true;
    }

    /// <summary>Reads m80fp at an offset from the operand.</summary>
    public static bool TryReadExtendedAt(ref CpuState s, ref Op op, Processor p, int offset, out Extended80 value)
    {
        value = default;
        if (!TryReadAt(ref s, ref op, p, offset, 8, out ulong significand) || !TryReadAt(ref s, ref op, p, offset + 8, 2, out ulong signExponent))
            return false;
        value = new Extended80(significand, (ushort)signExponent);
        return true;
    }

    /// <summary>Writes m80fp at an offset from the operand, all or nothing.</summary>
    public static bool TryWriteExtendedAt(ref CpuState s, ref Op op, Processor p, int offset, Extended80 value) =>
        TryProbe(ref s, ref op, p, offset + 10)
        && TryWriteAt(ref s, ref op, p, offset, 8, value.Significand) && TryWriteAt(ref s, ref op, p, offset + 8, 2, value.SignExponent);

    private static ulong Linear(ref CpuState s, ref Op op, Processor p, bool write) =>
        p.LinearOrPoison(ref s, ref op, (SegmentNumber)op.Segment, p.EffectiveAddress(ref s, ref op), ExtendedSize, write);

    private static ulong ExtendedTag(ulong at) => (at + (ExtendedSize - 1)) & ~0xFFFUL;

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
