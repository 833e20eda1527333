using System.Buffers.Binary;
using Hv.Core;

namespace Hv.Contracts.Guests;

/// <summary>Bits of a page-table entry (SDM 3A 4.5.4, table 4-20).</summary>
[Flags]
public enum PageBits : ulong
{
    None = 0,
    Present = 1,
    Writable = 1 << 1,
    User = 1 << 2,
    Accessed = 1 << 5,
    Dirty = 1 << 6,
    Global = 1 << 8,
    NoExecute = 1UL << 63,

    /// <summary>What a contract guest's pages have.</summary>
    Usual = Present | Writable | User,
}

/// <summary>Builds page tables of 4 KiB pages in any of the three formats, in guest memory from <see cref="GuestLayout.PageTables"/> on.</summary>
public sealed class PageTables
{
    private readonly SortedDictionary<ulong, byte[]> _pages = [];
    private readonly int _levels, _entrySize, _indexBits;
    private ulong _next = GuestLayout.PageTables;

    public PageTables(CodeMode mode)
    {
        (_levels, _entrySize, _indexBits) = mode switch
        {
            CodeMode.Paged32 => (2, 4, 10),
            CodeMode.Pae32 => (3, 8, 9),
            CodeMode.Long64 => (4, 8, 9),
            _ => throw new ArgumentException($"{mode} has no page tables", nameof(mode)),
        };
        Root = Allocate();
    }

    /// <summary>What CR3 holds.</summary>
    public ulong Root { get; }

    /// <summary>The tables, by address.</summary>
    public IEnumerable<(Gpa Address, byte[] Bytes)> Pages => _pages.Select(p => (new Gpa(p.Key), p.Value));

    /// <summary>Maps one page, replacing what was mapped.</summary>
    public PageTables Map(ulong linear, ulong physical, PageBits bits = PageBits.Usual)
    {
        Write(EntryAddress(linear).Value, (physical & ~0xFFFUL) | (ulong)bits);
        return this;
    }

    /// <summary>Maps <paramref name="size"/> bytes from <paramref name="start"/> on to the same physical addresses.</summary>
    public PageTables MapIdentity(ulong start, ulong size, PageBits bits = PageBits.Usual)
    {
        for (ulong at = start; at < start + size; at += Gpa.PageSize)
            Map(at, at, bits);
        return this;
    }

    /// <summary>Where the entry that maps <paramref name="linear"/> is; the tables above it are made when they are missing.</summary>
    public Gpa EntryAddress(ulong linear)
    {
        ulong table = Root;
        for (int level = _levels - 1; ; level--)
        {
            ulong index = (linear >> (12 + level * _indexBits)) & ((1UL << _indexBits) - 1);
            ulong at = table + index * (ulong)_entrySize;
            if (level == 0)
                return new Gpa(at);
            ulong entry = Read(at);
            if (entry == 0)
            {
                // A PAE directory-pointer entry has no R/W and U/S bits; they are reserved there (SDM 3A 4.4.1, table 4-8).
                bool isPaePointer = _levels == 3 && level == 2;
                entry = Allocate() | (ulong)(isPaePointer ? PageBits.Present : PageBits.Usual);
                Write(at, entry);
            }

            table = entry & ~0xFFFUL;
        }
    }

    private ulong Allocate()
    {
        ulong page = _next;
        _next += Gpa.PageSize;
        if (_next > GuestLayout.Free)
            throw new InvalidOperationException("the page tables do not fit below GuestLayout.Free");
        _pages[page] = new byte[Gpa.PageSize];
        return page;
    }

    private ulong Read(ulong at)
    {
        ReadOnlySpan<byte> bytes = _pages[at & ~0xFFFUL].AsSpan((int)(at & 0xFFF));
        return _entrySize == 8 ? BinaryPrimitives.ReadUInt64LittleEndian(bytes) : BinaryPrimitives.ReadUInt32LittleEndian(bytes);
    }

    private void Write(ulong at, ulong entry)
    {
        Span<byte> bytes = _pages[at & ~0xFFFUL].AsSpan((int)(at & 0xFFF));
        if (_entrySize == 8)
            BinaryPrimitives.WriteUInt64LittleEndian(bytes, entry);
        else
            BinaryPrimitives.WriteUInt32LittleEndian(bytes, (uint)entry);
    }
}
