using Hv.Core;
using Hv.Core.Registers;
using Hv.Cpu.Virtualization;

namespace Hv.Cpu.Tests;

/// <summary>Paging modes, reserved bits, instruction fetches and what invalidates translations; expected values from SDM 3A chapter 4.</summary>
public sealed class PagingModeTests
{
    private const ulong Page = 0x20_0000, Directory = Guest.Tables + 0x1000, Table = Guest.Tables + 0x2000;
    private const ulong LongEntry = Guest.Tables + 0x2000 + 8;
    private const ulong Present = 1, Writable = 2, User = 4, Large = 0x80, Global = 0x100, NoExecute = 1UL << 63;
    private const ulong Pse = 0x10, Pae = 0x20, Pge = 0x80, Smep = 1 << 20, Nxe = 1 << 11;

    private static readonly byte[] s_load = [0x8B, 0x03]; // MOV EAX, [EBX or RBX]
    private static readonly byte[] s_invalidate = [0x0F, 0x01, 0x3B]; // INVLPG [EBX or RBX]
    private static readonly byte[] s_reload = [0x0F, 0x20, 0xD9, 0x0F, 0x22, 0xD9]; // MOV ECX, CR3; MOV CR3, ECX

    private static void Put(Guest guest, ulong address, ulong value) => guest.Memory.TryWrite(new Gpa(address), value);

    private static void Paged(Guest guest, ulong cr4)
    {
        ref SystemRegisters sys = ref guest.Cpu.State.Sys;
        (sys.Cr0, sys.Cr3, sys.Cr4) = (0x8000_0011, Guest.Tables, cr4);
        guest.Gpr.Rbx = Page;
        guest.Changed();
    }

    /// <summary>PAE, the first 2 MiB identity-mapped by one large page.</summary>
    private static Guest WithPae()
    {
        Guest guest = Guest.Protected();
        Put(guest, Guest.Tables, Directory | Present);
        Put(guest, Directory, Large | Writable | Present);
        Paged(guest, Pae);
        return guest;
    }

    /// <summary>32-bit paging with PSE, the first 4 MiB identity-mapped by one large page.</summary>
    private static Guest WithPse()
    {
        Guest guest = Guest.Protected();
        guest.Memory.TryWrite(new Gpa(Guest.Tables), (uint)(Large | Writable | Present));
        Paged(guest, Pse);
        return guest;
    }

    private static Guest WithLong(ulong entry, ulong cr4 = 0, ulong efer = 0)
    {
        Guest guest = Guest.Long();
        Put(guest, LongEntry, entry);
        guest.Cpu.State.Sys.Cr4 |= cr4;
        guest.Cpu.State.Sys.Efer |= efer;
        guest.Gpr.Rbx = Page;
        guest.Changed();
        return guest;
    }

    private static void Faults(Guest guest, RunResult result, ulong address, ulong error)
    {
        Assert.Equal((RunResult.Event, CpuEventKind.Exception, 14u), (result, guest.Cpu.Event.Kind, guest.Cpu.Event.Index));
        Assert.Equal((address, error), (guest.Cpu.Event.Address, guest.Cpu.Event.Value));
    }

    [Fact]
    public void PAE_maps_pages_of_4_KiB()
    {
        using Guest guest = WithPae();
        Put(guest, Guest.Tables + 8, Table | Present);
        Put(guest, Table + 8, (Table + 0x1000) | Writable | Present);
        Put(guest, Table + 0x1000 + 2 * 8, Guest.Data | Writable | Present);
        Put(guest, Guest.Data + 0x34, 0x1234_5678);
        guest.Changed();
        guest.Gpr.Rbx = 0x4020_2034;
        Assert.Equal(RunResult.Budget, guest.Execute(1, s_load));
        Assert.Equal(0x1234_5678UL, guest.Gpr.Rax);
        Assert.Equal((0x20UL, 0x20UL), (guest.Read(Table + 8) & 0x60, guest.Read(Table + 0x1000 + 2 * 8) & 0x60));
        Assert.Equal(Table | Present, guest.Read(Guest.Tables + 8));
    }

    [Fact]
    public void PAE_directory_pointers_are_those_of_the_last_load_of_CR3()
    {
        using Guest guest = WithPae();
        Put(guest, Directory + 8, Page | Large | Writable | Present);
        Assert.Equal(RunResult.Budget, guest.Execute(1, s_load));
        Put(guest, Guest.Tables, 0);
        Assert.Equal(RunResult.Budget, guest.Execute(2, [.. s_invalidate, .. s_load]));
        Faults(guest, guest.Execute(3, s_reload), Guest.Code + 6, 0);
    }

    [Theory]
    [InlineData(1UL << 13)]
    [InlineData(1UL << 20)]
    [InlineData(1UL << 40)]
    [InlineData(1UL << 51)]
    [InlineData(1UL << 62)]
    [InlineData(NoExecute)]
    public void PAE_reserved_bits_of_a_large_page(ulong bit)
    {
        using Guest guest = WithPae();
        Put(guest, Directory + 8, Page | bit | Large | Writable | Present);
        Faults(guest, guest.Execute(1, s_load), Page, 9);
    }

    [Fact]
    public void PSE_36_reaches_40_bits()
    {
        using Guest guest = WithPse();
        guest.Memory.TryWrite(new Gpa(Guest.Tables + 4), (uint)(0x80_0000 | 0xA5 << 13 | Large | Writable | Present));
        guest.Cpu.Virtualization.TakeMemory = true;
        guest.Gpr.Rbx = 0x51_2344;
        Assert.Equal(RunResult.Event, guest.Execute(1, s_load));
        Assert.Equal((CpuEventKind.GuestPhysicalAccess, 0xA5_0091_2344UL), (guest.Cpu.Event.Kind, guest.Cpu.Event.Address));
    }

    [Fact]
    public void PSE_36_reserves_bit_21()
    {
        using Guest guest = WithPse();
        guest.Memory.TryWrite(new Gpa(Guest.Tables + 4), (uint)(1 << 21 | Large | Writable | Present));
        guest.Gpr.Rbx = 0x40_0000;
        Faults(guest, guest.Execute(1, s_load), 0x40_0000, 9);
    }

    [Theory]
    [InlineData(Guest.Tables, Guest.Tables + 0x1000 | Large | Writable | Present, 0UL)]
    [InlineData(LongEntry, Page | 1 << 13 | Large | Writable | Present, 0UL)]
    [InlineData(LongEntry, Page | 1UL << 40 | Large | Writable | Present, 0UL)]
    [InlineData(LongEntry, Page | 1UL << 51 | Large | Writable | Present, 0UL)]
    [InlineData(Guest.Tables, Guest.Tables + 0x1000 | 1UL << 40 | Writable | Present, 0UL)]
    [InlineData(LongEntry, Page | NoExecute | Large | Writable | Present, 0UL)]
    [InlineData(Guest.Tables + 0x1000, Table | 1 << 13 | Large | Writable | Present, 0UL)]
    public void Four_levels_have_reserved_bits(ulong entry, ulong value, ulong efer)
    {
        using Guest guest = WithLong(Page | Large | Writable | Present, 0, efer);
        // The code stays translated; the tables are another root's.
        const ulong Copy = Guest.Tables + 0x8000;
        for (ulong i = 0; i < 3; i++)
        {
            for (ulong j = 0; j < 2; j++)
                Put(guest, Copy + i * 0x1000 + j * 8, j == 0 && i < 2 ? Copy + (i + 1) * 0x1000 | 7 : 0);
        }

        Put(guest, Copy + 0x2000, Large | Writable | Present);
        Put(guest, Copy + 0x2008, Page | Large | Writable | Present);
        ulong target = entry - Guest.Tables + Copy;
        Put(guest, target, value);
        guest.Cpu.State.Sys.Cr3 = Copy;
        guest.Changed();
        RunResult result = guest.Execute(1, s_load);
        // The upper levels' entries map the code as well, so its fetch is what faults.
        Faults(guest, result, entry == LongEntry ? Page : Guest.Code, 9);
    }

    [Theory]
    [InlineData(Writable | NoExecute, 0UL, Nxe, 0x11UL)]
    [InlineData(Writable | User, Smep, 0UL, 0x11UL)]
    [InlineData(Writable | NoExecute, 0UL, 0UL, 0x09UL)]
    public void A_fetch_that_the_page_forbids(ulong rights, ulong cr4, ulong efer, ulong error)
    {
        // The code's own pages are a supervisor's, which SMEP does not concern.
        using Guest guest = WithLong(Page | rights | Large | Present, cr4, efer);
        Put(guest, Guest.Tables + 0x2000, Large | Writable | Present);
        guest.Changed();
        Faults(guest, guest.Execute(2, 0xFF, 0xE3), Page, error); // JMP RBX
        Assert.Equal(Page, guest.Gpr.Rip);
    }

    [Theory]
    [InlineData(Nxe, 0UL)]
    [InlineData(0UL, Smep)]
    public void A_page_that_allows_it_is_executed(ulong efer, ulong cr4)
    {
        using Guest guest = WithLong(Page | Large | Writable | Present, cr4, efer);
        Put(guest, Guest.Tables + 0x2000, Large | Writable | Present);
        Put(guest, Page, 0xF4);
        guest.Changed();
        guest.Gpr.Rip = Page;
        guest.RunToHalt();
    }

    [Theory]
    [InlineData(0UL, 0UL)]
    [InlineData(Nxe, 0x10UL)]
    public void A_fetch_across_pages_whose_second_is_absent(ulong efer, ulong error)
    {
        using Guest guest = WithLong(0, 0, efer);
        guest.Memory.TryWrite(new Gpa(Page - 2), [0xB8, 0x01]);
        guest.Gpr.Rip = Page - 2;
        // SDM 3A 4.7: CR2 is the address of the byte that could not be fetched, RIP the instruction's.
        Faults(guest, guest.Cpu.Run(1), Page, error);
        Assert.Equal(Page - 2, guest.Gpr.Rip);
    }

    [Theory]
    [InlineData(Global, Pge, true)]
    [InlineData(Global, 0UL, false)]
    [InlineData(0UL, Pge, false)]
    public void A_load_of_CR3_keeps_global_translations_alone(ulong global, ulong cr4, bool kept)
    {
        using Guest guest = WithLong(Page | global | Large | Writable | Present, cr4);
        Assert.Equal(RunResult.Budget, guest.Execute(1, s_load));
        Put(guest, LongEntry, 0);
        RunResult result = guest.Execute(3, [.. s_reload, .. s_load]);
        if (kept)
            Assert.Equal(RunResult.Budget, result);
        else
            Faults(guest, result, Page, 0);
    }

    [Fact]
    public void A_translation_lives_until_INVLPG_which_ends_a_global_one_too()
    {
        using Guest guest = WithLong(Page | Global | Large | Writable | Present, Pge);
        Assert.Equal(RunResult.Budget, guest.Execute(1, s_load));
        Put(guest, LongEntry, 0);
        Assert.Equal(RunResult.Budget, guest.Execute(1, s_load));
        Faults(guest, guest.Execute(2, [.. s_invalidate, .. s_load]), Page, 0);
    }
}
