using Hv.Core;

namespace Hv.Host.Loading;

/// <summary>Where and how a flat binary is entered: <c>--flat ADDRESS --mode MODE</c>.</summary>
/// <param name="Address">The guest-physical address of its first byte, which is also its first instruction.</param>
/// <param name="Mode">The mode it starts in.</param>
internal readonly record struct FlatPlacement(ulong Address, EntryMode Mode);

/// <summary>Recognises a guest file's format and reads its headers.</summary>
internal static class ImageReader
{
    /// <summary>Real mode reaches 1 MiB: a segment's base is its 16-bit selector times 16 (SDM 3B 21.1.1).</summary>
    private const ulong RealModeEnd = 0x10_0000;

    /// <summary>Reads the headers of <paramref name="file"/>.</summary>
    /// <param name="file">The guest.</param>
    /// <param name="flat">Its placement where the user says that it is a flat binary, whatever it looks like. Null to look into it.</param>
    /// <exception cref="CommandException">It is no image that hv loads, or a damaged one.</exception>
    public static GuestImage Read(GuestFile file, FlatPlacement? flat)
    {
        if (flat is { } placement)
            return ReadFlat(file, placement);
        byte[] head = file.ReadHead(MultibootImage.SearchLength);
        int multiboot = MultibootImage.FindHeader(head);
        if (multiboot >= 0)
            return MultibootImage.Parse(file, head, multiboot);
        if (ElfImage.IsElf(head))
            return ElfImage.Parse(file);
        throw CommandException.BadGuest($"{file.Name}: {Recognise(head)}");
    }

    private static GuestImage ReadFlat(GuestFile file, FlatPlacement placement)
    {
        if (placement.Address + file.Length < placement.Address)
            throw CommandException.BadGuest(
                $"{file.Name}: 0x{file.Length:x} bytes at 0x{placement.Address:x} wrap around the address space; give a lower --flat address");
        if (placement.Mode == EntryMode.Real && placement.Address >= RealModeEnd)
            throw CommandException.BadGuest(
                $"{file.Name}: real mode cannot start at 0x{placement.Address:x}; give a --flat address below 0x{RealModeEnd:x}");
        var segment = new ImageSegment(new Gpa(placement.Address), 0, file.Length, file.Length);
        return new GuestImage("flat", placement.Mode, placement.Address, [segment]);
    }

    /// <summary>What a file that is no guest probably is, and what to do with it.</summary>
    private static string Recognise(ReadOnlySpan<byte> head)
    {
        const string load = "hv loads ELF and multiboot-1 images, and flat binaries with --flat ADDRESS --mode MODE";
        if (head.Length > 0x206 && head.Slice(0x202, 4).SequenceEqual("HdrS"u8))
            return $"is a Linux bzImage; {load}";
        if (head.StartsWith("MZ"u8))
            return $"is a PE (Windows or EFI) program; {load}";
        if (head.StartsWith((ReadOnlySpan<byte>)[0x1F, 0x8B]))
            return "is compressed with gzip; unpack it first";
        if (head.StartsWith("#!"u8))
            return $"is a script; {load}";
        return $"is not a guest image; {load}";
    }
}
