namespace Hv.Core.Composition;

/// <summary>
/// Handlers by the numbers they own (ports, MSR indices, addresses, hypercall numbers): frozen at composition, overlap refused there,
/// looked up by binary search without allocation.
/// </summary>
/// <typeparam name="THandler">The handler.</typeparam>
internal sealed class RangeTable<THandler> where THandler : class
{
    private readonly ulong[] _firsts;
    private readonly ulong[] _lasts;
    private readonly THandler[] _handlers;

    // Where the last number was found: guests use one register or port many times over. Any value is safe, so that threads may race for it.
    private int _last;

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

        _firsts = [.. sorted.Select(r => r.First)];
        _lasts = [.. sorted.Select(r => r.Last)];
        _handlers = [.. sorted.Select(r => r.Handler)];
    }

    /// <summary>The owner of <paramref name="number"/>, or null.</summary>
    public THandler? Find(ulong number)
    {
        ulong[] firsts = _firsts;
        int last = _last;
        if ((uint)last < (uint)firsts.Length && number >= firsts[last] && number <= _lasts[last])
            return _handlers[last];
        int low = 0, high = firsts.Length;
        while (low < high)
        {
            int middle = (int)((uint)(low + high) >> 1);
            if (firsts[middle] <= number)
                low = middle + 1;
            else
                high = middle;
        }

        if (low == 0 || number > _lasts[low - 1])
            return null;
        _last = low - 1;
        return _handlers[low - 1];
    }
}
