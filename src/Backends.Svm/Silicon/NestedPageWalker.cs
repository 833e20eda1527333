using System.Runtime.CompilerServices;

namespace Hv.Backends.Svm.Silicon;

/// <summary>A translation that the nested tables allow.</summary>
/// <param name="Address">The system-physical page.</param>
/// <param name="Writable">Whether a later write to the page needs no further walk: the mapping allows writes and its dirty bit is set.</param>
public readonly record struct NestedTranslation(Hpa Address, bool Writable);

/// <summary>
/// The nested half of a two-level walk: guest-physical to system-physical through the four levels at nCR3, in the host's long-mode format (APM 2
/// 15.25.5). Entries are read from host memory each time, accessed and dirty bits are set there.
/// </summary>
public static class NestedPageWalker
{
    private const ulong PresentBit = 1, WriteBit = 2, UserBit = 4, AccessedBit = 1 << 5, DirtyBit = 1 << 6, PageSizeBit = 1 << 7;
    private const ulong NoExecuteBit = 1ul << 63;
    private const ulong FrameMask = 0x000F_FFFF_FFFF_F000;
    private const int Levels = 4;

    /// <summary>The most bits that a guest-physical address may have: four levels of nine, and the offset.</summary>
    public const int GuestAddressBits = 48;

    /// <summary>Walks the tables.</summary>
    /// <param name="memory">Where they lie.</param>
    /// <param name="nestedCr3">nCR3.</param>
    /// <param name="physicalAddressBits">The processor's; bits above are reserved in entries.</param>
    /// <param name="guestPhysical">The address.</param>
    /// <param name="isWrite">For a write.</param>
    /// <param name="isFetch">For an instruction fetch.</param>
    /// <param name="translation">The page, when allowed.</param>
    /// <returns><see cref="NestedFault.None"/>, or the low bits of EXITINFO1; the caller adds which walk it was.</returns>
    public static NestedFault Walk(
        HostMemory memory, ulong nestedCr3, int physicalAddressBits, ulong guestPhysical, bool isWrite, bool isFetch,
        out NestedTranslation translation)
    {
        translation = default;
        NestedFault fault = NestedFault.User | (isWrite ? NestedFault.Write : 0) | (isFetch ? NestedFault.Fetch : 0);
        if (guestPhysical >> GuestAddressBits != 0)
            return fault;

        ulong table = nestedCr3 & FrameMask;
        ulong rights = WriteBit | UserBit;
        ulong noExecute = 0;
        for (int level = Levels; ; level--)
        {
            int shift = 12 + 9 * (level - 1);
            var at = new Hpa(table + (guestPhysical >> shift & 0x1FF) * 8);
            ulong entry = memory.Read64(at);
            if ((entry & PresentBit) == 0)
                return fault;
            bool isLeaf = level == 1 || (entry & PageSizeBit) != 0;
            if ((entry & Reserved(level, isLeaf, shift, physicalAddressBits)) != 0)
                return fault | NestedFault.Present | NestedFault.Reserved;
            rights &= entry;
            noExecute |= entry & NoExecuteBit;
            if (isLeaf)
                return Leaf(memory, at, entry, shift, guestPhysical, rights, noExecute != 0, fault, out translation);
            if ((entry & AccessedBit) == 0)
                memory.Write64(at, entry | AccessedBit);
            table = entry & FrameMask;
        }
    }

    private static NestedFault Leaf(
        HostMemory memory, Hpa at, ulong entry, int shift, ulong guestPhysical, ulong rights, bool noExecute, NestedFault fault,
        out NestedTranslation translation)
    {
        translation = default;
        bool writable = (rights & WriteBit) != 0;
        // The guest is a user at this level, so a supervisor page is out of its reach (APM 2 15.25.5).
        if ((rights & UserBit) == 0 || ((fault & NestedFault.Write) != 0 && !writable) || ((fault & NestedFault.Fetch) != 0 && noExecute))
            return fault | NestedFault.Present;
        ulong used = entry | AccessedBit | ((fault & NestedFault.Write) != 0 ? DirtyBit : 0);
        if (used != entry)
            memory.Write64(at, used);
        ulong offsetMask = (1ul << shift) - 1;
        ulong page = (entry & FrameMask & ~offsetMask) | (guestPhysical & offsetMask & ~0xFFFul);
        translation = new NestedTranslation(new Hpa(page), writable && (used & DirtyBit) != 0);
        return NestedFault.None;
    }

    // APM 2 5.3.3 and 5.3.4: frames beyond the physical address bits, the page-size bit at level 4, and a large page's low frame bits other than
    // PAT (bit 12).
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static ulong Reserved(int level, bool isLeaf, int shift, int physicalAddressBits)
    {
        ulong reserved = FrameMask & ~((1ul << physicalAddressBits) - 1);
        if (level == Levels)
            reserved |= PageSizeBit;
        else if (isLeaf && level > 1)
            reserved |= ((1ul << shift) - 1) & ~0x1FFFul;
        return reserved;
    }
}
