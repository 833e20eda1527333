using Hv.Backends.Vmx.Silicon;
using Hv.Backends.Vmx.Silicon.Translation;
using Hv.Core;
using Hv.Core.Memory;

namespace Hv.Backends.Vmx.Hypervisor;

/// <summary>The partition's EPT: RAM readable, writable and executable, read-only slots without writes, holes absent; the largest pages that
/// fit.</summary>
internal sealed class EptBuilder(HostPhysicalMemory memory)
{
    private const int IndexBits = 9, PageBits = 12, Levels = 4, LargestLeaf = 3;
    private const ulong WriteBackFourLevels = 6 | (3 << 3);
    private readonly List<ulong> _tables = [];

    /// <summary>The EPT pointer: write-back, 4 levels, no accessed and dirty flags.</summary>
    public ulong Pointer { get; private set; }

    /// <summary>Builds the tables for the present slots and gives the former ones back.</summary>
    /// <exception cref="HvException">A slot lies beyond what 4 levels translate.</exception>
    public void Rebuild()
    {
        foreach (ulong table in _tables)
            memory.FreePage(table);
        _tables.Clear();
        ulong root = NewTable();
        Pointer = root | WriteBackFourLevels;
        foreach ((ulong host, MemorySlot slot) in memory.Windows)
        {
            if ((slot.Start.Value + slot.Size - 1) >> Ept.AddressBits != 0)
            {
                throw new HvException($"mapping the memory slot at {slot.Start} failed: 4-level EPT translates {Ept.AddressBits} bits "
                    + "of guest-physical address; place the slot lower");
            }

            ulong permissions = EptEntry.Read | EptEntry.Execute | (slot.Kind == SlotKind.Ram ? EptEntry.Write : 0);
            Map(root, slot.Start.Value, host, slot.Size, permissions | EptEntry.WriteBack);
        }
    }

    private void Map(ulong root, ulong guest, ulong host, ulong size, ulong attributes)
    {
        while (size != 0)
        {
            int level = LargestLeaf;
            while (level > 1 && (((guest | host) & (PageSize(level) - 1)) != 0 || size < PageSize(level)))
                level--;
            MapPage(root, guest, level, host | attributes | (level > 1 ? EptEntry.LargePage : 0));
            guest += PageSize(level);
            host += PageSize(level);
            size -= PageSize(level);
        }
    }

    private void MapPage(ulong table, ulong guest, int leaf, ulong entry)
    {
        for (int level = Levels; level > leaf; level--)
        {
            ulong at = EntryAddress(table, guest, level);
            var next = new EptEntry(memory.Read(at));
            if (!next.IsPresent)
            {
                next = new EptEntry(NewTable() | EptEntry.AllAccess);
                memory.Write(at, next.Value);
            }

            table = next.Address;
        }

        memory.Write(EntryAddress(table, guest, leaf), entry);
    }

    private ulong NewTable()
    {
        ulong page = memory.AllocatePage();
        _tables.Add(page);
        return page;
    }

    private static ulong PageSize(int level) => 1UL << (PageBits + ((level - 1) * IndexBits));

    private static ulong EntryAddress(ulong table, ulong guest, int level) =>
        table + (((guest >> (PageBits + ((level - 1) * IndexBits))) & ((1 << IndexBits) - 1)) * sizeof(ulong));
}
