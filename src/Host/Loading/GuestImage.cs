using Hv.Core;

namespace Hv.Host.Loading;

/// <summary>The processor mode in which a guest is entered.</summary>
internal enum EntryMode
{
    /// <summary>Real-address mode.</summary>
    Real,

    /// <summary>32-bit protected mode, flat segments, paging off.</summary>
    Protected,

    /// <summary>64-bit mode over identity-mapped paging.</summary>
    Long,
}

/// <summary>One run of guest-physical memory that an image fills.</summary>
/// <param name="Start">The first byte.</param>
/// <param name="FileOffset">Where its bytes are in the file.</param>
/// <param name="FileSize">Bytes taken from the file, 0..<paramref name="MemorySize"/>; the rest is zeros.</param>
/// <param name="MemorySize">Bytes in memory; not 0, and <c>Start + MemorySize</c> does not wrap.</param>
internal readonly record struct ImageSegment(Gpa Start, ulong FileOffset, ulong FileSize, ulong MemorySize)
{
    /// <summary>The first byte after it.</summary>
    public ulong End => Start.Value + MemorySize;
}

/// <summary>
/// What a guest file asks for, after its headers were checked against each other and against the file's length, but not yet against a guest's
/// memory.
/// </summary>
/// <param name="Format">For messages, for example <c>ELF64</c>.</param>
/// <param name="Mode">The mode of its entry.</param>
/// <param name="Entry">The guest-physical address of its first instruction.</param>
/// <param name="Segments">By ascending address, without overlap.</param>
internal sealed record GuestImage(string Format, EntryMode Mode, ulong Entry, IReadOnlyList<ImageSegment> Segments)
{
    /// <summary>The first byte after the last segment.</summary>
    public ulong End => Segments.Count == 0 ? 0 : Segments[^1].End;
}
