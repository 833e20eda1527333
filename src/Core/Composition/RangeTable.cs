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
    /// <param name="owned">The handlers, each with the first and the last number that it owns, in any order.</param>
    /// <exception cref="ArgumentException">A range is empty, or two overlap; the message names both owners.</exception>
    public RangeTable(string kind, IEnumerable<Row> owned)
    {
        List<Row> sorted = [.. owned];
        sorted.Sort(static (a, b) => a.First.CompareTo(b.First));
        var all = new List<Row>(2 * sorted.Count + 1);
        ulong next = 0;
        bool isFull = false;
        foreach (Row row in sorted)
        {
            if (row.First < next || isFull)
            {
                throw new ArgumentException(
                    $"{kind} 0x{row.First:x} has two owners, {NameOf(all[^1])} and {NameOf(row)}; register one of them", nameof(owned));
            }

            ulong last = row.First + row.Span;
            if (last < row.First)
                throw new ArgumentException($"{NameOf(row)} owns no {kind}: its range ends before it starts", nameof(owned));
            if (row.First != next)
                all.Add(new Row(next, row.First - 1, null));
            all.Add(row);
            next = last + 1;
            isFull = last == ulong.MaxValue;
        }

        if (!isFull)
            all.Add(new Row(next, ulong.MaxValue, null));
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

    private static string NameOf(Row row) => row.Handler!.GetType().Name;

    /// <summary>A range and its owner.</summary>
    /// <param name="first">The first number.</param>
    /// <param name="last">The last number.</param>
    /// <param name="handler">The owner, or null for a gap.</param>
    internal sealed class Row(ulong first, ulong last, THandler? handler)
    {
        public readonly ulong First = first;

        /// <summary>What added to <see cref="First"/> gives the last number.</summary>
        public readonly ulong Span = last - first;

        public readonly THandler? Handler = handler;
    }
}
