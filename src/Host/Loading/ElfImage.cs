using System.Buffers.Binary;
using Hv.Core;

namespace Hv.Host.Loading;

/// <summary>
/// Reads statically linked ELF32 and ELF64 executables: PT_LOAD segments at their physical addresses (ELF gABI, "Program Header"). Every
/// field is a stranger's: each is checked against the file before it is used, and the work is bounded by the 65,534 headers a file can declare.
/// </summary>
internal static class ElfImage
{
    private const int HeaderSize32 = 52, HeaderSize64 = 64, ProgramHeaderSize32 = 32, ProgramHeaderSize64 = 56;
    private const ushort TypeExecutable = 2, TypeShared = 3, MachineI386 = 3, MachineX64 = 62, ExtendedNumbering = 0xFFFF;
    private const uint SegmentLoad = 1, SegmentInterpreter = 3;

    private readonly record struct ProgramHeader(uint Type, ulong Offset, ulong VirtualAddress, ulong PhysicalAddress, ulong FileSize,
        ulong MemorySize, ulong Align);

    /// <summary>Whether the file starts as an ELF file does.</summary>
    public static bool IsElf(ReadOnlySpan<byte> head) => head.StartsWith("\x7f"u8) && head[1..].StartsWith("ELF"u8);

    /// <summary>Reads the headers.</summary>
    /// <exception cref="CommandException">The file is truncated, contradicts itself, or is not a static x86 executable.</exception>
    public static GuestImage Parse(GuestFile file)
    {
        byte[] head = file.ReadHead(HeaderSize64);
        if (head.Length < HeaderSize32)
            throw Bad(file, $"the ELF header is cut off after {head.Length} bytes; the file is truncated");
        bool is64 = head[4] switch
        {
            1 => false,
            2 => true,
            _ => throw Bad(file, $"the ELF class is {head[4]}; it must be 1 (32-bit) or 2 (64-bit)"),
        };
        if (is64 && head.Length < HeaderSize64)
            throw Bad(file, $"the ELF header is cut off after {head.Length} bytes; the file is truncated");
        if (head[5] != 1)
            throw Bad(file, "is big-endian; an x86 guest is little-endian");

        ReadOnlySpan<byte> h = head;
        ushort type = U16(h, 16), machine = U16(h, 18);
        if (machine is not (MachineI386 or MachineX64) || (is64 && machine == MachineI386))
            throw Bad(file, $"is built for ELF machine {machine}; hv runs x86 ({MachineI386}) and x86-64 ({MachineX64})");
        if (type == TypeShared)
            throw Bad(file, "is position-independent; link it with -static -no-pie and a fixed address");
        if (type != TypeExecutable)
            throw Bad(file, $"has ELF type {type}, not an executable (2); link it first");

        ulong entry = is64 ? U64(h, 24) : U32(h, 24);
        ulong tableOffset = is64 ? U64(h, 32) : U32(h, 28);
        ushort entrySize = U16(h, is64 ? 54 : 42), count = U16(h, is64 ? 56 : 44);
        List<ProgramHeader> headers = ReadTable(file, is64, tableOffset, entrySize, count);
        List<ImageSegment> segments = LoadableSegments(file, headers);
        ulong start = PhysicalEntry(headers, entry);
        if (!segments.Exists(s => start - s.Start.Value < s.MemorySize))
            throw Bad(file, $"the entry point 0x{entry:x} lies in none of its {segments.Count} loaded segments; check the linker script's ENTRY");
        return new GuestImage(is64 ? "ELF64" : "ELF32", is64 ? EntryMode.Long : EntryMode.Protected, start, segments);
    }

    private static List<ProgramHeader> ReadTable(GuestFile file, bool is64, ulong offset, ushort entrySize, ushort count)
    {
        int expected = is64 ? ProgramHeaderSize64 : ProgramHeaderSize32;
        if (count == 0)
            throw Bad(file, "has no program headers; it is an object file or was not linked for loading");
        if (count == ExtendedNumbering)
            throw Bad(file, "has more than 65,534 program headers; no guest needs that many");
        if (entrySize != expected)
            throw Bad(file, $"has program headers of {entrySize} bytes; they must be {expected}");
        byte[] table = new byte[count * expected];
        if (!file.TryRead(offset, table))
            throw Bad(file,
                $"the program headers at 0x{offset:x} (0x{table.Length:x} bytes) lie beyond the file's end 0x{file.Length:x}; the file is truncated");

        var headers = new List<ProgramHeader>(count);
        for (int i = 0; i < count; i++)
        {
            ReadOnlySpan<byte> p = table.AsSpan(i * expected, expected);
            headers.Add(is64
                ? new ProgramHeader(U32(p, 0), U64(p, 8), U64(p, 16), U64(p, 24), U64(p, 32), U64(p, 40), U64(p, 48))
                : new ProgramHeader(U32(p, 0), U32(p, 4), U32(p, 8), U32(p, 12), U32(p, 16), U32(p, 20), U32(p, 28)));
        }

        return headers;
    }

    private static List<ImageSegment> LoadableSegments(GuestFile file, List<ProgramHeader> headers)
    {
        var segments = new List<ImageSegment>();
        for (int i = 0; i < headers.Count; i++)
        {
            ProgramHeader p = headers[i];
            if (p.Type == SegmentInterpreter)
                throw Bad(file, "is dynamically linked; link it with -static");
            if (p.Type != SegmentLoad || p.MemorySize == 0)
                continue;
            if (p.FileSize > p.MemorySize)
                throw Bad(file, $"segment {i} has 0x{p.FileSize:x} bytes in the file for 0x{p.MemorySize:x} in memory; the header is damaged");
            if (p.Offset > file.Length || p.FileSize > file.Length - p.Offset)
                throw Bad(file,
                    $"segment {i} (0x{p.FileSize:x} bytes at 0x{p.Offset:x}) lies beyond the file's end 0x{file.Length:x}; the file is truncated");
            if (p.PhysicalAddress + p.MemorySize < p.PhysicalAddress)
                throw Bad(file,
                    $"segment {i} at 0x{p.PhysicalAddress:x} with 0x{p.MemorySize:x} bytes wraps around the address space; the header is damaged");
            // The alignment is for loaders that map the file; hv copies, so only a value that cannot be one is refused.
            if ((p.Align & (p.Align - 1)) != 0)
                throw Bad(file, $"segment {i} has the alignment 0x{p.Align:x}, not a power of two; the header is damaged");
            segments.Add(new ImageSegment(new Gpa(p.PhysicalAddress), p.Offset, p.FileSize, p.MemorySize));
        }

        if (segments.Count == 0)
            throw Bad(file, "has nothing to load: no PT_LOAD segment with a size");
        segments.Sort((a, b) => a.Start.Value.CompareTo(b.Start.Value));
        for (int i = 1; i < segments.Count; i++)
        {
            if (segments[i].Start.Value < segments[i - 1].End)
                throw Bad(file, $"two segments overlap at {segments[i].Start}; check the physical addresses (AT) in the linker script");
        }

        return segments;
    }

    /// <summary>A kernel linked for the upper half names its entry by virtual address; it is entered at the physical one, as GRUB does.</summary>
    private static ulong PhysicalEntry(List<ProgramHeader> headers, ulong entry)
    {
        foreach (ProgramHeader p in headers)
        {
            if (p.Type == SegmentLoad && entry - p.VirtualAddress < p.MemorySize)
                return entry - p.VirtualAddress + p.PhysicalAddress;
        }

        return entry;
    }

    private static CommandException Bad(GuestFile file, string what) => CommandException.BadGuest($"{file.Name}: {what}");

    private static ushort U16(ReadOnlySpan<byte> s, int at) => BinaryPrimitives.ReadUInt16LittleEndian(s[at..]);

    private static uint U32(ReadOnlySpan<byte> s, int at) => BinaryPrimitives.ReadUInt32LittleEndian(s[at..]);

    private static ulong U64(ReadOnlySpan<byte> s, int at) => BinaryPrimitives.ReadUInt64LittleEndian(s[at..]);
}
