using System.Diagnostics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Hv.Core;

namespace Hv.Backends.Svm.Silicon;

/// <summary>A page that holds a VMCB, found once. Valid until the memory is disposed.</summary>
// SAFETY: the pointer is null or HostMemory.Page's, for a page-aligned address.
public readonly unsafe struct VmcbPage
{
    private readonly Vmcb* _vmcb;

    internal VmcbPage(Vmcb* vmcb) => _vmcb = vmcb;

    /// <summary>Whether there is memory at the address.</summary>
    public bool Exists => _vmcb != null;

    /// <summary>The VMCB; only where the page exists.</summary>
    public ref Vmcb Vmcb => ref *_vmcb;
}

/// <summary>
/// The part of the modelled machine's physical memory that the hypervisor owns: VMCBs, host save areas, permission maps and nested page tables. It
/// lies above everything that four levels of nested tables can reach; below are the guest's slots at their own addresses
/// (docs/adr/0051-svm-host-memory.md).
/// </summary>
// SAFETY: every pointer comes from Page, which checks that the page is one of _chunks.
public sealed unsafe class HostMemory : IDisposable
{
    /// <summary>Where it starts.</summary>
    public const ulong Base = 1UL << NestedPageWalker.GuestAddressBits;

    private const int PagesPerChunk = 64;
    private const int MostPages = 1 << 20;

    private nint[] _chunks = [];
    private int _allocated;
    private bool _disposed;

    /// <summary>Pages handed out so far.</summary>
    public int PagesAllocated => _allocated;

    /// <summary>Hands out zeroed, physically contiguous pages. They are given back only all together, by <see cref="Dispose"/>.</summary>
    /// <param name="count">1 to 64.</param>
    /// <exception cref="HvException">All 2^20 pages are used up.</exception>
    public Hpa AllocatePages(int count)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        Debug.Assert(count is >= 1 and <= PagesPerChunk);
        int room = (PagesPerChunk - _allocated % PagesPerChunk) % PagesPerChunk;
        if (room < count && room != 0)
            _allocated += room;
        if (_allocated + count > MostPages)
            throw new HvException($"allocating {count} pages for the SVM model failed: its {MostPages} pages of host memory are used up");
        if (_allocated % PagesPerChunk == 0)
        {
            // SAFETY: freed in Dispose only; the chunk is cleared before anyone sees it.
            void* chunk = NativeMemory.AlignedAlloc(PagesPerChunk * Hpa.PageSize, Hpa.PageSize);
            NativeMemory.Clear(chunk, PagesPerChunk * Hpa.PageSize);
            _chunks = [.. _chunks, (nint)chunk];
        }

        var first = new Hpa(Base + (ulong)_allocated * Hpa.PageSize);
        _allocated += count;
        return first;
    }

    /// <summary>The page that holds <paramref name="address"/>, or null where there is no memory.</summary>
    public byte* Page(Hpa address)
    {
        ulong page = (address.Value - Base) / Hpa.PageSize;
        // SAFETY: a page below _allocated lies in a chunk of PagesPerChunk pages; a wrapped subtraction is far above it.
        return page < (ulong)_allocated ? (byte*)_chunks[page / PagesPerChunk] + page % PagesPerChunk * Hpa.PageSize : null;
    }

    /// <summary>The VMCB in a page. A null reference where <paramref name="address"/> is not a page of memory.</summary>
    public ref Vmcb VmcbAt(Hpa address) => ref Unsafe.AsRef<Vmcb>(address.IsPageAligned ? Page(address) : null);

    /// <summary>As <see cref="VmcbAt"/>, to be kept: pages neither move nor go before <see cref="Dispose"/>.</summary>
    public VmcbPage VmcbPageAt(Hpa address) => new(address.IsPageAligned ? (Vmcb*)Page(address) : null);

    /// <summary>Reads an aligned quadword. All ones where there is no memory, as a bus without an answer reads.</summary>
    public ulong Read64(Hpa address)
    {
        byte* page = Page(address);
        // SAFETY: the offset of an aligned quadword is at most 4088.
        return page == null ? ulong.MaxValue : Volatile.Read(ref *(ulong*)(page + (address.Value & 0xFF8)));
    }

    /// <summary>Writes an aligned quadword; without effect where there is no memory.</summary>
    public void Write64(Hpa address, ulong value)
    {
        byte* page = Page(address);
        // SAFETY: the offset of an aligned quadword is at most 4088.
        if (page != null)
            Volatile.Write(ref *(ulong*)(page + (address.Value & 0xFF8)), value);
    }

    /// <summary>Reads a byte. All ones where there is no memory.</summary>
    public byte Read8(Hpa address)
    {
        byte* page = Page(address);
        // SAFETY: the offset is at most 4095.
        return page == null ? byte.MaxValue : page[address.Value & 0xFFF];
    }

    /// <summary>Reads two bytes, which may lie in two pages.</summary>
    public ushort Read16(Hpa address)
    {
        byte* page = Page(address);
        // SAFETY: both bytes lie in the page.
        return page != null && (address.Value & 0xFFF) != 0xFFF ? Unsafe.ReadUnaligned<ushort>(page + (address.Value & 0xFFF))
            : (ushort)(Read8(address) | Read8(address + 1) << 8);
    }

    /// <summary>Writes a byte; without effect where there is no memory.</summary>
    public void Write8(Hpa address, byte value)
    {
        byte* page = Page(address);
        // SAFETY: the offset is at most 4095.
        if (page != null)
            page[address.Value & 0xFFF] = value;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        if (_disposed)
            return;
        _disposed = true;
        foreach (nint chunk in _chunks)
        {
            // SAFETY: allocated by AllocatePages, freed once.
            NativeMemory.AlignedFree((void*)chunk);
        }

        _chunks = [];
        _allocated = 0;
    }
}
