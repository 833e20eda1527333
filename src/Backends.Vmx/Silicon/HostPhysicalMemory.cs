using Hv.Core;
using Hv.Core.Memory;

namespace Hv.Backends.Vmx.Silicon;

/// <summary>
/// The modelled machine's physical memory as its hypervisor sees it: a pool of pages for VMX structures, and above it the guest's memory slots, which
/// EPT maps to guest-physical addresses (docs/adr/0043-host-physical-memory.md).
/// </summary>
public sealed class HostPhysicalMemory
{
    /// <summary>The address of the first pool page.</summary>
    public const ulong PoolStart = 1UL << 20;

    /// <summary>The address above which guest slots lie; the pool ends below it.</summary>
    public const ulong GuestStart = 1UL << 32;

    /// <summary>Guest slots are placed at the same offset in a 1-GByte page as in guest-physical memory, so that EPT can map them with large
    /// pages.</summary>
    public const ulong LargestPage = 1UL << 30;

    private const int WordsPerPage = Gpa.PageSize / sizeof(ulong);
    private readonly List<ulong[]> _pool = [];
    private readonly Stack<ulong> _free = new();
    private readonly GuestMemory _guest;
    private (ulong Start, MemorySlot Slot)[] _windows = [];

    /// <summary>Makes the memory of a machine that hosts one guest.</summary>
    public HostPhysicalMemory(GuestMemory guest)
    {
        _guest = guest;
        PlaceSlots();
    }

    /// <summary>The guest's slots with their host-physical addresses.</summary>
    public IReadOnlyList<(ulong Start, MemorySlot Slot)> Windows => _windows;

    /// <summary>Pool pages in use.</summary>
    public int PagesInUse => _pool.Count - _free.Count;

    /// <summary>Gives out a zeroed page.</summary>
    /// <exception cref="HvException">The pool is full (1,048,320 pages).</exception>
    public ulong AllocatePage()
    {
        if (_free.TryPop(out ulong page))
        {
            Array.Clear(_pool[(int)((page - PoolStart) / Gpa.PageSize)]);
            return page;
        }

        page = PoolStart + (ulong)_pool.Count * Gpa.PageSize;
        if (page >= GuestStart)
            throw new HvException("allocating a page for VMX structures failed: the modelled machine's 4 GiB pool is full");
        _pool.Add(new ulong[WordsPerPage]);
        return page;
    }

    /// <summary>Takes a page back.</summary>
    public void FreePage(ulong page) => _free.Push(page);

    /// <summary>Assigns host-physical addresses to the guest's present slots.</summary>
    public void PlaceSlots()
    {
        var windows = new (ulong, MemorySlot)[_guest.Slots.Count];
        ulong next = GuestStart;
        for (int i = 0; i < windows.Length; i++)
        {
            MemorySlot slot = _guest.Slots[i];
            ulong start = ((next + LargestPage - 1) & ~(LargestPage - 1)) + (slot.Start.Value & (LargestPage - 1));
            windows[i] = (start, slot);
            next = start + slot.Size;
        }

        _windows = windows;
    }

    /// <summary>The guest-memory address that a host-physical address of a slot stands for.</summary>
    public bool TryFindGuest(ulong address, out Gpa guest)
    {
        foreach ((ulong start, MemorySlot slot) in _windows)
        {
            if (address - start < slot.Size)
            {
                guest = slot.Start + (address - start);
                return true;
            }
        }

        guest = default;
        return false;
    }

    /// <summary>The bytes of a pool page, for the processor and its hypervisor; empty for any other address.</summary>
    public Span<byte> Page(ulong address) => TryPool(address,
        out ulong[] page) ? System.Runtime.InteropServices.MemoryMarshal.AsBytes(page.AsSpan()) : default;

    /// <summary>Reads 8 bytes at an 8-byte-aligned address. Where nothing answers, the bus reads ones.</summary>
    public ulong Read(ulong address)
    {
        if (TryPool(address, out ulong[] page))
            return page[(address & (Gpa.PageSize - 1)) / sizeof(ulong)];
        return TryFindGuest(address, out Gpa guest) && _guest.TryRead(guest, out ulong value) ? value : ulong.MaxValue;
    }

    /// <summary>Writes 8 bytes at an 8-byte-aligned address; dropped where nothing answers.</summary>
    public void Write(ulong address, ulong value)
    {
        if (TryPool(address, out ulong[] page))
            page[(address & (Gpa.PageSize - 1)) / sizeof(ulong)] = value;
        else if (TryFindGuest(address, out Gpa guest))
            _guest.TryWrite(guest, value);
    }

    private bool TryPool(ulong address, out ulong[] page)
    {
        ulong index = (address - PoolStart) / Gpa.PageSize;
        if (address >= PoolStart && index < (ulong)_pool.Count)
        {
            page = _pool[(int)index];
            return true;
        }

        page = [];
        return false;
    }
}
