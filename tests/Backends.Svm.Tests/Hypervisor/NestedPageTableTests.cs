using Hv.Backends.Svm.Hypervisor;
using Hv.Backends.Svm.Silicon;
using Hv.Core;
using Hv.Core.Memory;
using Xunit;

namespace Hv.Backends.Svm.Tests.Hypervisor;

/// <summary>The hypervisor's tables, read back by the silicon's walker.</summary>
public sealed class NestedPageTableTests : IDisposable
{
    private readonly HostMemory _memory = new();
    private readonly GuestMemory _guest = new();

    public void Dispose()
    {
        _guest.Dispose();
        _memory.Dispose();
    }

    [Fact]
    public void RAM_is_writable_read_only_slots_are_not_and_holes_are_absent()
    {
        _guest.AddSlot(new Gpa(0), 0x40_0000 + 0x3000, SlotKind.Ram);
        _guest.AddSlot(new Gpa(0xFFFC_0000), 0x4_0000, SlotKind.ReadOnly);
        _guest.AddSlot(new Gpa(0x1_0000_0000), 0x4000_0000, SlotKind.Ram);
        NestedPageTables tables = Build();
        foreach (ulong address in new ulong[] { 0, 0x1FFFFF, 0x200000, 0x3FFFFF, 0x400000, 0x402FFF, 0x1_0000_0000, 0x1_3FFF_FFFF })
        {
            Assert.Equal(NestedFault.None, Walk(tables, address, out NestedTranslation t, isWrite: true));
            Assert.Equal((address & ~0xFFFul, true), (t.Address.Value, t.Writable));
        }

        foreach (ulong address in new ulong[] { 0x403000, 0xFFFB_FFFF, 0xFEE0_0000, 0x1_4000_0000, 0x0000_FFFF_FFFF_F000 })
            Assert.Equal(NestedFault.User, Walk(tables, address, out _));
        Assert.Equal(NestedFault.None, Walk(tables, 0xFFFF_FFF0, out _, isFetch: true));
        Assert.Equal(NestedFault.User | NestedFault.Present | NestedFault.Write, Walk(tables, 0xFFFF_FFF0, out _, isWrite: true));
    }

    [Fact]
    public void Large_slots_cost_few_pages()
    {
        _guest.AddSlot(new Gpa(0), 64 << 20, SlotKind.Ram);
        int before = _memory.PagesAllocated;
        Build();
        Assert.Equal(3, _memory.PagesAllocated - before); // one at each level above the 2 MiB pages
    }

    [Fact]
    public void A_rebuild_forgets_what_was_and_takes_no_more_memory()
    {
        MemorySlot slot = _guest.AddSlot(new Gpa(0), 0x3000, SlotKind.Ram);
        NestedPageTables tables = Build();
        int pages = _memory.PagesAllocated;
        _guest.RemoveSlot(slot);
        tables.Build(_guest.Slots);
        Assert.Equal(NestedFault.User, Walk(tables, 0, out _));
        _guest.AddSlot(new Gpa(0x1000), 0x1000, SlotKind.Ram);
        tables.Build(_guest.Slots);
        Assert.Equal(NestedFault.None, Walk(tables, 0x1000, out _));
        Assert.Equal(NestedFault.User, Walk(tables, 0x2000, out _));
        Assert.Equal(pages, _memory.PagesAllocated);
    }

    private NestedPageTables Build()
    {
        var tables = new NestedPageTables(_memory);
        tables.Build(_guest.Slots);
        return tables;
    }

    private NestedFault Walk(NestedPageTables tables, ulong address, out NestedTranslation translation, bool isWrite = false, bool isFetch = false) =>
        NestedPageWalker.Walk(_memory, tables.Root.Value, 52, address, isWrite, isFetch, out translation);
}
