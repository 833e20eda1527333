using System.Diagnostics;
using Hv.Core.Registers;
using Hv.Cpu.State;

namespace Hv.Cpu.System;

/// <summary>Facts about loaded segment registers: which one, what lies within its limit, and the values that real, virtual-8086 and null loads
/// leave.</summary>
internal static class Segments
{
    private const uint ExpandDownBit = 4;

    /// <summary>The segment register with encoding <paramref name="number"/>.</summary>
    public static ref SegmentRegister Register(ref CpuState s, SegmentNumber number)
    {
        switch (number)
        {
            case SegmentNumber.Es: return ref s.Sys.Es;
            case SegmentNumber.Cs: return ref s.Sys.Cs;
            case SegmentNumber.Ss: return ref s.Sys.Ss;
            case SegmentNumber.Ds: return ref s.Sys.Ds;
            case SegmentNumber.Fs: return ref s.Sys.Fs;
            default:
                Debug.Assert(number == SegmentNumber.Gs, "decoder let a reserved segment number through");
                return ref s.Sys.Gs;
        }
    }

    public static ulong StackMask(in SegmentRegister ss) => ss.Default ? 0xFFFF_FFFF : 0xFFFF;

    /// <summary>Whether all of <paramref name="size"/> bytes at <paramref name="offset"/> are inside the segment's limit (SDM 3A 5.3; expand-down:
    /// above it, up to the B bit's bound).</summary>
    public static bool Contains(in SegmentRegister segment, ulong offset, uint size)
    {
        ulong last = offset + size - 1;
        if ((segment.Attributes & (SegmentRegister.CodeBit | ExpandDownBit)) != ExpandDownBit
            || (segment.Attributes & SegmentRegister.SystemBit) == 0)
            return last <= segment.Limit && last >= offset;
        ulong top = segment.Default ? 0xFFFF_FFFF : 0xFFFF;
        return offset > segment.Limit && last <= top && last >= offset;
    }

    /// <summary>A real-mode load: only selector and base change; limit and attributes keep what protected mode left (SDM 3A 10.9.2, "unreal"
    /// mode).</summary>
    public static void LoadReal(ref SegmentRegister segment, ushort selector)
    {
        if (!segment.Usable)
            segment = new SegmentRegister { Limit = 0xFFFF, Attributes = 0x93 };
        segment.Selector = selector;
        segment.Base = (ulong)selector << 4;
    }

    /// <summary>A virtual-8086 load: 64 KiB of writable data at DPL 3 (SDM 3B 21.2.1; the state that VM entry checks demand of virtual-8086
    /// guests).</summary>
    public static void LoadVm86(ref SegmentRegister segment, ushort selector) =>
        segment = new SegmentRegister { Selector = selector, Base = (ulong)selector << 4, Limit = 0xFFFF, Attributes = 0xF3 };

    /// <summary>A null selector: nothing can be accessed through it outside 64-bit mode. The base is cleared, as SDM processors do (APM ones keep
    /// it).</summary>
    public static void LoadNull(ref SegmentRegister segment, ushort selector) =>
        segment = new SegmentRegister { Selector = selector, Attributes = SegmentRegister.UnusableBit };

    /// <summary>The null SS that IA-32e mode's stack switches load: usable as a flat stack at DPL = <paramref name="cpl"/> (SDM 3A 6.14.4).</summary>
    public static SegmentRegister NullStack(int cpl) =>
        new() { Selector = (ushort)cpl, Attributes = SegmentRegister.UnusableBit | (uint)cpl << 5 };
}
