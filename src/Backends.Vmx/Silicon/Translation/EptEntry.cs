namespace Hv.Backends.Vmx.Silicon.Translation;

/// <summary>An EPT paging-structure entry of any level (SDM 3C tables 29-1 to 29-7).</summary>
/// <param name="Value">The 64 bits.</param>
public readonly record struct EptEntry(ulong Value)
{
    public const ulong Read = 1, Write = 2, Execute = 4, AllAccess = 7, LargePage = 1 << 7, AddressMask = 0x000F_FFFF_FFFF_F000;

    /// <summary>Position and values of a leaf's memory type.</summary>
    public const int MemoryTypeShift = 3;

    public const ulong WriteBack = 6UL << MemoryTypeShift;

    /// <summary>Whether the entry is used for translation: any of R, W, X.</summary>
    public bool IsPresent => (Value & AllAccess) != 0;

    /// <summary>R, W and X.</summary>
    public ulong Permissions => Value & AllAccess;

    /// <summary>The next table or the page.</summary>
    public ulong Address => Value & AddressMask;

    /// <summary>Whether an entry of this level maps a page: always at level 1, by bit 7 at levels 2 and 3.</summary>
    public bool IsLeaf(int level) => level == 1 || (level <= 3 && (Value & LargePage) != 0);
}
