using Hv.Core.Memory;

namespace Hv.Core.Tests.Memory;

public sealed class GuestMemoryTests : IDisposable
{
    private readonly GuestMemory _memory = GuestMemory.OfSize(0x10_0000);

    public void Dispose() => _memory.Dispose();

    [Theory]
    [InlineData(0ul, 0x1001ul)]
    [InlineData(0x20_0001ul, 0x1000ul)]
    [InlineData(0x20_0000ul, 0ul)]
    [InlineData(1ul << 52, 0x1000ul)]
    [InlineData((1ul << 52) - 0x1000, 0x2000ul)]
    [InlineData(0xFFFF_FFFF_FFFF_F000, 0x2000ul)]
    [InlineData(0xF_F000ul, 0x1000ul)]
    [InlineData(0ul, 0x1000ul)]
    [InlineData(0ul, 0x20_0000ul)]
    public void A_bad_slot_is_refused(ulong start, ulong size) =>
        Assert.Throws<ArgumentException>(() => _memory.AddSlot(new Gpa(start), size, SlotKind.Ram));

    [Fact]
    public void The_last_page_of_the_physical_addresses_is_a_legal_slot() =>
        Assert.Equal(0x1000ul, _memory.AddSlot(new Gpa((1ul << 52) - 0x1000), 0x1000, SlotKind.Ram).Size);

    [Fact]
    public void More_than_the_host_has_is_a_host_failure() =>
        Assert.Throws<HvException>(() => _memory.AddSlot(new Gpa(1ul << 51), 1ul << 50, SlotKind.Ram));

    [Theory]
    [InlineData(0ul, 1, true)]
    [InlineData(0xF_FFFFul, 1, true)]
    [InlineData(0xF_FFFFul, 2, false)]
    [InlineData(0x10_0000ul, 1, false)]
    [InlineData(ulong.MaxValue, 1, false)]
    [InlineData(ulong.MaxValue, 2, false)]
    [InlineData(0x10_0000ul, 0, true)]
    public void Access_is_all_or_nothing(ulong address, int length, bool possible)
    {
        byte[] bytes = [.. Enumerable.Repeat((byte)0xAA, length)];

        Assert.Equal(possible, _memory.TryWrite(new Gpa(address), bytes));
        byte[] back = new byte[length];
        Assert.Equal(possible, _memory.TryRead(new Gpa(address), back));
        Assert.Equal(possible ? bytes : new byte[length], back);
        if (!possible)
            Assert.Equal(0, _memory.TryRead(new Gpa(0xF_FFFF), out byte last) ? last : -1);
    }

    [Fact]
    public void Access_crosses_adjacent_slots()
    {
        _memory.AddSlot(new Gpa(0x10_1000), 0x1000, SlotKind.Ram);
        _memory.AddSlot(new Gpa(0x10_0000), 0x1000, SlotKind.Ram);
        byte[] bytes = new byte[0x2002];
        new Random(1).NextBytes(bytes);

        Assert.True(_memory.TryWrite(new Gpa(0xF_FFFF), bytes.AsSpan(0, 0x2001)));

        byte[] back = new byte[0x2001];
        Assert.True(_memory.TryRead(new Gpa(0xF_FFFF), back));
        Assert.Equal(bytes[..0x2001], back);
        Assert.False(_memory.TryWrite(new Gpa(0xF_FFFF), bytes));
        Assert.Equal([0ul, 0x10_0000, 0x10_1000], _memory.Slots.Select(s => s.Start.Value));
    }

    [Theory]
    [InlineData(0ul, ulong.MaxValue, false)]
    [InlineData(1ul, ulong.MaxValue, false)]
    [InlineData(2ul, ulong.MaxValue, false)]
    [InlineData(0ul, 0x10_0000ul, true)]
    [InlineData(0ul, 0x10_0001ul, false)]
    public void A_hostile_range_is_answered_at_once(ulong address, ulong length, bool backed) =>
        Assert.Equal(backed, _memory.IsBacked(new Gpa(address), length, writable: true));

    [Fact]
    public void Read_only_memory_is_read_and_loaded_but_not_written()
    {
        _memory.AddSlot(new Gpa(0x10_0000), 0x1000, SlotKind.ReadOnly);

        Assert.True(_memory.TryLoad(new Gpa(0xF_FFFE), (ReadOnlySpan<byte>)[1, 2, 3, 4]));
        Assert.False(_memory.TryWrite(new Gpa(0xF_FFFE), 0xFFFF_FFFFu));
        Assert.True(_memory.TryRead(new Gpa(0xF_FFFE), out uint value));
        Assert.Equal(0x0403_0201u, value);
        Assert.Equal(0, _memory.HostPage(new Gpa(0x10_0000), forWrite: true));
        Assert.NotEqual(0, _memory.HostPage(new Gpa(0x10_0000), forWrite: false));
    }

    [Fact]
    public void The_dirty_log_has_exactly_the_pages_written()
    {
        MemorySlot slot = _memory.Slots[0];
        ulong[] log = new ulong[4];
        _memory.TryWrite(new Gpa(0x3FFF), (ushort)1);
        _memory.TryWrite(new Gpa(0x7_F000), new byte[0x1001]);
        _memory.HostPage(new Gpa(0x9123), forWrite: true);
        _memory.HostPage(new Gpa(0xA123), forWrite: false);
        _memory.TryRead(new Gpa(0xB000), out byte _);
        Assert.True(_memory.IsDirty(new Gpa(0x3000)));

        Assert.Equal(5, _memory.CollectDirty(slot, log));

        Assert.Equal([(1ul << 3) | (1ul << 4) | (1ul << 9), (1ul << 63), 1, 0], log);
        Assert.Equal(0, _memory.CollectDirty(slot, log));
        Assert.False(_memory.IsDirty(new Gpa(0x3000)));
    }

    [Fact]
    public void Too_short_a_bitmap_is_refused_and_loses_nothing()
    {
        _memory.TryWrite(new Gpa(0), (byte)1);

        Assert.Throws<ArgumentException>(() => _memory.CollectDirty(_memory.Slots[0], new ulong[3]));

        Assert.True(_memory.IsDirty(new Gpa(0)));
    }

    [Fact]
    public void A_removed_slot_is_a_hole_and_its_host_page_stays_mapped()
    {
        MemorySlot slot = _memory.AddSlot(new Gpa(0x20_0000), 0x1000, SlotKind.Ram);
        _memory.TryWrite(new Gpa(0x20_0000), 5);

        _memory.RemoveSlot(slot);

        Assert.False(_memory.TryRead(new Gpa(0x20_0000), out int _));
        Assert.Null(_memory.FindSlot(new Gpa(0x20_0000)));
        Assert.Equal(5, System.Runtime.InteropServices.Marshal.ReadInt32(slot.HostBase));
    }

    [Fact]
    public void Observers_hear_of_writes_slots_and_collected_logs()
    {
        var observer = new Observer();
        _memory.Subscribe(observer);
        _memory.TryWrite(new Gpa(0x1FFF), (ushort)1);
        MemorySlot slot = _memory.AddSlot(new Gpa(0x20_0000), 0x1000, SlotKind.Ram);
        _memory.CollectDirty(slot, new ulong[1]);
        _memory.RemoveSlot(slot);
        _memory.TryWrite(new Gpa(0x20_0000), 1);
        _memory.Unsubscribe(observer);
        _memory.TryWrite(new Gpa(0), 1);

        Assert.Equal(["write 1fff+2", "slots", "dirty", "slots"], observer.Heard);
    }

    [Fact]
    public void After_disposal_everything_is_a_hole()
    {
        _memory.Dispose();

        Assert.False(_memory.TryRead(new Gpa(0), out byte _));
        Assert.Throws<ObjectDisposedException>(() => _memory.AddSlot(new Gpa(0), 0x1000, SlotKind.Ram));
    }

    private sealed class Observer : IMemoryObserver
    {
        public List<string> Heard { get; } = [];

        public void OnHostWrite(Gpa address, ulong length) => Heard.Add($"write {address.Value:x}+{length}");

        public void OnSlotsChanged() => Heard.Add("slots");

        public void OnDirtyLogCollected() => Heard.Add("dirty");
    }
}
