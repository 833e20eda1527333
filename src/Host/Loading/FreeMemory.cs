namespace Hv.Host.Loading;

/// <summary>The parts of low guest memory that nothing occupies yet; hands them out from the bottom up.</summary>
internal sealed class FreeMemory
{
    private readonly ulong _top;
    private readonly SortedDictionary<ulong, ulong> _used = [];

    /// <summary>Starts with memory from 0 to <paramref name="top"/> without <paramref name="segments"/>.</summary>
    public FreeMemory(ulong top, IReadOnlyList<ImageSegment> segments)
    {
        _top = top;
        foreach (ImageSegment segment in segments)
            _used[segment.Start.Value] = segment.End;
    }

    /// <summary>Takes the lowest free run in [<paramref name="from"/>, <paramref name="below"/>), or anywhere above it.</summary>
    /// <param name="size">Bytes, not 0.</param>
    /// <param name="alignment">A power of two.</param>
    /// <param name="from">The lowest address to use.</param>
    /// <param name="below">The address to stay under.</param>
    /// <param name="start">The first byte of the run.</param>
    public bool TryTake(ulong size, ulong alignment, ulong from, ulong below, out ulong start)
    {
        ulong end = Math.Min(below, _top);
        start = Align(from, alignment);
        foreach ((ulong usedStart, ulong usedEnd) in _used)
        {
            if (usedEnd <= start)
                continue;
            if (start < usedStart && usedStart - start >= size)
                break;
            start = Align(usedEnd, alignment);
        }

        if (start < from || start >= end || size > end - start)
            return false;
        _used[start] = start + size;
        return true;
    }

    private static ulong Align(ulong value, ulong alignment) => (value + alignment - 1) & ~(alignment - 1);
}
