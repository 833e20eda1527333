namespace Hv.Core.Memory;

/// <summary>The contents of guest memory at one moment: only pages that are not all zero are kept.</summary>
public sealed class MemorySnapshot
{
    private const int LongestRun = 256 * Gpa.PageSize;

    private readonly (Gpa Start, ulong Size, SlotKind Kind)[] _slots;
    private readonly List<(Gpa Start, byte[] Bytes)> _runs = [];

    private MemorySnapshot(IReadOnlyList<MemorySlot> slots) => _slots = [.. slots.Select(s => (s.Start, s.Size, s.Kind))];

    /// <summary>Bytes kept.</summary>
    public long StoredBytes => _runs.Sum(r => (long)r.Bytes.Length);

    /// <summary>Copies a memory. No vCPU may run meanwhile.</summary>
    public static MemorySnapshot Of(GuestMemory memory)
    {
        var snapshot = new MemorySnapshot(memory.Slots);
        byte[] run = new byte[LongestRun];
        foreach (MemorySlot slot in memory.Slots)
        {
            int length = 0;
            for (ulong offset = 0; offset < slot.Size; offset += Gpa.PageSize)
            {
                Span<byte> page = run.AsSpan(length, Gpa.PageSize);
                memory.TryRead(slot.Start + offset, page);
                bool used = page.ContainsAnyExcept((byte)0);
                if (used)
                    length += Gpa.PageSize;
                if (length != 0 && (!used || length == LongestRun || offset + Gpa.PageSize == slot.Size))
                {
                    ulong end = used ? offset + Gpa.PageSize : offset;
                    snapshot._runs.Add((slot.Start + (end - (ulong)length), run[..length]));
                    length = 0;
                }
            }
        }

        return snapshot;
    }

    /// <summary>Writes the contents back. No vCPU may run meanwhile. Every page is marked dirty.</summary>
    /// <exception cref="ArgumentException">The memory has other slots than the saved one.</exception>
    public void CopyTo(GuestMemory memory)
    {
        if (!memory.Slots.Select(s => (s.Start, s.Size, s.Kind)).SequenceEqual(_slots))
            throw new ArgumentException("a snapshot is restored into memory with the same slots as it was saved from", nameof(memory));
        byte[] zeros = new byte[LongestRun];
        foreach (MemorySlot slot in memory.Slots)
        {
            for (ulong offset = 0; offset < slot.Size; offset += LongestRun)
                memory.TryLoad(slot.Start + offset, zeros.AsSpan(0, (int)Math.Min(LongestRun, slot.Size - offset)));
        }

        foreach ((Gpa start, byte[] bytes) in _runs)
            memory.TryLoad(start, bytes);
    }
}
