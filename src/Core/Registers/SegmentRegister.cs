namespace Hv.Core.Registers;

/// <summary>
/// A segment register with its hidden part. <see cref="Attributes"/> is laid out like bytes 5 and 6 of a descriptor
/// (SDM 3A 3.4.5): type 3:0, S 4, DPL 6:5, P 7, AVL 12, L 13, D/B 14, G 15; bit 16 says that the register is unusable.
/// </summary>
public struct SegmentRegister
{
    public ulong Base;

    /// <summary>The last valid offset in bytes, granularity already applied.</summary>
    public uint Limit;
    public uint Attributes;
    public ushort Selector;

    public const uint AccessedBit = 1, CodeBit = 8, SystemBit = 1 << 4, PresentBit = 1 << 7, LongBit = 1 << 13,
        DefaultBit = 1 << 14, GranularityBit = 1 << 15, UnusableBit = 1 << 16;

    public readonly uint Type => Attributes & 0xF;
    public readonly int Dpl => (int)(Attributes >> 5) & 3;
    public readonly bool Present => (Attributes & PresentBit) != 0;
    public readonly bool Long => (Attributes & LongBit) != 0;
    public readonly bool Default => (Attributes & DefaultBit) != 0;
    public readonly bool Usable => (Attributes & UnusableBit) == 0;
}

/// <summary>GDTR or IDTR.</summary>
public struct TableRegister
{
    public ulong Base;

    /// <summary>The last valid byte offset, 0..65535.</summary>
    public ushort Limit;
}
