namespace Hv.Backends.Vmx.Silicon.Fields;

/// <summary>Bits 14:13 of an encoding (SDM 3C table 25-21).</summary>
public enum VmcsFieldWidth : byte
{
    Bits16,
    Bits64,
    Bits32,
    Natural,
}

/// <summary>Bits 11:10 of an encoding (SDM 3C table 25-21).</summary>
public enum VmcsFieldType : byte
{
    Control,
    ReadOnlyData,
    GuestState,
    HostState,
}

/// <summary>
/// A VMCS component's encoding, taken apart (SDM 3C 25.11.2, table 25-21). Any 32-bit value is legal here; whether a field with that encoding
/// exists is the table's answer.
/// </summary>
/// <param name="Value">The 32-bit encoding as VMREAD and VMWRITE take it.</param>
public readonly record struct VmcsEncoding(uint Value)
{
    /// <summary>Places in a VMCS's store: 4 widths, 4 types, 64 indexes.</summary>
    public const int SlotCount = 1024;

    private const uint ReservedBits = 0xFFFF_9000;
    private const uint LargestIndex = 63;

    /// <summary>Bit 0: the access is to bits 63:32 of a 64-bit field.</summary>
    public bool IsHigh => (Value & 1) != 0;

    /// <summary>Bits 9:1.</summary>
    public uint Index => (Value >> 1) & 0x1FF;

    /// <summary>Bits 11:10.</summary>
    public VmcsFieldType Type => (VmcsFieldType)((Value >> 10) & 3);

    /// <summary>Bits 14:13.</summary>
    public VmcsFieldWidth Width => (VmcsFieldWidth)((Value >> 13) & 3);

    /// <summary>Bytes that the field holds: 2, 4 or 8. Natural width is 8 on a processor with Intel 64.</summary>
    public int Bytes => Width switch { VmcsFieldWidth.Bits16 => 2, VmcsFieldWidth.Bits32 => 4, _ => 8 };

    /// <summary>Whether the reserved bits are clear, the index has a place, and a high access is to a 64-bit field.</summary>
    public bool IsWellFormed => (Value & ReservedBits) == 0 && Index <= LargestIndex && (!IsHigh || Width == VmcsFieldWidth.Bits64);

    /// <summary>The field's place in a VMCS's store, 0..1023. For well-formed encodings only. Constant for a constant encoding.</summary>
    public int Slot => (int)(((Value >> 13) & 3) << 8 | ((Value >> 10) & 3) << 6 | ((Value >> 1) & 63));
}
