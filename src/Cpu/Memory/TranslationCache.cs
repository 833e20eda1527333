using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Hv.Cpu.State;

namespace Hv.Cpu.Memory;

/// <summary>One cached translation: a linear page to the host's memory.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct TlbEntry
{
    /// <summary>The linear page's address, or <see cref="TranslationCache.Empty"/>.</summary>
    public ulong Tag;

    /// <summary>What added to a linear address gives the host's.</summary>
    public nint Addend;
}

/// <summary>
/// The translation caches of one processor: for reads and for writes, each in a bank for user accesses, for supervisor accesses, and for supervisor
/// accesses while SMAP keeps them from user pages; a fourth bank is never filled, for times when every access must be looked at. A hit means that the
/// access is allowed, backed by ordinary memory, and (for writes) that the page is
/// writable, its dirty bit set, marked in the dirty log, and holds no decoded code.
/// </summary>
// SAFETY: the banks are allocated here, indexed modulo their size, and freed in Dispose alone.
internal sealed unsafe class TranslationCache : IDisposable
{
    /// <summary>Entries in one bank; a power of two.</summary>
    internal const int Entries = 1024;

    /// <summary>A tag that no page address equals.</summary>
    internal const ulong Empty = 1;

    internal const int UserBank = 0, SupervisorBank = 1, SupervisorSmapBank = 2, EmptyBank = 3;

    private const int Banks = 4, Kinds = 2, Total = Entries * Banks * Kinds;

    private readonly TlbEntry* _entries;

    // The entries that may hold a translation, each once, and a mark for each entry: flushes go over these few instead of all.
    private readonly ushort[] _filled = new ushort[Total];
    private readonly Mark[] _marks = new Mark[Total];
    private int _filledCount;
    private ulong _largeBase, _largeMask = ulong.MaxValue;
    private bool _hasLarge;

    internal TranslationCache()
    {
        // SAFETY: freed in Dispose only; all accesses below are indexed under Total.
        _entries = (TlbEntry*)NativeMemory.AlignedAlloc((nuint)(Total * sizeof(TlbEntry)), 64);
        for (int i = 0; i < Total; i++)
            _entries[i].Tag = Empty;
    }

    /// <summary>The bank's entries, as the state block refers to them.</summary>
    internal nint ReadBank(int bank) => (nint)(_entries + bank * Entries);

    /// <summary>As <see cref="ReadBank"/>, for writes.</summary>
    internal nint WriteBank(int bank) => (nint)(_entries + (Banks + bank) * Entries);

    /// <summary>The entry for <paramref name="linear"/> in a bank.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static ref TlbEntry Entry(nint bank, ulong linear)
    {
        // SAFETY: a bank has Entries entries, and the index is below that.
        return ref ((TlbEntry*)bank)[(linear >> 12) & (Entries - 1)];
    }

    /// <summary>The tag that an access of a width at <paramref name="linear"/> must meet; one that crosses its page meets none.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static ulong Tag<TW>(ulong linear) where TW : struct, Execute.IWidth => (linear + (ulong)(TW.Bits / 8 - 1)) & ~0xFFFUL;

    /// <summary>Enters a translation.</summary>
    internal void Fill(int bank, bool write, ulong linear, nint hostPage, bool global, ulong pageSize)
    {
        int index = (write ? Banks + bank : bank) * Entries + (int)((linear >> 12) & (Entries - 1));
        ulong page = linear & ~0xFFFUL;
        _entries[index] = new TlbEntry { Tag = page, Addend = hostPage - (nint)page };
        if ((_marks[index] & Mark.Filled) == 0)
            _filled[_filledCount++] = (ushort)index;
        _marks[index] = global ? Mark.Filled | Mark.Global : Mark.Filled;
        if (pageSize > 4096)
            NoteLarge(linear, pageSize);
    }

    /// <summary>Empties everything.</summary>
    internal void Flush()
    {
        foreach (ushort index in _filled.AsSpan(0, _filledCount))
        {
            _entries[index].Tag = Empty;
            _marks[index] = Mark.None;
        }

        _filledCount = 0;
        (_hasLarge, _largeMask) = (false, ulong.MaxValue);
    }

    /// <summary>Empties what is not global.</summary>
    internal void FlushNonGlobal()
    {
        int kept = 0;
        foreach (ushort index in _filled.AsSpan(0, _filledCount))
        {
            if ((_marks[index] & Mark.Global) != 0)
            {
                _filled[kept++] = index;
                continue;
            }

            _entries[index].Tag = Empty;
            _marks[index] = Mark.None;
        }

        _filledCount = kept;
    }

    /// <summary>Empties one page, and with it all large pages when the address may lie in one (SDM 3A 4.10.4.1 allows more to go).</summary>
    /// <returns>Whether more than the page went.</returns>
    internal bool FlushPage(ulong linear)
    {
        if (_hasLarge && ((linear ^ _largeBase) & _largeMask) == 0)
        {
            Flush();
            return true;
        }

        int index = (int)((linear >> 12) & (Entries - 1));
        for (int i = index; i < Total; i += Entries)
        {
            if (_entries[i].Tag == (linear & ~0xFFFUL))
                _entries[i].Tag = Empty;
        }

        return false;
    }

    /// <summary>Empties all write entries: they promise marked and code-free pages.</summary>
    internal void FlushWrites()
    {
        foreach (ushort index in _filled.AsSpan(0, _filledCount))
        {
            if (index >= Banks * Entries)
                _entries[index].Tag = Empty;
        }
    }

    /// <summary>Empties the write entries that lead to one page of the host.</summary>
    internal void FlushWritesTo(nint hostPage)
    {
        foreach (ushort index in _filled.AsSpan(0, _filledCount))
        {
            if (index >= Banks * Entries && _entries[index].Addend + (nint)_entries[index].Tag == hostPage)
                _entries[index].Tag = Empty;
        }
    }

    /// <summary>What is known of an entry beside its translation.</summary>
    [Flags]
    private enum Mark : byte
    {
        None = 0,

        /// <summary>It is among the filled ones.</summary>
        Filled = 1,
        Global = 2,
    }

    /// <inheritdoc/>
    public void Dispose() => NativeMemory.AlignedFree(_entries);

    // One region that covers all large pages seen: INVLPG anywhere in it empties all.
    internal void NoteLarge(ulong linear, ulong pageSize)
    {
        ulong mask = ~(pageSize - 1);
        if (!_hasLarge)
        {
            (_hasLarge, _largeBase, _largeMask) = (true, linear & mask, mask);
            return;
        }

        mask &= _largeMask;
        while (((linear ^ _largeBase) & mask) != 0)
            mask <<= 1;
        (_largeBase, _largeMask) = (linear & mask, mask);
    }
}
