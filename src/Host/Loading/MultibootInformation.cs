using System.Buffers.Binary;
using System.Text;

namespace Hv.Host.Loading;

/// <summary>A run of guest-physical memory in the map that a guest is told of.</summary>
/// <param name="Start">The first byte.</param>
/// <param name="Size">Bytes.</param>
/// <param name="IsUsable">Whether the guest may use it as RAM; else it is reserved.</param>
internal readonly record struct MapEntry(ulong Start, ulong Size, bool IsUsable);

/// <summary>A file that was loaded beside the guest.</summary>
/// <param name="Start">The guest-physical address of its first byte; page-aligned.</param>
/// <param name="End">The first byte after it.</param>
/// <param name="CommandLine">Its string: the path and what followed it.</param>
internal readonly record struct LoadedModule(uint Start, uint End, string CommandLine);

/// <summary>
/// The boot information structure of multiboot-1 with everything it points to, in one block (Multiboot 0.6.96, 3.3): memory sizes,
/// command line, modules, memory map, loader name.
/// </summary>
internal sealed class MultibootInformation
{
    /// <summary>What EAX holds at the entry.</summary>
    public const uint BootMagic = 0x2BADB002;

    private const int StructureSize = 88, ModuleSize = 16, MapEntrySize = 24;
    private const uint HasMemory = 1 << 0, HasCommandLine = 1 << 2, HasModules = 1 << 3, HasMap = 1 << 6, HasLoaderName = 1 << 9;
    private const uint TypeUsable = 1, TypeReserved = 2;

    private static readonly byte[] LoaderName = "hv\0"u8.ToArray();

    /// <summary>The memory map, by ascending address.</summary>
    public required IReadOnlyList<MapEntry> Map { get; init; }

    /// <summary>Usable bytes from 0 up.</summary>
    public required ulong LowerSize { get; init; }

    /// <summary>Usable bytes from 1 MiB up, to the first hole.</summary>
    public required ulong UpperSize { get; init; }

    /// <summary>The kernel's command line.</summary>
    public required string CommandLine { get; init; }

    /// <summary>The modules.</summary>
    public required IReadOnlyList<LoadedModule> Modules { get; init; }

    /// <summary>Bytes that <see cref="Build"/> gives.</summary>
    public int Size => StructureSize + Modules.Count * ModuleSize + Map.Count * MapEntrySize + LoaderName.Length
        + TextSize(CommandLine) + Modules.Sum(m => TextSize(m.CommandLine));

    /// <summary>The block as it must lie at <paramref name="address"/>.</summary>
    public byte[] Build(uint address)
    {
        byte[] block = new byte[Size];
        int modules = StructureSize, map = modules + Modules.Count * ModuleSize, name = map + Map.Count * MapEntrySize,
            text = name + LoaderName.Length;
        Put(block, 0, HasMemory | HasCommandLine | HasModules | HasMap | HasLoaderName);
        Put(block, 4, (uint)(LowerSize / 1024));
        Put(block, 8, (uint)Math.Min(UpperSize / 1024, uint.MaxValue));
        Put(block, 16, address + (uint)text);
        text = PutText(block, text, CommandLine);
        Put(block, 20, (uint)Modules.Count);
        Put(block, 24, address + (uint)modules);
        for (int i = 0; i < Modules.Count; i++)
        {
            int at = modules + i * ModuleSize;
            Put(block, at, Modules[i].Start);
            Put(block, at + 4, Modules[i].End);
            Put(block, at + 8, address + (uint)text);
            text = PutText(block, text, Modules[i].CommandLine);
        }

        Put(block, 44, (uint)(Map.Count * MapEntrySize));
        Put(block, 48, address + (uint)map);
        for (int i = 0; i < Map.Count; i++)
        {
            int at = map + i * MapEntrySize;
            Put(block, at, MapEntrySize - 4);
            BinaryPrimitives.WriteUInt64LittleEndian(block.AsSpan(at + 4), Map[i].Start);
            BinaryPrimitives.WriteUInt64LittleEndian(block.AsSpan(at + 12), Map[i].Size);
            Put(block, at + 20, Map[i].IsUsable ? TypeUsable : TypeReserved);
        }

        Put(block, 64, address + (uint)name);
        LoaderName.CopyTo(block.AsSpan(name));
        return block;
    }

    private static int TextSize(string text) => Encoding.UTF8.GetByteCount(text) + 1;

    private static void Put(byte[] block, int at, uint value) => BinaryPrimitives.WriteUInt32LittleEndian(block.AsSpan(at), value);

    private static int PutText(byte[] block, int at, string text) => at + Encoding.UTF8.GetBytes(text, block.AsSpan(at)) + 1;
}
