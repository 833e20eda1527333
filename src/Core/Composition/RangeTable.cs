using System.Runtime.CompilerServices;

namespace Hv.Core.Composition;

/// <summary>
/// Handlers by the numbers they own (ports, MSR indices, addresses, hypercall numbers): frozen at composition, overlap refused there,
/// looked up by binary search without allocation.
/// </summary>
/// <typeparam name="THandler">The handler.</typeparam>
internal sealed class RangeTable<THandler> where THandler : class
{
    // The ranges and the gaps between them, which have no handler: together every number.
    private readonly Row[] _rows;

    // The row of the last number: guests use one register or port many times over. Any row is right, so that threads may race for it.
    private Row _last;

    /// <summary>Freezes a table.</summary>
    /// <param name="kind">What the numbers are, for the message, for example <c>port</c>.</param>
    /// <param name="rows">The handlers, each with the first and the last number that it owns.</param>
    /// <exception cref="ArgumentException">A range is empty, or two overlap; the message names both owners.</exception>
    public RangeTable(string kind, IEnumerable<(ulong First, ulong Last, THandler Handler)> rows)
    {
        (ulong First, ulong Last, THandler Handler)[] sorted = [.. rows.OrderBy(r => r.First)];
        for (int i = 0; i < sorted.Length; i++)
        {
            if (sorted[i].Last < sorted[i].First)
                throw new ArgumentException($"{sorted[i].Handler.GetType().Name} owns no {kind}: its range ends before it starts", nameof(rows));
            if (i > 0 && sorted[i].First <= sorted[i - 1].Last)
            {
                throw new ArgumentException(
                    $"{kind} 0x{sorted[i].First:x} has two owners, {sorted[i - 1].Handler.GetType().Name} and {sorted[i].Handler.GetType().Name}; " +
                    "register one of them",
                    nameof(rows));
            }
        }

        var all = new List<Row>();
        ulong next = 0;
        bool isFull = false;
        foreach ((ulong first, ulong last, THandler handler) in sorted)
        {
            if (first != next)
                all.Add(new Row(next, first - 1 - next, null));
            all.Add(new Row(first, last - first, handler));
            next = last + 1;
            isFull = last == ulong.MaxValue;
        }

        if (!isFull)
            all.Add(new Row(next, ulong.MaxValue - next, null));
        _rows = [.. all];
        _last = _rows[0];
    }

    /// <summary>The owner of <paramref name="number"/>, or null.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public THandler? Find(ulong number)
    {
        Row last = _last;
        return number - last.First <= last.Span ? last.Handler : Search(number);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private THandler? Search(ulong number)
    {
        // The last row that starts at or below the number; the first one starts at 0.
        int low = 1, high = _rows.Length;
        while (low < high)
        {
            int middle = (int)((uint)(low + high) >> 1);
            if (_rows[middle].First <= number)
                low = middle + 1;
            else
                high = middle;
        }

        Row row = _rows[low - 1];
        _last = row;
        return row.Handler;
    }

    /// <summary>A range and its owner.</summary>
    private sealed class Row(ulong first, ulong span, THandler? handler)
    {
        public readonly ulong First = first;

        /// <summary>What added to <see cref="First"/> gives the last number.</summary>
        public readonly ulong Span = span;

        public readonly THandler? Handler = handler;
    }
}
