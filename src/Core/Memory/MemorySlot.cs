using System.Runtime.CompilerServices;

namespace Hv.Core.Memory;

/// <summary>What the guest may do with a slot.</summary>
public enum SlotKind : byte
{
    /// <summary>Readable, writable, executable.</summary>
    Ram,

    /// <summary>Readable and executable; a guest's write is an exit.</summary>
    ReadOnly,
}

/// <summary>A run of guest-physical pages with host memory behind it. What no slot covers is a hole: an access there is an exit.</summary>
// SAFETY: only holds the pointer that GuestMemory gave it; never reads through it.
public sealed unsafe class MemorySlot
{
    internal MemorySlot(Gpa start, ulong size, SlotKind kind, byte* host)
    {
        Start = start;
        Size = size;
        Kind = kind;
        Host = host;
        Dirty = new ulong[(size / Gpa.PageSize + 63) / 64];
    }

    /// <summary>The first byte; page-aligned.</summary>
    public Gpa Start { get; }

    /// <summary>Bytes; a multiple of 4096, not 0.</summary>
    public ulong Size { get; }

    /// <summary>What the guest may do here.</summary>
    public SlotKind Kind { get; }

    /// <summary>The host's address of the first byte, for a backend that maps it: page-aligned, stable until the memory is disposed.</summary>
    public nint HostBase => (nint)Host;

    /// <summary>64-bit words of the slot's dirty log: one bit a page.</summary>
    public int DirtyWords => Dirty.Length;

    internal byte* Host { get; }

    internal ulong[] Dirty { get; }

    /// <summary>Adds pages to the dirty log: bit n of the words is page n.</summary>
    /// <param name="bitmap">At most <see cref="DirtyWords"/> words.</param>
    public void AddDirty(ReadOnlySpan<ulong> bitmap)
    {
        for (int i = 0; i < bitmap.Length; i++)
        {
            if (bitmap[i] != 0)
                Interlocked.Or(ref Dirty[i], bitmap[i]);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal bool Contains(Gpa address) => address.Value - Start.Value < Size;

    internal void MarkDirty(ulong offset)
    {
        ulong page = offset / Gpa.PageSize;
        Interlocked.Or(ref Dirty[page / 64], 1UL << (int)(page % 64));
    }

    internal bool IsDirty(ulong page) => (Volatile.Read(ref Dirty[page / 64]) >> (int)(page % 64) & 1) != 0;
}
