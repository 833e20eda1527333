using System.IO.MemoryMappedFiles;
using System.Runtime.InteropServices;

namespace Hv.Core.Memory;

/// <summary>
/// The physical memory of one guest: slots over host memory, holes between them. Every host access is checked and all or nothing; an access
/// outside is an answer, not an exception. The guest may write at the same time: read a record once into a copy, then check the copy.
/// Slots and observers may change while vCPUs run on other threads: each access works on the slots as they were when it began. An access takes
/// time in proportion to its length and to the number of slots, whatever the address.
/// </summary>
// SAFETY: host pointers come from Map alone, live until Dispose, and are used only behind IsBacked and FindSlot.
public sealed unsafe class GuestMemory : IDisposable
{
    /// <summary>The most guest-physical address bits that slots may use (52, SDM 3A 4.1.4).</summary>
    public const int PhysicalAddressBits = 52;

    private readonly Lock _changes = new();
    private readonly List<(MemoryMappedViewAccessor View, MemoryMappedFile File)> _mappings = [];
    private volatile IMemoryObserver[] _observers = [];
    private volatile MemorySlot[] _slots = [];
    private bool _disposed;

    /// <summary>The slots as they are now, by ascending address.</summary>
    public IReadOnlyList<MemorySlot> Slots => _slots;

    /// <summary>Makes a memory of one RAM slot at 0.</summary>
    /// <param name="size">Bytes; a multiple of 4096, not 0.</param>
    /// <exception cref="HvException">The host has not enough memory.</exception>
    public static GuestMemory OfSize(ulong size)
    {
        var memory = new GuestMemory();
        memory.AddSlot(new Gpa(0), size, SlotKind.Ram);
        return memory;
    }

    /// <summary>Adds a slot of zeroed memory, committed by the host as it is touched.</summary>
    /// <exception cref="ArgumentException">Start or size is not page-aligned, the slot is empty, beyond the physical addresses, or overlaps
    /// another.</exception>
    /// <exception cref="HvException">The host has not enough memory.</exception>
    public MemorySlot AddSlot(Gpa start, ulong size, SlotKind kind)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        if (!start.IsPageAligned || size == 0 || size % Gpa.PageSize != 0)
            throw new ArgumentException($"a memory slot starts and ends on a page boundary and is not empty, not {start}+0x{size:x}", nameof(start));
        if (start.Value >= 1UL << PhysicalAddressBits || size > (1UL << PhysicalAddressBits) - start.Value)
            throw new ArgumentException($"a memory slot lies below 2^{PhysicalAddressBits}, not {start}+0x{size:x}", nameof(start));
        lock (_changes)
        {
            if (_slots.Any(s => start.Value < s.Start.Value + s.Size && s.Start.Value < start.Value + size))
                throw new ArgumentException($"the memory slot {start}+0x{size:x} overlaps another", nameof(start));
            var slot = new MemorySlot(start, size, kind, Map(size));
            _slots = [.. _slots.Append(slot).OrderBy(s => s.Start.Value)];
            TellSlotsChanged();
            return slot;
        }
    }

    /// <summary>Takes a slot away: its addresses become a hole. The host memory stays mapped until <see cref="Dispose"/>, because a vCPU on another
    /// thread may be in the middle of an access.</summary>
    public void RemoveSlot(MemorySlot slot)
    {
        lock (_changes)
        {
            _slots = [.. _slots.Where(s => s != slot)];
            TellSlotsChanged();
        }
    }

    /// <summary>Tells <paramref name="observer"/> of changes from now on.</summary>
    public void Subscribe(IMemoryObserver observer)
    {
        lock (_changes)
            _observers = [.. _observers, observer];
    }

    /// <summary>Ends <see cref="Subscribe"/>.</summary>
    public void Unsubscribe(IMemoryObserver observer)
    {
        lock (_changes)
            _observers = [.. _observers.Where(o => o != observer)];
    }

    /// <summary>The slot that holds <paramref name="address"/>, or null for a hole.</summary>
    public MemorySlot? FindSlot(Gpa address) => FindSlot(_slots, address);

    /// <summary>
    /// The host's address of the page that holds <paramref name="address"/>, for a backend's translation cache. 0 for a hole, and for a
    /// read-only slot when <paramref name="forWrite"/>. A page given out for writing is marked dirty now, and again after each
    /// <see cref="CollectDirty"/>, of which observers are told.
    /// </summary>
    public nint HostPage(Gpa address, bool forWrite)
    {
        MemorySlot? slot = FindSlot(address);
        if (slot is null || (forWrite && slot.Kind != SlotKind.Ram))
            return 0;
        ulong offset = address.PageBase.Value - slot.Start.Value;
        if (forWrite)
            slot.MarkDirty(offset);
        return (nint)(slot.Host + offset);
    }

    /// <summary>Whether every byte of the range lies in a slot, and in RAM when <paramref name="writable"/>. False when the range wraps
    /// around.</summary>
    public bool IsBacked(Gpa address, ulong length, bool writable) => IsBacked(_slots, address, length, writable);

    /// <summary>Copies guest memory out. False, with <paramref name="destination"/> untouched, when any byte is in a hole.</summary>
    public bool TryRead(Gpa address, Span<byte> destination)
    {
        MemorySlot[] slots = _slots;
        if (!IsBacked(slots, address, (ulong)destination.Length, writable: false))
            return false;
        while (!destination.IsEmpty)
        {
            MemorySlot slot = FindSlot(slots, address)!;
            ulong offset = address.Value - slot.Start.Value;
            int chunk = (int)Math.Min((ulong)destination.Length, slot.Size - offset);
            // SAFETY: IsBacked has shown that [address, address + length) lies in these slots; offset + chunk <= slot.Size.
            new ReadOnlySpan<byte>(slot.Host + offset, chunk).CopyTo(destination);
            destination = destination[chunk..];
            address += (ulong)chunk;
        }

        return true;
    }

    /// <summary>Copies into guest memory and marks the pages dirty. False, with nothing written, when any byte is in a hole or not in RAM.</summary>
    public bool TryWrite(Gpa address, ReadOnlySpan<byte> source) => Write(address, source, onlyRam: true);

    /// <summary>As <see cref="TryWrite"/>, but also into read-only slots: for loading an image before the guest runs.</summary>
    public bool TryLoad(Gpa address, ReadOnlySpan<byte> source) => Write(address, source, onlyRam: false);

    /// <summary>Reads a little-endian value. False in a hole.</summary>
    public bool TryRead<T>(Gpa address, out T value) where T : unmanaged
    {
        T copy = default;
        bool read = TryRead(address, MemoryMarshal.AsBytes(new Span<T>(ref copy)));
        value = copy;
        return read;
    }

    /// <summary>Writes a little-endian value. False in a hole or in read-only memory.</summary>
    public bool TryWrite<T>(Gpa address, T value) where T : unmanaged =>
        TryWrite(address, MemoryMarshal.AsBytes(new ReadOnlySpan<T>(in value)));

    /// <summary>Reads and clears the dirty log of <paramref name="slot"/>: bit n is its page n.</summary>
    /// <param name="slot">A slot of this memory.</param>
    /// <param name="bitmap">Room for one bit a page, in 64-bit words.</param>
    /// <returns>The number of dirty pages.</returns>
    /// <exception cref="ArgumentException"><paramref name="bitmap"/> is too short; nothing was cleared.</exception>
    public int CollectDirty(MemorySlot slot, Span<ulong> bitmap)
    {
        if (bitmap.Length < slot.Dirty.Length)
            throw new ArgumentException($"the dirty log of this slot takes {slot.Dirty.Length} words, not {bitmap.Length}", nameof(bitmap));
        TellDirtyLogRead(slot);
        int pages = 0;
        for (int i = 0; i < slot.Dirty.Length; i++)
        {
            bitmap[i] = Interlocked.Exchange(ref slot.Dirty[i], 0);
            pages += System.Numerics.BitOperations.PopCount(bitmap[i]);
        }

        foreach (IMemoryObserver observer in _observers)
            observer.OnDirtyLogCollected();
        return pages;
    }

    /// <summary>Whether the page that holds <paramref name="address"/> was written since the log was last collected.</summary>
    public bool IsDirty(Gpa address)
    {
        if (FindSlot(address) is not { } slot)
            return false;
        TellDirtyLogRead(slot);
        return slot.IsDirty((address.Value - slot.Start.Value) / Gpa.PageSize);
    }

    /// <summary>Unmaps all host memory. No vCPU may run or be run afterwards.</summary>
    public void Dispose()
    {
        if (_disposed)
            return;
        _disposed = true;
        _slots = [];
        foreach ((MemoryMappedViewAccessor view, MemoryMappedFile file) in _mappings)
        {
            view.SafeMemoryMappedViewHandle.ReleasePointer();
            view.Dispose();
            file.Dispose();
        }
    }

    private static MemorySlot? FindSlot(MemorySlot[] slots, Gpa address)
    {
        foreach (MemorySlot slot in slots)
        {
            if (slot.Contains(address))
                return slot;
        }

        return null;
    }

    private static bool IsBacked(MemorySlot[] slots, Gpa address, ulong length, bool writable)
    {
        if (length == 0)
            return true;
        if (address.Value + (length - 1) < address.Value)
            return false;
        while (true)
        {
            MemorySlot? slot = FindSlot(slots, address);
            if (slot is null || (writable && slot.Kind != SlotKind.Ram))
                return false;
            ulong inSlot = slot.Size - (address.Value - slot.Start.Value);
            if (length <= inSlot)
                return true;
            length -= inSlot;
            address += inSlot;
        }
    }

    private bool Write(Gpa address, ReadOnlySpan<byte> source, bool onlyRam)
    {
        MemorySlot[] slots = _slots;
        if (!IsBacked(slots, address, (ulong)source.Length, writable: onlyRam))
            return false;
        Gpa start = address;
        ulong length = (ulong)source.Length;
        while (!source.IsEmpty)
        {
            MemorySlot slot = FindSlot(slots, address)!;
            ulong offset = address.Value - slot.Start.Value;
            int chunk = (int)Math.Min((ulong)source.Length, slot.Size - offset);
            // SAFETY: IsBacked has shown that [address, address + length) lies in these slots; offset + chunk <= slot.Size.
            source[..chunk].CopyTo(new Span<byte>(slot.Host + offset, chunk));
            for (ulong page = offset & ~(ulong)(Gpa.PageSize - 1); page < offset + (ulong)chunk; page += Gpa.PageSize)
                slot.MarkDirty(page);
            source = source[chunk..];
            address += (ulong)chunk;
        }

        foreach (IMemoryObserver observer in _observers)
            observer.OnHostWrite(start, length);
        return true;
    }

    private void TellDirtyLogRead(MemorySlot slot)
    {
        foreach (IMemoryObserver observer in _observers)
            observer.OnDirtyLogRead(slot);
    }

    private void TellSlotsChanged()
    {
        foreach (IMemoryObserver observer in _observers)
            observer.OnSlotsChanged();
    }

    private byte* Map(ulong size)
    {
        MemoryMappedFile? file = null;
        try
        {
            file = MemoryMappedFile.CreateNew(null, checked((long)size));
            MemoryMappedViewAccessor view = file.CreateViewAccessor();
            // SAFETY: the reference taken here is given back in Dispose, after which no slot is handed out.
            byte* host = null;
            view.SafeMemoryMappedViewHandle.AcquirePointer(ref host);
            _mappings.Add((view, file));
            return host;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or OutOfMemoryException)
        {
            file?.Dispose();
            throw new HvException($"mapping 0x{size:x} bytes of guest memory failed: {e.Message}", e);
        }
    }
}
