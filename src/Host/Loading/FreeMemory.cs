namespace Hv.Host.Loading;

/// <summary>The parts of low guest memory that nothing occupies yet; hands them out from the bottom up.</summary>
internal sealed class FreeMemory
{
    private readonly ulong _top;
    private readonly List<Run> _used = [];

    /// <summary>Starts with memory from 0 to <paramref name="top"/> without <paramref name="segments"/>, which ascend.</summary>
    public FreeMemory(ulong top, IReadOnlyList<ImageSegment> segments)
    {
        _top = top;
        foreach (ImageSegment segment in segments)
            _used.Add(new Run(segment.Start.Value, segment.End));
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
        int at = 0;
        for (; at < _used.Count; at++)
        {
            Run used = _used[at];
            if (used.End <= start)
                continue;
            if (start < used.Start && used.Start - start >= size)
                break;
            start = Align(used.End, alignment);
        }

        if (start < from || start >= end || size > end - start)
            return false;
        _used.Insert(at, new Run(start, start + size));
        return true;
    }

    private static ulong Align(ulong value, ulong alignment) => (value + alignment - 1) & ~(alignment - 1);

    private sealed class Run(ulong start, ulong end)
    {
        public readonly ulong Start = start, End = end;
    }
}
