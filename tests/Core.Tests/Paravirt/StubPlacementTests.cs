using Hv.Core.Memory;
using Hv.Core.Paravirt;
using Hv.Core.Tests.Fakes;

namespace Hv.Core.Tests.Paravirt;

/// <summary>Where a stub may lie, and that one which may not is refused whole: KVM 2007 patched past what the guest owned (docs/abi.md).</summary>
public sealed class StubPlacementTests : IDisposable
{
    private const ulong Page = 0x4000;
    private const ulong Stub = 0x8000;

    private readonly Guest _guest = new();

    public void Dispose() => _guest.Dispose();

    [Theory]
    [InlineData(0xFF8ul)]
    [InlineData(0xFFCul)]
    [InlineData(0xFFDul)]
    [InlineData(0xFFEul)]
    [InlineData(0xFFFul)]
    public void A_stub_at_the_end_of_a_page_goes_on_in_the_next(ulong offset)
    {
        Assert.True(_guest.Register(Page, Stub + offset));

        Assert.Equal(0, _guest.Ret(Page));
        Assert.Equal([0, 0xE0, 0xE1, 0xE2, 0xC3, 0], _guest.Bytes(Stub + offset - 1, 6));
    }

    [Fact]
    public void A_stub_may_cross_into_an_adjacent_slot()
    {
        _guest.Memory.AddSlot(new Gpa(Guest.MemorySize), 0x1000, SlotKind.Ram);

        Assert.True(_guest.Register(Page, Guest.MemorySize - 2));

        Assert.Equal([0xE0, 0xE1, 0xE2, 0xC3], _guest.Bytes(Guest.MemorySize - 2, 4));
    }

    [Theory]
    [InlineData(1ul)]
    [InlineData(2ul)]
    [InlineData(3ul)]
    public void A_stub_that_runs_into_a_hole_is_refused_whole(ulong bytesInside)
    {
        Assert.True(_guest.Register(Page, Guest.MemorySize - bytesInside));

        Assert.Equal(-1, _guest.Ret(Page));
        Assert.Equal(new byte[4], _guest.Bytes(Guest.MemorySize - 4, 4));
        Assert.Null(_guest.Cpu.Registration);
    }

    [Fact]
    public void A_stub_that_just_fits_the_end_of_memory_is_patched()
    {
        Assert.True(_guest.Register(Page, Guest.MemorySize - 4));

        Assert.Equal(0, _guest.Ret(Page));
        Assert.Equal([0xE0, 0xE1, 0xE2, 0xC3], _guest.Bytes(Guest.MemorySize - 4, 4));
    }

    [Theory]
    [InlineData(0ul)]
    [InlineData(0xFFEul)]
    public void A_stub_in_read_only_memory_is_refused(ulong offset)
    {
        _guest.Memory.AddSlot(new Gpa(Guest.MemorySize), 0x1000, SlotKind.ReadOnly);
        _guest.Memory.AddSlot(new Gpa(Guest.MemorySize + 0x1000), 0x1000, SlotKind.Ram);

        Assert.True(_guest.Register(Page, Guest.MemorySize + offset));

        Assert.Equal(-1, _guest.Ret(Page));
        Assert.Equal(new byte[0x1004], _guest.Bytes(Guest.MemorySize, 0x1004));
    }

    [Fact]
    public void A_stub_that_begins_in_ram_and_ends_in_read_only_memory_is_refused_whole()
    {
        _guest.Memory.AddSlot(new Gpa(Guest.MemorySize), 0x1000, SlotKind.ReadOnly);

        Assert.True(_guest.Register(Page, Guest.MemorySize - 1));

        Assert.Equal(-1, _guest.Ret(Page));
        Assert.Equal(new byte[8], _guest.Bytes(Guest.MemorySize - 4, 8));
    }

    [Theory]
    [InlineData(0xFFFF_FFFF_FFFF_FFFEul)]
    [InlineData(1ul << 63)]
    [InlineData(0x1_0000_8000ul)]
    [InlineData(0xFEE0_0000ul)]
    public void A_stub_outside_memory_is_refused(ulong stub)
    {
        byte[] before = _guest.Bytes(0, (int)Page);

        Assert.True(_guest.Register(Page, stub));

        Assert.Equal(-1, _guest.Ret(Page));
        Assert.Equal(before, _guest.Bytes(0, (int)Page));
    }

    [Theory]
    [InlineData(-4, 0)]
    [InlineData(-3, -1)]
    [InlineData(0, -1)]
    [InlineData(4, -1)]
    [InlineData(8, -1)]
    [InlineData(12, -1)]
    [InlineData(13, -1)]
    [InlineData(16, -1)]
    [InlineData(23, -1)]
    [InlineData(24, 0)]
    [InlineData(0xFFC, 0)]
    public void A_stub_over_the_records_fields_is_refused(int offset, int ret)
    {
        ulong stub = Page + (ulong)offset;

        Assert.True(_guest.Register(Page, stub));

        Assert.Equal(ret, _guest.Ret(Page));
        ParaState expected = Guest.Record(1, stub) with { HostVersion = 1, Ret = ret };
        Assert.True(_guest.Memory.TryRead(new Gpa(Page), out ParaState record));
        Assert.Equal(expected, record);
        if (ret == 0)
            Assert.Equal([0xE0, 0xE1, 0xE2, 0xC3], _guest.Bytes(stub, 4));
    }
}
