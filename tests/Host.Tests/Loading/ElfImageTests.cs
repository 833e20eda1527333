using Hv.Host.Loading;
using Xunit;

namespace Hv.Host.Tests.Loading;

public class ElfImageTests
{
    private static readonly byte[] Code = [0xF4, 0x90, 0x90];

    private static GuestImage Read(ElfBuilder elf) => ImageReader.Read(new GuestFile("guest", elf.Build()), null);

    private static string Refusal(ElfBuilder elf) => Refusal(elf.Build());

    private static string Refusal(byte[] file)
    {
        var e = Assert.Throws<CommandException>(() => ImageReader.Read(new GuestFile("guest", file), null));
        Assert.Equal(ExitCode.BadGuestFile, e.Code);
        Assert.StartsWith("guest: ", e.Message, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', e.Message);
        return e.Message;
    }

    [Theory]
    [InlineData(false, nameof(EntryMode.Protected))]
    [InlineData(true, nameof(EntryMode.Long))]
    public void Loadable_segments_come_with_their_physical_addresses(bool is64, string mode)
    {
        ElfBuilder elf = ElfBuilder.WithCode(is64, Code);
        elf.Segments.Add(new ElfBuilder.Segment { Physical = 0x20_0000, Content = [1, 2], MemorySize = 0x5000 });
        elf.Segments.Add(new ElfBuilder.Segment { Type = 4, Physical = 0x1, Content = [9] });
        elf.Entry = 0x10_0001;
        GuestImage image = Read(elf);
        Assert.Equal(mode, image.Mode.ToString());
        Assert.Equal(0x10_0001UL, image.Entry);
        Assert.Equal(2, image.Segments.Count);
        Assert.Equal((0x10_0000UL, 3UL, 3UL), (image.Segments[0].Start.Value, image.Segments[0].FileSize, image.Segments[0].MemorySize));
        Assert.Equal((0x20_0000UL, 2UL, 0x5000UL), (image.Segments[1].Start.Value, image.Segments[1].FileSize, image.Segments[1].MemorySize));
        Assert.Equal(0x20_5000UL, image.End);
    }

    [Fact]
    public void An_upper_half_entry_becomes_physical()
    {
        ElfBuilder elf = ElfBuilder.WithCode(true, Code);
        elf.Segments[0].Virtual = 0xFFFF_FFFF_8010_0000;
        elf.Entry = 0xFFFF_FFFF_8010_0002;
        Assert.Equal(0x10_0002UL, Read(elf).Entry);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Every_truncation_is_refused(bool is64)
    {
        byte[] whole = ElfBuilder.WithCode(is64, Code).Build();
        for (int length = 1; length < whole.Length; length++)
            Refusal(whole[..length]);
    }

    [Fact]
    public void Wrong_kinds_of_file_say_what_to_do()
    {
        Assert.Contains("big-endian", Refusal(new ElfBuilder(true) { Endianness = 2, Segments = [new() { Content = Code }] }),
            StringComparison.Ordinal);
        Assert.Contains("class is 3", Refusal(new ElfBuilder(true) { Class = 3, Segments = [new() { Content = Code }] }), StringComparison.Ordinal);
        Assert.Contains("machine 183", Refusal(new ElfBuilder(true) { Machine = 183, Segments = [new() { Content = Code }] }),
            StringComparison.Ordinal);
        Assert.Contains("-no-pie", Refusal(new ElfBuilder(true) { Type = 3, Segments = [new() { Content = Code }] }), StringComparison.Ordinal);
        Assert.Contains("link it first", Refusal(new ElfBuilder(true) { Type = 1, Segments = [new() { Content = Code }] }), StringComparison.Ordinal);
        Assert.Contains("no program headers", Refusal(new ElfBuilder(true)), StringComparison.Ordinal);
        Assert.Contains("nothing to load", Refusal(new ElfBuilder(true) { Segments = [new() { Type = 4, Content = Code }] }),
            StringComparison.Ordinal);
        Assert.Contains("dynamically linked", Refusal(new ElfBuilder(true) { Segments = [new() { Content = Code }, new() { Type = 3 }] }),
            StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Damaged_headers_are_named(bool is64)
    {
        ElfBuilder With(Action<ElfBuilder> change)
        {
            ElfBuilder elf = ElfBuilder.WithCode(is64, Code);
            change(elf);
            return elf;
        }

        ulong all = is64 ? ulong.MaxValue : uint.MaxValue;
        Assert.Contains("truncated", Refusal(With(e => e.TableOffset = all)), StringComparison.Ordinal);
        Assert.Contains("truncated", Refusal(With(e => e.Count = 0xFFFE)), StringComparison.Ordinal);
        Assert.Contains("65,534", Refusal(With(e => e.Count = 0xFFFF)), StringComparison.Ordinal);
        Assert.Contains("must be", Refusal(With(e => e.ProgramHeaderSize = 1)), StringComparison.Ordinal);
        Assert.Contains("truncated", Refusal(With(e => e.Segments[0].Offset = all)), StringComparison.Ordinal);
        Assert.Contains("damaged", Refusal(With(e => e.Segments[0].MemorySize = 1)), StringComparison.Ordinal);
        Assert.Contains("power of two", Refusal(With(e => e.Segments[0].Align = 3)), StringComparison.Ordinal);
        Assert.Contains("entry point", Refusal(With(e => e.Entry = 0x10_0003)), StringComparison.Ordinal);
        Assert.Contains("entry point", Refusal(With(e => e.Entry = 0xF_FFFF)), StringComparison.Ordinal);
        Assert.Contains("overlap", Refusal(With(e => e.Segments.Add(new() { Physical = 0x10_0002, Content = [1] }))), StringComparison.Ordinal);
        Assert.Contains("overlap", Refusal(With(e =>
            e.Segments.Add(new() { Physical = 0xF_F000, Content = [1], MemorySize = 0x1001 }))), StringComparison.Ordinal);
    }

    [Fact]
    public void A_segment_that_wraps_around_is_refused()
    {
        ElfBuilder elf = ElfBuilder.WithCode(true, Code);
        elf.Segments[0].Physical = ulong.MaxValue - 0xFFF;
        elf.Segments[0].MemorySize = 0x2000;
        Assert.Contains("wraps", Refusal(elf), StringComparison.Ordinal);
    }

    [Fact]
    public void Sixty_five_thousand_segments_are_quick()
    {
        var elf = new ElfBuilder(true);
        for (ulong i = 0; i < 0xFFFE; i++)
            elf.Segments.Add(new() { Physical = 0x10_0000 + (0xFFFD - i) * 16, Content = [0xF4] });
        long start = Environment.TickCount64;
        Assert.Equal(0xFFFE, Read(elf).Segments.Count);
        Assert.InRange(Environment.TickCount64 - start, 0, 5000);
    }

    [Theory]
    [InlineData("MZ", "PE")]
    [InlineData("#!/bin/sh", "script")]
    [InlineData("\u001f\u008b", "gzip")]
    [InlineData("hello", "not a guest image")]
    public void Foreign_files_are_recognised(string content, string word) =>
        Assert.Contains(word, Refusal(System.Text.Encoding.Latin1.GetBytes(content)), StringComparison.Ordinal);

    [Fact]
    public void A_bzImage_is_recognised()
    {
        byte[] file = new byte[0x400];
        "HdrS"u8.CopyTo(file.AsSpan(0x202));
        Assert.Contains("bzImage", Refusal(file), StringComparison.Ordinal);
    }
}
