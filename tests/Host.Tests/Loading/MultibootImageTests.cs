using Hv.Host.Loading;
using Xunit;

namespace Hv.Host.Tests.Loading;

public class MultibootImageTests
{
    private static readonly byte[] Code = [0xF4, 0xEB, 0xFD];

    private static GuestImage Read(byte[] file) => ImageReader.Read(new GuestFile("guest", file), null);

    private static string Refusal(byte[] file) => Assert.Throws<CommandException>(() => Read(file)).Message;

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void An_ELF_image_with_a_header_starts_in_protected_mode(bool is64)
    {
        GuestImage image = Read(ElfBuilder.WithCode(is64, [.. MultibootBuilder.Header(3), .. Code]).Build());
        Assert.Equal(EntryMode.Protected, image.Mode);
        Assert.StartsWith("multiboot ELF", image.Format, StringComparison.Ordinal);
        Assert.Equal(0x10_0000UL, image.Entry);
    }

    [Fact]
    public void The_kludge_loads_from_the_offset_that_its_addresses_imply()
    {
        // The header sits 0x40 into the file and 0x10 above load_addr, so loading starts at file offset 0x30.
        byte[] file = MultibootBuilder.Kludge(0x20_0000, 0x40, Code, header: 0x20_0010, bssEnd: 0x20_4000, entry: 0x20_0030);
        GuestImage image = Read(file);
        ImageSegment segment = Assert.Single(image.Segments);
        Assert.Equal((0x20_0000UL, 0x30UL, (ulong)file.Length - 0x30, 0x4000UL), (segment.Start.Value, segment.FileOffset, segment.FileSize,
            segment.MemorySize));
        Assert.Equal(0x20_0030UL, image.Entry);
    }

    [Fact]
    public void The_kludge_ends_where_load_end_says()
    {
        GuestImage image = Read(MultibootBuilder.Kludge(0x20_0000, 0, Code, loadEnd: 0x20_0021));
        Assert.Equal((0x21UL, 0x21UL), (image.Segments[0].FileSize, image.Segments[0].MemorySize));
    }

    [Fact]
    public void Addresses_in_the_header_win_over_ELF()
    {
        // 3.1.2 of the specification: with bit 16 set they are used "instead of the ones given by the executable header".
        byte[] content = MultibootBuilder.Header(MultibootBuilder.AddressFlag, 0x30_0000 + ElfBuilder.SegmentOffset, 0x30_0000, 0, 0, 0x30_0000);
        Assert.Equal(0x30_0000UL, Read(ElfBuilder.WithCode(true, content).Build()).Segments[0].Start.Value);
    }

    [Theory]
    [InlineData(8192 - 12, true)]
    [InlineData(8192 - 8, false)]
    [InlineData(2, false)]
    public void The_header_is_found_aligned_in_the_first_8_KiB(int at, bool found)
    {
        byte[] head = [.. new byte[at], .. MultibootBuilder.Header(0), .. new byte[100]];
        Assert.Equal(found ? at : -1, MultibootImage.FindHeader(head));
    }

    [Fact]
    public void A_wrong_checksum_is_no_header()
    {
        byte[] head = MultibootBuilder.Header(3);
        head[8]++;
        Assert.Equal(-1, MultibootImage.FindHeader(head));
    }

    [Fact]
    public void Damaged_headers_are_named()
    {
        Assert.Contains("unknown features", Refusal(ElfBuilder.WithCode(false, MultibootBuilder.Header(8)).Build()), StringComparison.Ordinal);
        Assert.Contains("is not ELF", Refusal(MultibootBuilder.Header(3)), StringComparison.Ordinal);
        Assert.Contains("cut off", Refusal(MultibootBuilder.Header(MultibootBuilder.AddressFlag, 0x10_0000)), StringComparison.Ordinal);
        Assert.Contains("above header_addr", Refusal(MultibootBuilder.Kludge(0x20_0000, 0, Code, header: 0x1F_FFFF)), StringComparison.Ordinal);
        Assert.Contains("before the start", Refusal(MultibootBuilder.Kludge(0x20_0000, 4, Code, header: 0x20_0005)), StringComparison.Ordinal);
        Assert.Contains("load_end_addr", Refusal(MultibootBuilder.Kludge(0x20_0000, 0, Code, loadEnd: 0x20_0000)), StringComparison.Ordinal);
        Assert.Contains("truncated", Refusal(MultibootBuilder.Kludge(0x20_0000, 0, Code, loadEnd: 0x20_0024)), StringComparison.Ordinal);
        Assert.Contains("bss_end_addr", Refusal(MultibootBuilder.Kludge(0x20_0000, 0, Code, bssEnd: 0x20_0001)), StringComparison.Ordinal);
        Assert.Contains("entry point", Refusal(MultibootBuilder.Kludge(0x20_0000, 0, Code, entry: 0x20_0023)), StringComparison.Ordinal);
        Assert.Contains("entry point", Refusal(MultibootBuilder.Kludge(0x20_0000, 0, Code, entry: 0x1F_FFFF)), StringComparison.Ordinal);
        Assert.Contains("beyond 4 GiB", Refusal(MultibootBuilder.Kludge(0xFFFF_FFF0, 0, Code)), StringComparison.Ordinal);
    }

    [Fact]
    public void An_entry_above_4_GiB_is_refused()
    {
        ElfBuilder elf = ElfBuilder.WithCode(true, [.. MultibootBuilder.Header(0), .. Code]);
        elf.Segments[0].Physical = elf.Entry = 1UL << 32;
        Assert.Contains("above 4 GiB", Refusal(elf.Build()), StringComparison.Ordinal);
    }
}
