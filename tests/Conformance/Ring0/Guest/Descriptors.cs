namespace Hv.Conformance.Ring0.Guest;

/// <summary>Descriptors and gates as bytes (SDM 3A figures 3-8, 6-2 and 6-8).</summary>
public static class Descriptors
{
    /// <summary>Byte 6's upper half: granularity, default size, 64-bit code.</summary>
    public const uint G = 8, D = 4, L = 2;

    /// <summary>A segment descriptor. <paramref name="access"/> is byte 5 (P, DPL, S, type).</summary>
    public static ulong Segment(uint @base, uint limit, uint access, uint flags = 0) =>
        (limit & 0xFFFF) | (ulong)(@base & 0xFF_FFFF) << 16 | (ulong)access << 40 | (ulong)(limit >> 16 & 0xF) << 48 | (ulong)flags << 52
        | (ulong)(@base >> 24) << 56;

    /// <summary>A gate's low 8 bytes. <paramref name="parameters"/> is byte 4: a parameter count, or an IST index.</summary>
    public static ulong Gate(ushort selector, ulong offset, uint access, uint parameters = 0) =>
        (offset & 0xFFFF) | (ulong)selector << 16 | (ulong)parameters << 32 | (ulong)access << 40 | (offset >> 16 & 0xFFFF) << 48;

    /// <summary>Byte 5 of a present descriptor.</summary>
    public static uint Access(uint type, int dpl, bool isSegment, bool present = true) =>
        type | (isSegment ? 0x10u : 0) | (uint)dpl << 5 | (present ? 0x80u : 0);
}

/// <summary>Types of system descriptors (SDM 3A table 3-2).</summary>
public static class SystemTypes
{
    public const uint Tss16 = 1, Ldt = 2, BusyTss16 = 3, CallGate16 = 4, TaskGate = 5, InterruptGate16 = 6, TrapGate16 = 7, Tss = 9, BusyTss = 11,
        CallGate = 12, InterruptGate = 14, TrapGate = 15;
}
