using Hv.Core.Registers;

namespace Hv.Cpu.System;

/// <summary>System descriptor types (SDM 3A table 3-2), S bit clear.</summary>
internal static class SystemType
{
    public const uint Tss16Available = 1, Ldt = 2, Tss16Busy = 3, CallGate16 = 4, TaskGate = 5, InterruptGate16 = 6, TrapGate16 = 7,
        Tss32Available = 9, Tss32Busy = 11,
        CallGate32 = 12, InterruptGate32 = 14, TrapGate32 = 15;

    /// <summary>The bit that tells a busy TSS from an available one.</summary>
    public const uint BusyBit = 2;

    /// <summary>The bit that tells 32-bit (or 64-bit) TSSs and gates from 16-bit ones.</summary>
    public const uint WideBit = 8;
}

/// <summary>A descriptor as read from a table, once; <paramref name="high"/> is the second half of a 16-byte one (SDM 3A 3.4.5, 3.5,
/// 8.2.3).</summary>
internal readonly struct Descriptor(ulong low, ulong high = 0)
{
    public readonly ulong Low = low, High = high;

    public uint Type => (uint)(Low >> 40) & 0xF;
    public bool IsSystem => (Low >> 44 & 1) == 0;
    public int Dpl => (int)(Low >> 45) & 3;
    public bool Present => (Low >> 47 & 1) != 0;
    public bool Long => (Low >> 53 & 1) != 0;
    public bool Default => (Low >> 54 & 1) != 0;

    public bool IsCode => !IsSystem && (Type & 8) != 0;
    public bool IsConforming => (Type & 4) != 0;
    public bool IsWritableData => !IsSystem && (Type & 0xA) == 2;

    /// <summary>Data, or code that can be read.</summary>
    public bool IsReadable => !IsSystem && (Type & 0xA) != 8;
    public bool IsAvailableTss => IsSystem && (Type & 7) == 1;
    public bool IsBusyTss => IsSystem && (Type & 7) == 3;

    /// <summary>Bytes 5 and 6 as <see cref="SegmentRegister.Attributes"/> holds them.</summary>
    public uint Attributes => (uint)(Low >> 40) & 0xF0FF;
    public uint Base32 => (uint)(Low >> 16) & 0xFFFFFF | (uint)(Low >> 32) & 0xFF000000;

    /// <summary>The base of a 16-byte system descriptor.</summary>
    public ulong Base64 => Base32 | High << 32;

    public uint Limit
    {
        get
        {
            uint raw = (uint)Low & 0xFFFF | (uint)(Low >> 32) & 0xF0000;
            return (Low >> 55 & 1) == 0 ? raw : raw << 12 | 0xFFF;
        }
    }

    // Gates (SDM 3A 5.8.3, 6.11).
    public ushort GateSelector => (ushort)(Low >> 16);
    public uint GateOffset16 => (uint)Low & 0xFFFF;
    public uint GateOffset32 => GateOffset16 | (uint)(Low >> 32) & 0xFFFF0000;
    public ulong GateOffset64 => GateOffset32 | High << 32;
    public int GateParameters => (int)(Low >> 32) & 0x1F;
    public int GateIst => (int)(Low >> 32) & 7;

    /// <summary>The register that this code, data or system descriptor loads.</summary>
    public SegmentRegister ToRegister(ushort selector) =>
        new() { Selector = selector, Base = Base32, Limit = Limit, Attributes = Attributes };
}
