using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Hv.Core;
using Hv.Core.Memory;
using Hv.Cpu.Decode;

namespace Hv.Cpu.Blocks;

/// <summary>
/// The decoded code of one partition: blocks of operations in a bounded native arena, found by physical address, RIP and mode. Shared by the
/// partition's
/// processors, which run on one thread. When the arena is full everything is dropped. A block whose code is written dies: its operations are bound to
/// a handler that leaves, so that a block may change itself while it runs.
/// </summary>
// SAFETY: every address is inside the arena, which Reserve bounds and Dispose alone frees.
public sealed unsafe class CodeCache : IMemoryObserver, IDisposable
{
    /// <summary>Bytes of code that one bit of a page's map stands for: a store elsewhere in the page kills nothing.</summary>
    private const int GranuleShift = 6;
    private const int Buckets = 1 << 14;
    private const int PageShift = 12;
    private const int MostPages = 1 << 14, MostLimits = 1 << 15;

    private readonly GuestMemory _memory;
    private readonly byte* _arena;
    private readonly int _arenaSize;
    private readonly nint[] _buckets = new nint[Buckets];
    private readonly Dictionary<ulong, CodePage> _pages = [];
    private readonly List<Processor> _processors = [];
    private readonly List<uint> _limits = [uint.MaxValue, 0xFFFF];
    private int _used;
    private ulong _lastTicket;
    private bool _disposed;

    private struct CodePage
    {
        public nint First;
        public ulong Granules;
    }

    /// <summary>Makes an empty cache.</summary>
    /// <param name="memory">The memory that the code is in; the cache follows the host's writes to it.</param>
    /// <param name="arenaSize">Bytes for decoded code, at least 64 KiB.</param>
    public CodeCache(GuestMemory memory, int arenaSize = 16 << 20)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(arenaSize, 64 << 10);
        _memory = memory;
        _arenaSize = arenaSize;
        // SAFETY: freed in Dispose only; allocations from it are bounded by Reserve.
        _arena = (byte*)NativeMemory.AlignedAlloc((nuint)arenaSize, 64);
        memory.Subscribe(this);
    }

    /// <summary>How often everything was dropped because the arena was full.</summary>
    public long Flushes { get; private set; }

    /// <summary>Blocks that died because their code was written.</summary>
    public long BlocksKilled { get; private set; }

    internal void Attach(Processor processor) => _processors.Add(processor);

    internal void Detach(Processor processor) => _processors.Remove(processor);

    /// <summary>A number that no link holds yet.</summary>
    internal ulong NextTicket() => ++_lastTicket;

    /// <summary>A small number for a limit of CS, for the mode key.</summary>
    internal ulong LimitNumber(uint limit)
    {
        int index = _limits.IndexOf(limit);
        if (index < 0)
        {
            if (_limits.Count == MostLimits)
            {
                // Old blocks carry old numbers: drop them with the numbers.
                Flush();
                _limits.RemoveRange(2, _limits.Count - 2);
            }

            _limits.Add(limit);
            index = _limits.Count - 1;
        }

        return (ulong)index;
    }

    /// <summary>Finds a live block, or 0.</summary>
    internal nint Find(ulong physical, ulong rip, ulong key)
    {
        for (nint at = _buckets[Bucket(physical, key)]; at != 0; at = Header(at).NextInBucket)
        {
            ref BlockHeader header = ref Header(at);
            if (header.Physical == physical && header.Rip == rip && header.Key == key)
                return at;
        }

        return 0;
    }

    /// <summary>Whether a page (by any address in it) holds decoded code.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal bool HasCode(ulong physical) => _pages.ContainsKey(physical >> PageShift);

    /// <summary>Room for a block of at most <paramref name="bytes"/> at the arena's end, not taken yet; drops everything first when there is
    /// none.</summary>
    internal nint Reserve(int bytes)
    {
        if (_used + bytes > _arenaSize || _pages.Count >= MostPages)
        {
            Flush();
            Flushes++;
        }

        return (nint)(_arena + _used);
    }

    /// <summary>Takes the reserved room for a finished block and makes it findable.</summary>
    internal void Commit(nint block, int bytes)
    {
        _used += (bytes + 63) & ~63;
        ref BlockHeader header = ref Header(block);
        int bucket = Bucket(header.Physical, header.Key);
        header.NextInBucket = _buckets[bucket];
        _buckets[bucket] = block;
        int inFirst = header.SecondPage == 0 ? header.Bytes : (int)(4096 - (header.Physical & 0xFFF));
        header.NextInPage = Enlist(header.Physical, inFirst, block);
        if (header.SecondPage != 0)
            EnlistSecond(header.SecondPage, header.Bytes - inFirst);
    }

    /// <summary>Told of a write by a guest or the host: kills what was decoded from these bytes. True: something died.</summary>
    internal bool OnWrite(ulong physical, ulong length)
    {
        long killed = BlocksKilled;
        ulong last = physical + length - 1;
        for (ulong page = physical >> PageShift; page <= last >> PageShift; page++)
        {
            ref CodePage code = ref CollectionsMarshal.GetValueRefOrNullRef(_pages, page);
            if (Unsafe.IsNullRef(ref code))
                continue;
            ulong from = page == physical >> PageShift ? physical & 0xFFF : 0;
            ulong to = page == last >> PageShift ? last & 0xFFF : 0xFFF;
            if ((code.Granules & Granules((int)from, (int)to)) != 0)
                Kill(page, ref code, from, to);
        }

        return BlocksKilled != killed;
    }

    /// <inheritdoc/>
    public void OnHostWrite(Gpa address, ulong length)
    {
        if (_pages.Count == 0 || length == 0)
            return;
        if (length >> PageShift > (ulong)_pages.Count)
            Flush();
        else
            OnWrite(address.Value, length);
    }

    /// <inheritdoc/>
    public void OnSlotsChanged()
    {
        Flush();
        foreach (Processor processor in _processors)
            processor.FlushTlb(false);
    }

    /// <inheritdoc/>
    public void OnDirtyLogCollected()
    {
        foreach (Processor processor in _processors)
            processor.FlushWriteTranslations();
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        if (_disposed)
            return;
        _disposed = true;
        _memory.Unsubscribe(this);
        NativeMemory.AlignedFree(_arena);
    }

    /// <summary>Drops all blocks. No block may be running, except one that leaves without looking at its operations again.</summary>
    private void Flush()
    {
        Array.Clear(_buckets);
        _pages.Clear();
        _used = 0;
        RenewTickets();
    }

    private void RenewTickets()
    {
        foreach (Processor processor in _processors)
            processor.RenewTickets();
    }

    // SAFETY: block addresses come from Commit alone and are void after Flush, which clears every place that holds them.
    private static ref BlockHeader Header(nint block) => ref Unsafe.AsRef<BlockHeader>((void*)block);

    private static int Bucket(ulong physical, ulong key) => (int)((physical ^ (physical >> 14) ^ (key * 0x9E37_79B9)) & (Buckets - 1));

    private static ulong Granules(int from, int to)
    {
        int first = from >> GranuleShift, count = (to >> GranuleShift) - first + 1;
        return (count >= 64 ? ulong.MaxValue : (1UL << count) - 1) << first;
    }

    private nint Enlist(ulong physical, int bytes, nint block)
    {
        ref CodePage page = ref Page(physical);
        nint next = page.First;
        page.First = block;
        page.Granules |= Granules((int)(physical & 0xFFF), (int)(physical & 0xFFF) + bytes - 1);
        return next;
    }

    // A block that crosses is listed in its first page; the second page's list is found through the page before it (see Kill).
    private void EnlistSecond(ulong physical, int bytes)
    {
        ref CodePage page = ref Page(physical);
        page.Granules |= Granules(0, bytes - 1);
    }

    private ref CodePage Page(ulong physical)
    {
        ref CodePage page = ref CollectionsMarshal.GetValueRefOrAddDefault(_pages, physical >> PageShift, out bool existed);
        if (!existed)
        {
            nint host = _memory.HostPage(new Gpa(physical), false);
            foreach (Processor processor in _processors)
                processor.FlushWriteTranslationsTo(host);
        }

        return ref page;
    }

    /// <summary>Kills the blocks that overlap the bytes. Blocks that cross into the page from elsewhere are few and not listed here: when any byte of
    /// the page's first granule is hit, all crossing blocks go.</summary>
    private void Kill(ulong pageNumber, ref CodePage page, ulong from, ulong to)
    {
        ulong start = (pageNumber << PageShift) + from, end = (pageNumber << PageShift) + to;
        bool any = false;
        ulong granules = 0;
        nint previous = 0;
        for (nint at = page.First; at != 0;)
        {
            ref BlockHeader header = ref Header(at);
            nint next = header.NextInPage;
            if (header.Physical <= end && header.Physical + (ulong)header.Bytes > start)
            {
                Die(ref header, at);
                any = true;
                if (previous == 0)
                    page.First = next;
                else
                    Header(previous).NextInPage = next;
            }
            else
            {
                int offset = (int)(header.Physical & 0xFFF);
                granules |= Granules(offset, Math.Min(0xFFF, offset + header.Bytes - 1));
                previous = at;
            }

            at = next;
        }

        if (from < 16)
            any |= KillCrossing(pageNumber);
        else
            granules |= page.Granules & 1;
        page.Granules = granules;
        if (granules == 0)
            _pages.Remove(pageNumber);
        if (any)
            RenewTickets();
    }

    private bool KillCrossing(ulong pageNumber)
    {
        bool any = false;
        for (int bucket = 0; bucket < Buckets; bucket++)
        {
            for (nint at = _buckets[bucket]; at != 0;)
            {
                nint next = Header(at).NextInBucket;
                if (Header(at).SecondPage >> PageShift == pageNumber && Header(at).SecondPage != 0)
                {
                    Unlist(at);
                    Die(ref Header(at), at);
                    any = true;
                }

                at = next;
            }
        }

        return any;
    }

    private void Unlist(nint block)
    {
        ref CodePage page = ref CollectionsMarshal.GetValueRefOrNullRef(_pages, Header(block).Physical >> PageShift);
        if (page.First == block)
        {
            page.First = Header(block).NextInPage;
            return;
        }

        for (nint at = page.First; at != 0; at = Header(at).NextInPage)
        {
            if (Header(at).NextInPage == block)
                Header(at).NextInPage = Header(block).NextInPage;
        }
    }

    private void Die(ref BlockHeader header, nint block)
    {
        BlocksKilled++;
        ref nint link = ref _buckets[Bucket(header.Physical, header.Key)];
        while (link != block)
            link = ref Header(link).NextInBucket;
        link = header.NextInBucket;
        ref Op op = ref Unsafe.As<BlockHeader, Op>(ref Unsafe.Add(ref header, 1));
        for (long i = 0; i <= header.Count; i++)
        {
            // The operation after the last instruction may be a link slot; only handlers of instructions and of a block end are replaced.
            if (i < header.Count || header.EndsByFalling != 0)
                Unsafe.Add(ref op, (nint)i).Handler = Execute.Control.LeaveHere;
        }
    }
}
