using Hv.Backends.Svm.Silicon;
using Hv.Core.Memory;

namespace Hv.Backends.Svm.Hypervisor;

/// <summary>
/// The hypervisor's nested tables: guest-physical to system-physical, which is the identity for slots. RAM is mapped for everything, read-only
/// slots without W, and holes not at all, so that an access there is a #VMEXIT (APM 2 15.25). The largest page that fits is used.
/// </summary>
public sealed class NestedPageTables
{
    private const ulong PresentBit = 1, WriteBit = 2, UserBit = 4, PageSizeBit = 1 << 7;
    private const ulong FrameMask = 0x000F_FFFF_FFFF_F000;
    private const int Levels = 4, LargestPageLevel = 3;

    private readonly HostMemory _memory;
    private readonly List<Hpa> _pages = [];
    private int _used;

    /// <summary>Makes empty tables.</summary>
    public NestedPageTables(HostMemory memory)
    {
        _memory = memory;
        Root = TakePage();
    }

    /// <summary>The address for nCR3.</summary>
    public Hpa Root { get; }

    /// <summary>Replaces all mappings by those of <paramref name="slots"/>. Pages of the old tables are used again. TLBs must be flushed
    /// afterwards.</summary>
    public void Build(IReadOnlyList<MemorySlot> slots)
    {
        _used = 0;
        TakePage();
        foreach (MemorySlot slot in slots)
            Map(slot.Start.Value, slot.Size, slot.Kind == SlotKind.Ram);
    }

    private void Map(ulong address, ulong size, bool writable)
    {
        ulong end = address + size;
        while (address < end)
        {
            int level = LargestPageLevel;
            while (level > 1 && ((address & (PageSize(level) - 1)) != 0 || end - address < PageSize(level)))
                level--;
            MapPage(address, level, writable);
            address += PageSize(level);
        }
    }

    private void MapPage(ulong address, int leafLevel, bool writable)
    {
        Hpa table = Root;
        for (int level = Levels; ; level--)
        {
            Hpa at = table + (address >> (12 + 9 * (level - 1)) & 0x1FF) * 8;
            if (level == leafLevel)
            {
                _memory.Write64(at, address | PresentBit | UserBit | (writable ? WriteBit : 0) | (level > 1 ? PageSizeBit : 0));
                return;
            }

            ulong entry = _memory.Read64(at);
            if ((entry & PresentBit) == 0)
            {
                entry = TakePage().Value | PresentBit | WriteBit | UserBit;
                _memory.Write64(at, entry);
            }

            table = new Hpa(entry & FrameMask);
        }
    }

    private Hpa TakePage()
    {
        if (_used == _pages.Count)
            _pages.Add(_memory.AllocatePages(1));
        Hpa page = _pages[_used++];
        for (ulong offset = 0; offset < Hpa.PageSize; offset += 8)
            _memory.Write64(page + offset, 0);
        return page;
    }

    private static ulong PageSize(int level) => 1ul << (12 + 9 * (level - 1));
}
