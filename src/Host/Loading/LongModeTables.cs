using System.Buffers.Binary;

namespace Hv.Host.Loading;

/// <summary>
/// Page tables that map linear addresses to the same guest-physical ones with 2 MiB pages (SDM 3A 4.5), writable and executable by the
/// supervisor. 2 MiB because 1 GiB pages are a CPUID feature that a configured table may lack.
/// </summary>
internal static class LongModeTables
{
    /// <summary>What one PDPT covers; more is not mapped.</summary>
    public const ulong MostMapped = 512UL << 30;

    private const int PageSize = 4096, Entries = 512;
    private const ulong Present = 1, Writable = 2, LargePage = 1 << 7, GiB = 1UL << 30;

    /// <summary>Bytes of tables that map [0, <paramref name="end"/>), and at least the first 4 GiB.</summary>
    public static ulong SizeFor(ulong end) => (2 + Directories(end)) * PageSize;

    /// <summary>The tables as they must lie at <paramref name="address"/>, which is also CR3.</summary>
    public static byte[] Build(ulong address, ulong end)
    {
        ulong directories = Directories(end);
        byte[] tables = new byte[SizeFor(end)];
        Put(tables, 0, (address + PageSize) | Present | Writable);
        for (ulong d = 0; d < directories; d++)
            Put(tables, PageSize + d * 8, (address + (2 + d) * PageSize) | Present | Writable);
        for (ulong page = 0; page < directories * Entries; page++)
            Put(tables, 2 * PageSize + page * 8, (page << 21) | Present | Writable | LargePage);
        return tables;
    }

    private static ulong Directories(ulong end) => (Math.Clamp(end, 4 * GiB, MostMapped) + GiB - 1) / GiB;

    private static void Put(byte[] tables, ulong at, ulong value) => BinaryPrimitives.WriteUInt64LittleEndian(tables.AsSpan((int)at), value);
}
