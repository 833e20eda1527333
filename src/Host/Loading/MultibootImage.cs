using System.Buffers.Binary;
using Hv.Core;

namespace Hv.Host.Loading;

/// <summary>
/// Finds the multiboot-1 header and reads what it asks for (Multiboot 0.6.96, 3.1): an ELF image, or the a.out kludge with
/// addresses in the header itself.
/// </summary>
internal static class MultibootImage
{
    /// <summary>The magic value at the front of the header.</summary>
    public const uint HeaderMagic = 0x1BADB002;

    /// <summary>The header lies in this many first bytes of the file.</summary>
    public const int SearchLength = 8192;

    private const int MinimumHeader = 12, AddressedHeader = 32;
    private const uint AlignModules = 1 << 0, WantMemory = 1 << 1, WantVideo = 1 << 2, HasAddresses = 1 << 16;
    private const uint RequiredMask = 0xFFFF, Understood = AlignModules | WantMemory | WantVideo;

    /// <summary>The offset of a header with a right checksum, or -1.</summary>
    public static int FindHeader(ReadOnlySpan<byte> head)
    {
        head = head[..Math.Min(head.Length, SearchLength)];
        for (int at = 0; at <= head.Length - MinimumHeader; at += 4)
        {
            if (U32(head, at) == HeaderMagic && HeaderMagic + U32(head, at + 4) + U32(head, at + 8) == 0)
                return at;
        }

        return -1;
    }

    /// <summary>Reads the image whose header is at <paramref name="at"/> of <paramref name="head"/>, the file's first bytes.</summary>
    /// <exception cref="CommandException">The header asks for what hv does not do, contradicts itself or the file, or the ELF image in it is
    /// bad.</exception>
    public static GuestImage Parse(GuestFile file, ReadOnlySpan<byte> head, int at)
    {
        uint flags = U32(head, at + 4);
        // Bits 15:0 are requirements: a loader that does not know one must give up. A wish for a video mode is known, and goes unmet as with QEMU.
        if ((flags & RequiredMask & ~Understood) != 0)
            throw Bad(file, $"the multiboot header requires unknown features (flags 0x{flags:x}); only bits 0 to 2 are defined below bit 16");
        if ((flags & HasAddresses) != 0)
            return ParseAddressed(file, head, at);
        if (!ElfImage.IsElf(head))
            throw Bad(file, "has a multiboot header without addresses and is not ELF; set flag bit 16 and the address fields, or link it as ELF");
        GuestImage elf = ElfImage.Parse(file);
        if (elf.Entry > uint.MaxValue)
            throw Bad(file, $"the entry point 0x{elf.Entry:x} lies above 4 GiB, but multiboot enters in 32-bit mode; link the entry code lower");
        return elf with { Format = $"multiboot {elf.Format}", Mode = EntryMode.Protected };
    }

    private static GuestImage ParseAddressed(GuestFile file, ReadOnlySpan<byte> head, int at)
    {
        if (head.Length - at < AddressedHeader)
            throw Bad(file, "the multiboot header's address fields are cut off; the file is truncated");
        ulong header = U32(head, at + 12), load = U32(head, at + 16), loadEnd = U32(head, at + 20), bssEnd = U32(head, at + 24);
        ulong entry = U32(head, at + 28);
        if (load > header)
            throw Bad(file, $"load_addr 0x{load:x} is above header_addr 0x{header:x} in the multiboot header; the header is part of what is loaded");
        if (header - load > (ulong)at)
            throw Bad(file,
                $"load_addr 0x{load:x} would need bytes before the start of the file; check header_addr 0x{header:x} in the multiboot header");
        ulong offset = (ulong)at - (header - load);
        ulong size = loadEnd == 0 ? file.Length - offset : loadEnd - load;
        if (loadEnd != 0 && loadEnd <= load)
            throw Bad(file, $"load_end_addr 0x{loadEnd:x} is not above load_addr 0x{load:x} in the multiboot header");
        if (size > file.Length - offset)
            throw Bad(file,
                $"the multiboot header loads 0x{size:x} bytes from 0x{offset:x}, beyond the file's end 0x{file.Length:x}; the file is truncated");
        if (bssEnd != 0 && bssEnd < load + size)
            throw Bad(file, $"bss_end_addr 0x{bssEnd:x} is below the end of what is loaded 0x{load + size:x} in the multiboot header");
        ulong memorySize = bssEnd == 0 ? size : bssEnd - load;
        if (load + memorySize > 1UL << 32)
            throw Bad(file, $"the multiboot header loads 0x{memorySize:x} bytes at 0x{load:x}, beyond 4 GiB");
        if (entry - load >= memorySize)
            throw Bad(file,
                $"the entry point 0x{entry:x} lies outside what is loaded, 0x{load:x} to 0x{load + memorySize:x}; check entry_addr");
        return new GuestImage("multiboot", EntryMode.Protected, entry, [new ImageSegment(new Gpa(load), offset, size, memorySize)]);
    }

    private static CommandException Bad(GuestFile file, string what) => CommandException.BadGuest($"{file.Name}: {what}");

    private static uint U32(ReadOnlySpan<byte> s, int at) => BinaryPrimitives.ReadUInt32LittleEndian(s[at..]);
}
