namespace Hv.Conformance.Oracle;

/// <summary>
/// The linear addresses of a case's world, the same on silicon (the worker process) and on hv's side (guest page tables), so that every address,
/// error
/// code and CR2 can be compared as it is. All lie below 2 GiB: 32-bit code reaches them, and the worker stores registers by absolute address.
/// </summary>
public static class OracleMap
{
    public const int PageSize = 4096;

    /// <summary>Readable and executable code; the page after it is not mapped, so that an instruction can be cut off by the end of memory.</summary>
    public const uint Code = 0x1000_0000;
    public const int CodeSize = 16 * PageSize;

    /// <summary>Code that is writable too: for self-modifying blocks.</summary>
    public const uint WritableCode = 0x1100_0000;
    public const int WritableCodeSize = 4 * PageSize;

    /// <summary>Two pages of data; the pages around them are not mapped.</summary>
    public const uint Data = 0x1200_0000;
    public const int DataSize = 2 * PageSize;

    /// <summary>The part of the data that every case sets and reports: it straddles the boundary between the two pages.</summary>
    public const uint Window = Data + PageSize - WindowSize / 2;
    public const int WindowSize = 256;

    /// <summary>The other part that every case sets and reports: the last bytes before the hole, so that accesses can straddle into it.</summary>
    public const uint Edge = Data + DataSize - EdgeSize;
    public const int EdgeSize = 64;

    /// <summary>One page that may only be read; its bytes are <see cref="ReadOnlyByte"/>.</summary>
    public const uint ReadOnly = 0x1300_0000;
    public const int ReadOnlySize = PageSize;

    /// <summary>FS and GS base of every case.</summary>
    public const ulong FsBase = 0x1200_0800, GsBase = 0x11FF_F000;

    /// <summary>Selectors that the kernel gives user processes (arch/x86/include/asm/segment.h), and the worker's own LDT entries for 16-bit code and
    /// data.</summary>
    public const ushort Code64 = 0x33, Code32 = 0x23, Data32 = 0x2B, Code16 = 0x07, Data16 = 0x0F;

    /// <summary>The worker's LDT entries for ES and DS of 32-bit and 64-bit code: flat like <see cref="Data32"/>, but told apart from it and each
    /// other.</summary>
    public const ushort Extra32 = 0x17, Other32 = 0x1F;

    /// <summary>The worker's own pages: a case that touches them says nothing and is not counted.</summary>
    public const uint Reserved = 0x0040_0000;
    public const int ReservedSize = 4 * PageSize;

    /// <summary>The worker's stacks and the mailbox, with room: the same goes for them.</summary>
    public const ulong HighReserved = 0x6FFF_0000_0000, HighReservedSize = 0x1_1000_0000;

    /// <summary>The byte at <paramref name="offset"/> of the read-only page.</summary>
    public static byte ReadOnlyByte(int offset) => (byte)((offset * 37) ^ (offset >> 5));
}
