using System.Buffers.Binary;
using System.Text;
using Hv.Core;
using Hv.Core.Memory;
using Hv.Core.Registers;
using Hv.Host.Loading;
using Xunit;

namespace Hv.Host.Tests.Loading;

public class GuestLoaderTests
{
    private const ulong MiB = 1 << 20;

    private static readonly LoadOptions NoOptions = new("guest", []);

    private static BootRegisters Load(GuestMemory memory, byte[] file, LoadOptions? options = null, FlatPlacement? flat = null)
    {
        var guest = new GuestFile("guest", file);
        return GuestLoader.Load(memory, ImageReader.Read(guest, flat), guest, options ?? NoOptions);
    }

    private static uint U32(GuestMemory memory, ulong at)
    {
        Assert.True(memory.TryRead(new Gpa(at), out uint value));
        return value;
    }

    private static ulong U64(GuestMemory memory, ulong at)
    {
        Assert.True(memory.TryRead(new Gpa(at), out ulong value));
        return value;
    }

    private static string Text(GuestMemory memory, ulong at)
    {
        var text = new StringBuilder();
        for (; memory.TryRead(new Gpa(at), out byte b) && b != 0; at++)
            text.Append((char)b);
        return text.ToString();
    }

    private static List<(ulong Start, ulong Size, uint Type)> Map(GuestMemory memory, ulong information)
    {
        uint length = U32(memory, information + 44);
        ulong map = U32(memory, information + 48);
        var rows = new List<(ulong, ulong, uint)>();
        for (ulong at = 0; at < length; at += U32(memory, map + at) + 4)
            rows.Add((U64(memory, map + at + 4), U64(memory, map + at + 12), U32(memory, map + at + 20)));
        return rows;
    }

    [Fact]
    public void Bytes_come_from_the_file_and_the_rest_is_zero()
    {
        using GuestMemory memory = GuestLoader.CreateMemory(4 * MiB);
        ElfBuilder elf = ElfBuilder.WithCode(true, 0x11, 0x22);
        elf.Segments[0].MemorySize = 0x100;
        Load(memory, elf.Build());
        Assert.Equal(0x2211UL, U64(memory, 0x10_0000));
    }

    [Fact]
    public void A_kernel_finds_the_size_of_base_memory_and_COM1_in_the_BIOS_data_area()
    {
        using GuestMemory memory = GuestLoader.CreateMemory(4 * MiB);
        Load(memory, ElfBuilder.WithCode(true, 0xF4).Build());
        Assert.Equal(0x3F8u, U32(memory, 0x400));
        Assert.Equal(0x9000u, U32(memory, 0x40E) & 0xFFFF);   // the extended area begins where base memory ends: 576 KiB
        Assert.Equal(576u, U32(memory, 0x413) & 0xFFFF);
    }

    [Fact]
    public void An_image_over_the_BIOS_data_area_keeps_its_bytes()
    {
        using GuestMemory memory = GuestLoader.CreateMemory(4 * MiB);
        byte[] content = new byte[0x1000];
        Array.Fill(content, (byte)0x90);
        Load(memory, content, flat: new FlatPlacement(0, EntryMode.Protected));
        Assert.Equal(0x9090_9090u, U32(memory, 0x413));
    }

    [Fact]
    public void Large_files_are_copied_whole()
    {
        using GuestMemory memory = GuestLoader.CreateMemory(8 * MiB);
        byte[] content = new byte[3 * MiB + 5];
        new Random(7).NextBytes(content);
        Load(memory, content, flat: new FlatPlacement(0x10_0001, EntryMode.Protected));
        byte[] loaded = new byte[content.Length];
        Assert.True(memory.TryRead(new Gpa(0x10_0001), loaded));
        Assert.Equal(content, loaded);
    }

    [Fact]
    public void Long_mode_is_entered_over_identity_paging()
    {
        using GuestMemory memory = GuestLoader.CreateMemory(4 * MiB);
        BootRegisters boot = Load(memory, ElfBuilder.WithCode(true, 0xF4).Build());
        var state = new VcpuState();
        boot.Apply(state);
        SystemRegisters s = state.System;
        Assert.Equal(0x8000_0011UL, s.Cr0);
        Assert.Equal(0x20UL, s.Cr4);
        Assert.Equal(0x500UL, s.Efer);
        Assert.True(s.Cs.Long);
        Assert.False(s.Cs.Default);
        Assert.Equal(0x10_0000UL, state.General.Rip);
        Assert.Equal(8UL, state.General.Rsp % 16);
        Assert.Equal((ulong)boot.Information, state.General.Rdi);
        Assert.Equal(0x2BADB002UL, state.General.Rax);
        foreach (ulong linear in (ulong[])[0, 0x1F_FFFF, 0x20_0000, 0xFEE0_0000, 0xFFFF_FFFF])
            Assert.Equal(linear, Walk(memory, s.Cr3, linear));
        Assert.Equal(0UL, U64(memory, s.Cr3 + 8) & 1);
    }

    [Fact]
    public void Memory_above_4_GiB_is_mapped_too()
    {
        using GuestMemory memory = GuestLoader.CreateMemory(5UL << 30);
        Assert.Equal([0UL, 4UL << 30], memory.Slots.Select(s => s.Start.Value));
        BootRegisters boot = Load(memory, ElfBuilder.WithCode(true, 0xF4).Build());
        Assert.Equal((6UL << 30) - 1, Walk(memory, boot.PageTables, (6UL << 30) - 1));
    }

    [Fact]
    public void Page_tables_above_1_MiB_are_reserved_in_the_map()
    {
        using GuestMemory memory = GuestLoader.CreateMemory(16UL << 30);
        BootRegisters boot = Load(memory, ElfBuilder.WithCode(true, 0xF4).Build());
        Assert.True(boot.PageTables > MiB);
        List<(ulong Start, ulong Size, uint Type)> rows = Map(memory, boot.Information);
        Assert.Contains((boot.PageTables, (2UL + 17) * 4096, 2U), rows); // PML4, PDPT and a directory for each GiB up to 17
        Assert.Contains((MiB, boot.PageTables - MiB, 1U), rows);
        for (int i = 1; i < rows.Count; i++)
            Assert.True(rows[i - 1].Start + rows[i - 1].Size <= rows[i].Start);
        Assert.Equal(16UL << 30, (ulong)rows.Where(r => r.Start != 0x9_0000).Sum(r => (long)r.Size) + 0x7_0000);
    }

    [Fact]
    public void The_descriptor_table_says_what_the_hidden_parts_say()
    {
        using GuestMemory memory = GuestLoader.CreateMemory(4 * MiB);
        foreach (EntryMode mode in (EntryMode[])[EntryMode.Protected, EntryMode.Long])
        {
            BootRegisters boot = Load(memory, [0xF4], flat: new FlatPlacement(MiB, mode));
            var state = new VcpuState();
            boot.Apply(state);
            foreach (SegmentRegister segment in (SegmentRegister[])[state.System.Cs, state.System.Ds, state.System.Ss, state.System.Tr])
            {
                ulong descriptor = U64(memory, state.System.Gdtr.Base + segment.Selector);
                uint limit = (uint)(descriptor & 0xFFFF) | (uint)(descriptor >> 32) & 0xF0000;
                uint attributes = (uint)(descriptor >> 40) & 0xF0FF;
                Assert.Equal(segment.Attributes, attributes);
                Assert.Equal(segment.Limit, (attributes & SegmentRegister.GranularityBit) != 0 ? (limit << 12) | 0xFFF : limit);
                Assert.InRange(segment.Selector + 7, 0, state.System.Gdtr.Limit);
            }
        }
    }

    [Theory]
    [InlineData(0x7C00, 0, 0x7C00)]
    [InlineData(0xFFFF, 0, 0xFFFF)]
    [InlineData(0x10004, 0x1000, 4)]
    [InlineData(0xF_FFF0, 0xFFFF, 0)]
    public void Real_mode_starts_at_the_address(int address, int selector, int offset)
    {
        using GuestMemory memory = GuestLoader.CreateMemory(2 * MiB);
        BootRegisters boot = Load(memory, [0xF4], flat: new FlatPlacement((ulong)address, EntryMode.Real));
        var state = new VcpuState();
        boot.Apply(state);
        Assert.Equal((ulong)selector, state.System.Cs.Selector);
        Assert.Equal((ulong)selector * 16, state.System.Cs.Base);
        Assert.Equal((ulong)offset, state.General.Rip);
        Assert.Equal(0x10UL, state.System.Cr0);
    }

    [Fact]
    public void The_multiboot_information_has_everything()
    {
        using GuestMemory memory = GuestLoader.CreateMemory(64 * MiB);
        byte[] module = [1, 2, 3, 4, 5];
        var options = new LoadOptions("guest first second", [new GuestFile("one", module), new GuestFile("two", new byte[5000])]);
        BootRegisters boot = Load(memory, ElfBuilder.WithCode(false, [.. MultibootBuilder.Header(3), 0xF4]).Build(), options);
        var state = new VcpuState();
        boot.Apply(state);
        Assert.Equal(0x2BADB002UL, state.General.Rax);
        Assert.Equal(0x11UL, state.System.Cr0);
        ulong info = state.General.Rbx;

        // Offsets of the specification's table in 3.3.
        Assert.Equal(0x24DU, U32(memory, info) & 0x24D);
        Assert.Equal(0x9_0000U / 1024, U32(memory, info + 4));
        Assert.Equal(63U * 1024, U32(memory, info + 8));
        Assert.Equal("guest first second", Text(memory, U32(memory, info + 16)));
        Assert.Equal("hv", Text(memory, U32(memory, info + 64)));
        Assert.Equal(2U, U32(memory, info + 20));
        ulong modules = U32(memory, info + 24);
        uint start = U32(memory, modules), end = U32(memory, modules + 4);
        Assert.Equal(0U, start % 4096);
        Assert.Equal(5U, end - start);
        Assert.Equal("one", Text(memory, U32(memory, modules + 8)));
        Assert.Equal(0x04030201U, U32(memory, start));
        Assert.Equal(5000U, U32(memory, modules + 20) - U32(memory, modules + 16));
        Assert.True(U32(memory, modules + 16) >= end);

        Assert.Equal([(0UL, 0x9_0000UL, 1U), (0x9_0000UL, 0x7_0000UL, 2U), (MiB, 63 * MiB, 1U)], Map(memory, info));
        Assert.InRange(info, 0x9_0000UL, 0x9_FFFFUL);
    }

    [Fact]
    public void Boot_structures_keep_out_of_the_images_way()
    {
        using GuestMemory memory = GuestLoader.CreateMemory(4 * MiB);
        byte[] image = new byte[0x12_0000];
        Array.Fill(image, (byte)0xCC);
        BootRegisters boot = Load(memory, image, flat: new FlatPlacement(0x1000, EntryMode.Long));
        byte[] after = new byte[image.Length];
        Assert.True(memory.TryRead(new Gpa(0x1000), after));
        Assert.Equal(image, after);
        Assert.True(boot.PageTables >= 0x12_1000 && boot.Gdt >= 0x12_1000 && boot.Information >= 0x12_1000 && boot.StackTop > 0x12_1000);
    }

    [Fact]
    public void A_small_memory_is_enough_for_a_small_guest()
    {
        using GuestMemory memory = GuestLoader.CreateMemory(128 << 10);
        BootRegisters boot = Load(memory, [0xF4], flat: new FlatPlacement(0x1_0000, EntryMode.Long));
        Assert.InRange(boot.StackTop, 1UL, 128UL << 10);
    }

    [Fact]
    public void What_does_not_fit_says_how_much_memory_would_do()
    {
        using GuestMemory memory = GuestLoader.CreateMemory(2 * MiB);
        ElfBuilder elf = ElfBuilder.WithCode(true, 0xF4);
        elf.Segments[0].MemorySize = 3 * MiB;
        Assert.Contains("--memory 4MiB", Refusal(memory, elf.Build()), StringComparison.Ordinal);
        elf.Segments[0].MemorySize = 1;
        elf.Segments[0].Physical = elf.Entry = 1UL << 60;
        Assert.Contains("lower", Refusal(memory, elf.Build()), StringComparison.Ordinal);

        // What lies from 3 GiB to 4 GiB no size gives; above it RAM goes on as if that hole were not counted.
        elf.Segments[0].Physical = elf.Entry = 0xFFFF_FFFF;
        Assert.Contains("elsewhere", Refusal(memory, elf.Build()), StringComparison.Ordinal);
        elf.Segments[0].Physical = elf.Entry = 5UL << 30;
        Assert.Contains("--memory 4097MiB", Refusal(memory, elf.Build()), StringComparison.Ordinal);
        using GuestMemory enough = GuestLoader.CreateMemory(4097 * MiB);
        Load(enough, elf.Build());
        string module = Assert.Throws<CommandException>(() =>
            Load(memory, ElfBuilder.WithCode(true, 0xF4).Build(), new LoadOptions("", [new GuestFile("big", new byte[2 * MiB])]))).Message;
        Assert.StartsWith("big: ", module, StringComparison.Ordinal);
    }

    [Fact]
    public void A_flat_image_that_wraps_is_refused() =>
        Assert.Contains("wrap", Assert.Throws<CommandException>(() =>
            ImageReader.Read(new GuestFile("f", new byte[16]), new FlatPlacement(ulong.MaxValue - 3, EntryMode.Long))).Message,
            StringComparison.Ordinal);

    private static string Refusal(GuestMemory memory, byte[] file) => Assert.Throws<CommandException>(() => Load(memory, file)).Message;

    /// <summary>A 4-level walk as the processor does it (SDM 3A 4.5.4), for 2 MiB pages.</summary>
    private static ulong Walk(GuestMemory memory, ulong cr3, ulong linear)
    {
        ulong table = cr3;
        for (int shift = 39; shift > 21; shift -= 9)
        {
            ulong entry = U64(memory, table + ((linear >> shift) & 511) * 8);
            Assert.Equal(3UL, entry & 0x83);
            table = entry & 0xF_FFFF_FFFF_F000;
        }

        ulong page = U64(memory, table + ((linear >> 21) & 511) * 8);
        Assert.Equal(0x83UL, page & 0x83);
        return (page & 0xF_FFFF_FFE0_0000) | (linear & 0x1F_FFFF);
    }
}
