using System.Buffers.Binary;
using Hv.Conformance.Ring0.Cases;

namespace Hv.Conformance.Ring0.Guest;

/// <summary>A guest that runs a list of cases: a multiboot image with addresses in its header, which is also what the boot sector loads.</summary>
public sealed class GuestImage
{
    private const uint HeaderMagic = 0x1BADB002, HasAddresses = 1 << 16;
    private const int HeaderOffset = 4, SectorSize = 512, ChunkSize = 64 * SectorSize, Cylinders = 20, Heads = 16, SectorsPerTrack = 63;

    private static readonly byte[] _monitor = Monitor.Build(out _returnAddress), _low = LowCode.Build(_returnAddress);
    private static uint _returnAddress;
    private readonly byte[] _bytes;
    private readonly uint[] _offsets;

    /// <summary>Lays out the cases.</summary>
    public GuestImage(IReadOnlyList<Ring0Case> cases)
    {
        Cases = cases;
        uint low = Layout.MonitorCode - Layout.Image + (uint)((_monitor.Length + 15) & ~15), templates = low + (uint)_low.Length;
        uint start = templates + 3 * Layout.ArenaSize;
        using var stream = new MemoryStream();
        _offsets = new uint[cases.Count];
        for (int i = 0; i < cases.Count; i++)
        {
            _offsets[i] = start + (uint)stream.Position;
            Write(stream, cases[i]);
        }

        _bytes = new byte[start + stream.Length];
        Header((uint)_bytes.Length);
        _monitor.CopyTo(_bytes, Layout.MonitorCode - Layout.Image);
        _low.CopyTo(_bytes, low);
        foreach (BootMode mode in Enum.GetValues<BootMode>())
            ArenaTemplate.Of(mode).CopyTo(_bytes.AsSpan((int)(templates + (uint)mode * Layout.ArenaSize)));
        stream.ToArray().CopyTo(_bytes, start);
        Parameter(_bytes, Monitor.CaseCount, (uint)cases.Count);
        Parameter(_bytes, Monitor.LowSource, Layout.Image + low);
        Parameter(_bytes, Monitor.Templates, Layout.Image + templates);
    }

    /// <summary>The cases in order.</summary>
    public IReadOnlyList<Ring0Case> Cases { get; }

    /// <summary>The image that begins with the case <paramref name="first"/>.</summary>
    public byte[] From(int first)
    {
        byte[] copy = [.. _bytes];
        Parameter(copy, Monitor.FirstCase, (uint)first);
        Parameter(copy, Monitor.Cases, Layout.Image + _offsets[first]);
        return copy;
    }

    /// <summary>A disk that boots to <see cref="From"/>.</summary>
    public byte[] DiskFrom(int first)
    {
        byte[] image = From(first), disk = new byte[Cylinders * Heads * SectorsPerTrack * SectorSize];
        using Stream sector = typeof(GuestImage).Assembly.GetManifestResourceStream("boot.bin")!;
        sector.ReadExactly(disk, 0, SectorSize);
        BinaryPrimitives.WriteInt32LittleEndian(disk.AsSpan(504), (image.Length + ChunkSize - 1) / ChunkSize);
        image.CopyTo(disk, SectorSize);
        return disk;
    }

    private static void Write(MemoryStream stream, Ring0Case @case)
    {
        var writer = new BinaryWriter(stream);
        writer.Write((ushort)@case.Mode);
        writer.Write((ushort)@case.Pokes.Count);
        foreach ((uint address, byte[] bytes) in @case.Pokes)
        {
            if (address < Layout.Arena || address + bytes.Length > Layout.Arena + Layout.ArenaSize)
                throw new InvalidOperationException($"{@case.Name} writes {bytes.Length} bytes at 0x{address:x}, outside the arena");
            writer.Write(address);
            writer.Write(bytes.Length);
            writer.Write(bytes);
            while (stream.Position % 4 != 0)
                writer.Write((byte)0);
        }

        writer.Flush();
    }

    private void Header(uint size)
    {
        // The loaders that know no header jump to the first byte.
        _bytes[0] = 0xEB;
        _bytes[1] = (byte)(Layout.MonitorCode - Layout.Image - 2);
        uint[] words = [HeaderMagic, HasAddresses, unchecked(0u - HeaderMagic - HasAddresses), Layout.Image + HeaderOffset, Layout.Image,
            Layout.Image + size,
            Layout.Image + size, Layout.MonitorCode];
        for (int i = 0; i < words.Length; i++)
            BinaryPrimitives.WriteUInt32LittleEndian(_bytes.AsSpan(HeaderOffset + i * 4), words[i]);
    }

    private static void Parameter(byte[] image, int index, uint value) =>
        BinaryPrimitives.WriteUInt32LittleEndian(image.AsSpan((int)(Layout.Parameters - Layout.Image) + index * 4), value);
}
