using Hv.Core;
using Hv.Core.Registers;

namespace Hv.Cpu.Tests;

/// <summary>Page rights: every combination of privilege, access and page attribute, against the rules of SDM 3A 4.6.1 written down here.</summary>
public sealed class PagingTests
{
    private const ulong Page = 0x20_0000, Entry = Guest.Tables + 0x2000 + 8;
    private const ulong Present = 1, Writable = 2, User = 4, Large = 0x80, Wp = 1 << 16, Smap = 1 << 21, Ac = 1 << 18;

    public static TheoryData<bool, bool, bool, bool, bool, bool, bool> Matrix()
    {
        var rows = new TheoryData<bool, bool, bool, bool, bool, bool, bool>();
        for (int i = 0; i < 128; i++)
            rows.Add((i & 1) != 0, (i & 2) != 0, (i & 4) != 0, (i & 8) != 0, (i & 16) != 0, (i & 32) != 0, (i & 64) != 0);
        return rows;
    }

    [Theory]
    [MemberData(nameof(Matrix))]
    public void Data_access(bool atUser, bool write, bool userPage, bool writablePage, bool wp, bool smap, bool ac)
    {
        using Guest guest = Guest.Long().With(write ? [0x89, 0x03, 0x90] : [0x8B, 0x03, 0x90]);
        guest.Memory.TryWrite(new Gpa(Entry), Page | Present | Large | (userPage ? User : 0) | (writablePage ? Writable : 0));
        ref SystemRegisters sys = ref guest.Cpu.State.Sys;
        sys.Cpl = (byte)(atUser ? 3 : 0);
        sys.Cr0 |= wp ? Wp : 0;
        sys.Cr4 |= smap ? Smap : 0;
        guest.Gpr.Rflags |= ac ? Ac : 0;
        guest.Gpr.Rbx = Page;
        guest.Cpu.FlushTlb(false);
        guest.Cpu.ModeChanged(ref guest.Cpu.State);

        bool reach = atUser ? userPage : !(smap && userPage && !ac);
        bool allowed = reach && (!write || writablePage || (!atUser && !wp));
        RunResult result = guest.Cpu.Run(1);
        guest.Memory.TryRead(new Gpa(Entry), out ulong entry);
        if (allowed)
        {
            Assert.Equal(RunResult.Budget, result);
            Assert.Equal(write ? 0x60UL : 0x20UL, entry & 0x60);
            return;
        }

        Assert.Equal(RunResult.Event, result);
        Assert.Equal((14u, Page), (guest.Cpu.Event.Index, guest.Cpu.Event.Address));
        Assert.Equal(1UL | (write ? 2UL : 0) | (atUser ? 4UL : 0), guest.Cpu.Event.Value);
        Assert.Equal(0UL, entry & 0x60);
    }
}
