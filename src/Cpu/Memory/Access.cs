using Hv.Cpu.Virtualization;

namespace Hv.Cpu.Memory;

/// <summary>How a linear address is used, for the page walk's checks.</summary>
internal enum AccessKind : byte
{
    Read,
    Write,
    Execute,
}

/// <summary>The outcome of a page walk.</summary>
internal struct Walk
{
    /// <summary>The guest-physical address, before the layer's nested translation.</summary>
    public ulong Physical;

    /// <summary>Bytes that the mapping covers: 4 KiB to 1 GiB.</summary>
    public ulong PageSize;

    /// <summary>What further accesses the page's rights allow in the walk's privilege: a later read, a later write with the dirty bit set
    /// already.</summary>
    public bool Readable, WritableNow, Global;

    /// <summary>Bits of the #PF error code; meaningful when the walk failed.</summary>
    public uint ErrorCode;
}

/// <summary>#PF error code bits (SDM 3A 4.7).</summary>
internal static class PageFault
{
    internal const uint Present = 1, Write = 2, User = 4, Reserved = 8, Fetch = 16;
    internal const byte Vector = 14;
}
