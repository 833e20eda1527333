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
    private readonly byte[] _global = new byte[Total];
    private ulong _largeBase, _largeMask = ulong.MaxValue;
    private bool _hasLarge;

    internal TranslationCache()
    {
        // SAFETY: freed in Dispose only; all accesses below are indexed under Total.
        _entries = (TlbEntry*)NativeMemory.AlignedAlloc((nuint)(Total * sizeof(TlbEntry)), 64);
        Flush();
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
        _global[index] = global ? (byte)1 : (byte)0;
        if (pageSize > 4096)
            NoteLarge(linear, pageSize);
    }

    /// <summary>Empties everything.</summary>
    internal void Flush()
    {
        for (int i = 0; i < Total; i++)
            _entries[i].Tag = Empty;
        (_hasLarge, _largeMask) = (false, ulong.MaxValue);
    }

    /// <summary>Empties what is not global.</summary>
    internal void FlushNonGlobal()
    {
        for (int i = 0; i < Total; i++)
        {
            if (_global[i] == 0)
                _entries[i].Tag = Empty;
        }
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
        for (int i = Banks * Entries; i < Total; i++)
            _entries[i].Tag = Empty;
    }

    /// <summary>Empties the write entries that lead to one page of the host.</summary>
    internal void FlushWritesTo(nint hostPage)
    {
        for (int i = Banks * Entries; i < Total; i++)
        {
            if (_entries[i].Addend + (nint)_entries[i].Tag == hostPage)
                _entries[i].Tag = Empty;
        }
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
