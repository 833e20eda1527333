using System.Buffers.Binary;

namespace Hv.Host.Tests.Loading;

/// <summary>Makes small ELF executables field by field (ELF gABI, "ELF Header" and "Program Header").</summary>
internal sealed class ElfBuilder(bool is64)
{
    public const int SegmentOffset = 0x200;

    public ushort Type = 2, Machine = is64 ? (ushort)62 : (ushort)3, ProgramHeaderSize = is64 ? (ushort)56 : (ushort)32;
    public ushort? Count;
    public ulong Entry = 0x10_0000;
    public ulong? TableOffset;
    public byte Class = is64 ? (byte)2 : (byte)1, Endianness = 1;
    public List<Segment> Segments = [];

    /// <summary>One program header and its bytes; the fields that are null follow from the bytes.</summary>
    public sealed class Segment
    {
        public uint Type = 1;
        public ulong Physical = 0x10_0000, Align = 0x1000;
        public ulong? Virtual, MemorySize, Offset;
        public byte[] Content = [];
    }

    /// <summary>An image with one segment of <paramref name="content"/> at 1 MiB, entered at its first byte.</summary>
    public static ElfBuilder WithCode(bool is64, params byte[] content) => new(is64) { Segments = [new Segment { Content = content }] };

    public byte[] Build()
    {
        int header = is64 ? 64 : 52, entry = is64 ? 56 : 32;
        var image = new List<byte>(new byte[Math.Max(SegmentOffset, header + Segments.Count * entry)]);
        byte[] table = new byte[Segments.Count * entry];
        for (int i = 0; i < Segments.Count; i++)
        {
            Segment s = Segments[i];
            ulong offset = s.Offset ?? (ulong)image.Count, fileSize = (ulong)s.Content.Length, memorySize = s.MemorySize ?? fileSize;
            image.AddRange(s.Content);
            Span<byte> p = table.AsSpan(i * entry, entry);
            ulong[] words = [offset, s.Virtual ?? s.Physical, s.Physical, fileSize, memorySize];
            Put32(p, 0, s.Type);
            for (int w = 0; w < words.Length; w++)
            {
                if (is64)
                    BinaryPrimitives.WriteUInt64LittleEndian(p[(8 + w * 8)..], words[w]);
                else
                    Put32(p, 4 + w * 4, (uint)words[w]);
            }

            if (is64)
                BinaryPrimitives.WriteUInt64LittleEndian(p[48..], s.Align);
            else
                Put32(p, 28, (uint)s.Align);
        }

        byte[] file = [.. image];
        table.CopyTo(file, header);
        new byte[] { 0x7F, (byte)'E', (byte)'L', (byte)'F', Class, Endianness, 1 }.CopyTo(file, 0);
        Span<byte> h = file;
        Put16(h, 16, Type);
        Put16(h, 18, Machine);
        Put32(h, 20, 1);
        ulong tableOffset = TableOffset ?? (ulong)header;
        if (is64)
        {
            BinaryPrimitives.WriteUInt64LittleEndian(h[24..], Entry);
            BinaryPrimitives.WriteUInt64LittleEndian(h[32..], tableOffset);
        }
        else
        {
            Put32(h, 24, (uint)Entry);
            Put32(h, 28, (uint)tableOffset);
        }

        Put16(h, is64 ? 52 : 40, (ushort)header);
        Put16(h, is64 ? 54 : 42, ProgramHeaderSize);
        Put16(h, is64 ? 56 : 44, Count ?? (ushort)Segments.Count);
        return file;
    }

    private static void Put16(Span<byte> s, int at, ushort value) => BinaryPrimitives.WriteUInt16LittleEndian(s[at..], value);

    private static void Put32(Span<byte> s, int at, uint value) => BinaryPrimitives.WriteUInt32LittleEndian(s[at..], value);
}
