using Hv.Backends.Svm.Silicon;
using Xunit;

namespace Hv.Backends.Svm.Tests.Silicon;

/// <summary>Walks of hand-made nested tables (APM 2 15.25.5, entries in the format of APM 2 5.3.3).</summary>
public sealed class NestedPageWalkerTests : IDisposable
{
    private const ulong P = 1, W = 2, U = 4, A = 1 << 5, D = 1 << 6, Ps = 1 << 7, Nx = 1ul << 63;

    private readonly HostMemory _memory = new();
    private readonly Hpa _pml4, _pdpt, _pd, _pt;

    public NestedPageWalkerTests()
    {
        _pml4 = _memory.AllocatePages(1);
        _pdpt = _memory.AllocatePages(1);
        _pd = _memory.AllocatePages(1);
        _pt = _memory.AllocatePages(1);
        _memory.Write64(_pml4, _pdpt.Value | P | W | U);
        _memory.Write64(_pdpt, _pd.Value | P | W | U);
        _memory.Write64(_pd, _pt.Value | P | W | U);
        _memory.Write64(_pt + 8 * 5, 0x12345000 | P | W | U);
    }

    public void Dispose() => _memory.Dispose();

    [Fact]
    public void A_present_page_is_found_and_used_entries_are_marked_accessed()
    {
        Assert.Equal(NestedFault.None, Walk(0x5123, out NestedTranslation t));
        Assert.Equal(new Hpa(0x12345000), t.Address);
        foreach (Hpa at in new[] { _pml4, _pdpt, _pd, _pt + 8 * 5 })
            Assert.Equal(A, _memory.Read64(at) & (A | D));
    }

    [Fact]
    public void Only_a_write_sets_the_dirty_bit_and_only_then_need_later_writes_not_ask()
    {
        Walk(0x5000, out NestedTranslation read);
        Assert.False(read.Writable);
        Assert.Equal(NestedFault.None, Walk(0x5000, out NestedTranslation write, isWrite: true));
        Assert.True(write.Writable);
        Assert.Equal(A | D, _memory.Read64(_pt + 8 * 5) & (A | D));
        Walk(0x5000, out read);
        Assert.True(read.Writable);
    }

    [Theory]
    [InlineData(4)]
    [InlineData(3)]
    [InlineData(2)]
    [InlineData(1)]
    public void An_entry_that_is_not_present_faults_with_P_clear(int level)
    {
        _memory.Write64(Entry(level), _memory.Read64(Entry(level)) & ~P);
        Assert.Equal(NestedFault.User, Walk(0x5000, out _));
        Assert.Equal(NestedFault.User | NestedFault.Write, Walk(0x5000, out _, isWrite: true));
        Assert.Equal(NestedFault.User | NestedFault.Fetch, Walk(0x5000, out _, isFetch: true));
    }

    [Theory]
    [InlineData(4)]
    [InlineData(3)]
    [InlineData(2)]
    [InlineData(1)]
    public void A_supervisor_page_faults_because_the_guest_is_a_user(int level)
    {
        _memory.Write64(Entry(level), _memory.Read64(Entry(level)) & ~U);
        Assert.Equal(NestedFault.User | NestedFault.Present, Walk(0x5000, out _));
    }

    [Theory]
    [InlineData(4)]
    [InlineData(3)]
    [InlineData(2)]
    [InlineData(1)]
    public void A_read_only_level_refuses_writes_alone(int level)
    {
        _memory.Write64(Entry(level), _memory.Read64(Entry(level)) & ~W);
        Assert.Equal(NestedFault.None, Walk(0x5000, out NestedTranslation t));
        Assert.False(t.Writable);
        Assert.Equal(NestedFault.User | NestedFault.Present | NestedFault.Write, Walk(0x5000, out _, isWrite: true));
        Assert.Equal(0ul, _memory.Read64(Entry(1)) & D);
    }

    [Theory]
    [InlineData(4)]
    [InlineData(1)]
    public void A_no_execute_level_refuses_fetches_alone(int level)
    {
        _memory.Write64(Entry(level), _memory.Read64(Entry(level)) | Nx);
        Assert.Equal(NestedFault.None, Walk(0x5000, out _));
        Assert.Equal(NestedFault.User | NestedFault.Present | NestedFault.Fetch, Walk(0x5000, out _, isFetch: true));
    }

    [Theory]
    [InlineData(4, 1ul << 7)] // page size at the top
    [InlineData(4, 1ul << 50)]
    [InlineData(3, 1ul << 50)]
    [InlineData(2, 1ul << 51)]
    [InlineData(1, 1ul << 50)]
    [InlineData(3, (1ul << 7) | (1ul << 13))] // low frame bits of a 1 GiB page
    [InlineData(2, (1ul << 7) | (1ul << 13))] // and of a 2 MiB page
    public void A_reserved_bit_faults_with_RSV(int level, ulong bits)
    {
        _memory.Write64(Entry(level), P | W | U | bits);
        Assert.Equal(NestedFault.User | NestedFault.Present | NestedFault.Reserved, Walk(0x5000, out _, bits: 50));
    }

    [Fact]
    public void Large_pages_end_the_walk_early()
    {
        _memory.Write64(_pd + 8, 0x4020_0000 | P | W | U | Ps);
        Assert.Equal(NestedFault.None, Walk(0x20_0000 + 0x12_3456, out NestedTranslation t));
        Assert.Equal(new Hpa(0x4020_0000 + 0x12_3000), t.Address);
        _memory.Write64(_pdpt + 8, 0x8000_0000 | P | W | U | Ps);
        Assert.Equal(NestedFault.None, Walk(0x4000_0000 + 0x1234_5678, out t));
        Assert.Equal(new Hpa(0x8000_0000 + 0x1234_5000), t.Address);
    }

    [Theory]
    [InlineData(1ul << 48)]
    [InlineData(ulong.MaxValue)]
    public void An_address_beyond_four_levels_is_not_present(ulong address) => Assert.Equal(NestedFault.User, Walk(address, out _));

    [Fact]
    public void Tables_where_no_memory_is_read_as_ones_and_fault()
    {
        Assert.Equal(NestedFault.User | NestedFault.Present | NestedFault.Reserved,
            NestedPageWalker.Walk(_memory, 0x1000, 52, 0x5000, false, false, out _));
    }

    private NestedFault Walk(ulong address, out NestedTranslation translation, bool isWrite = false, bool isFetch = false, int bits = 52) =>
        NestedPageWalker.Walk(_memory, _pml4.Value, bits, address, isWrite, isFetch, out translation);

    private Hpa Entry(int level) => level switch { 4 => _pml4, 3 => _pdpt, 2 => _pd, _ => _pt + 8 * 5 };
}
