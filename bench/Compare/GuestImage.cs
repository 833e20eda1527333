using System.Buffers.Binary;

namespace Hv.Bench.Compare;

/// <summary>A benchmark guest: the bytes of bench/Guests/images, whose amount of work is a word behind the multiboot header.</summary>
internal sealed class GuestImage(string name, byte[] bytes)
{
    private const int RoundsOffset = 4 + 8 * 4;
    private const int SectorSize = 512, ChunkSize = 64 * SectorSize, Cylinders = 20, Heads = 16, SectorsPerTrack = 63;

    /// <summary>The file's name without its ending.</summary>
    public string Name { get; } = name;

    /// <summary>Writes the image with <paramref name="rounds"/> of work to a new file.</summary>
    public string WriteTo(string directory, uint rounds)
    {
        string path = Path.Combine(directory, $"{Name}-{rounds}.bin");
        File.WriteAllBytes(path, WithRounds(rounds));
        return path;
    }

    /// <summary>Writes a disk whose boot sector (bench/Guests/boot.S) loads the image as a multiboot loader would.</summary>
    public string WriteDiskTo(string directory, byte[] bootSector, uint rounds)
    {
        byte[] disk = new byte[Cylinders * Heads * SectorsPerTrack * SectorSize];
        bootSector.CopyTo(disk, 0);
        BinaryPrimitives.WriteInt32LittleEndian(disk.AsSpan(504), (bytes.Length + ChunkSize - 1) / ChunkSize);
        WithRounds(rounds).CopyTo(disk, SectorSize);
        string path = Path.Combine(directory, $"{Name}-{rounds}.img");
        File.WriteAllBytes(path, disk);
        return path;
    }

    private byte[] WithRounds(uint rounds)
    {
        byte[] copy = [.. bytes];
        BinaryPrimitives.WriteUInt32LittleEndian(copy.AsSpan(RoundsOffset), rounds);
        return copy;
    }
}
