using Hv.Backends.Vmx.Silicon;
using Hv.Backends.Vmx.Silicon.Exit;
using Hv.Backends.Vmx.Silicon.Translation;
using Hv.Core.Memory;
using Hv.Cpu.Virtualization;

namespace Hv.Backends.Vmx.Tests.Silicon;

/// <summary>SDM 3C 29.3.2, 29.3.3.</summary>
public sealed class EptTests : IDisposable
{
    private const ulong R = 1, W = 2, X = 4, WriteBack = 0x30, Large = 0x80;
    private readonly GuestMemory _guest = GuestMemory.OfSize(0x1_0000);
    private readonly HostPhysicalMemory _memory;
    private readonly ulong _pml4, _pdpt, _pd, _pt;

    public EptTests()
    {
        _memory = new HostPhysicalMemory(_guest);
        (_pml4, _pdpt, _pd, _pt) = (_memory.AllocatePage(), _memory.AllocatePage(), _memory.AllocatePage(), _memory.AllocatePage());
        _memory.Write(_pml4 + 8, _pdpt | R | W | X);
        _memory.Write(_pdpt + 16, _pd | R | W | X);
        _memory.Write(_pd + 24, _pt | R | W | X);
        _memory.Write(_pt + 32, 0x1_2345_6000 | R | W | X | WriteBack);
    }

    // PML4 index 1, PDPT 2, PD 3, PT 4.
    private const ulong Address = (1UL << 39) | (2UL << 30) | (3UL << 21) | (4UL << 12);

    private EptWalk Walk(ulong address, ulong access) => Ept.Walk(_memory, _pml4 | 0x1E, address, access);

    [Fact]
    public void Four_levels_lead_to_the_page() => Assert.Equal(new EptWalk(EptOutcome.Translated, 0x1_2345_6ABC, 7), Walk(Address | 0xABC, R | W
        | X));

    [Fact]
    public void Large_pages_end_the_walk_early()
    {
        _memory.Write(_pd + 24, 0x4020_0000 | R | X | Large | WriteBack);
        Assert.Equal(new EptWalk(EptOutcome.Translated, 0x4020_4ABC, 5), Walk(Address | 0xABC, R));
        _memory.Write(_pdpt + 16, 0x8000_0000 | R | Large | WriteBack);
        Assert.Equal(new EptWalk(EptOutcome.Translated, 0x8000_0000 | (Address & 0x3FFF_FFFF), 1), Walk(Address, R));
    }

    [Fact]
    public void Permissions_are_those_that_every_entry_gives()
    {
        _memory.Write(_pd + 24, _pt | R | X);
        Assert.Equal(new EptWalk(EptOutcome.Violation, 0, R | X), Walk(Address, W));
        Assert.Equal(EptOutcome.Translated, Walk(Address, X).Outcome);
        _memory.Write(_pml4 + 8, _pdpt | X);
        Assert.Equal(new EptWalk(EptOutcome.Violation, 0, X), Walk(Address, R));
    }

    [Theory]
    [InlineData(0, 8)]
    [InlineData(1, 16)]
    [InlineData(2, 24)]
    [InlineData(3, 32)]
    public void An_entry_that_is_not_present_is_a_violation_without_permissions(int table, int offset)
    {
        _memory.Write(((ulong[])[_pml4, _pdpt, _pd, _pt])[table] + (ulong)offset, 0x1000);
        Assert.Equal(new EptWalk(EptOutcome.Violation, 0, 0), Walk(Address, R));
    }

    [Fact]
    public void Addresses_beyond_48_bits_are_violations() => Assert.Equal(EptOutcome.Violation, Walk(1UL << 48 | Address, R).Outcome);

    public static TheoryData<int, int, ulong> Misconfigurations => new()
    {
        { 3, 32, 0x1000 | W | WriteBack },
        { 3, 32, 0x1000 | W | X | WriteBack },
        { 3, 32, 0x1000 | R | (2UL << 3) },
        { 3, 32, 0x1000 | R | (3UL << 3) },
        { 3, 32, 0x1000 | R | (7UL << 3) },
        { 0, 8, 0x1000 | R | 0x80 },
        { 0, 8, 0x1000 | R | 0x08 },
        { 1, 16, 0x1000 | R | 0x08 },
        { 2, 24, 0x1000 | R | 0x40 },
        { 2, 24, 0x1000 | R | Large | WriteBack },
        { 1, 16, 0x20_0000 | R | Large | WriteBack },
    };

    [Theory]
    [MemberData(nameof(Misconfigurations))]
    public void Reserved_settings_are_misconfigurations(int table, int offset, ulong entry)
    {
        _memory.Write(((ulong[])[_pml4, _pdpt, _pd, _pt])[table] + (ulong)offset, entry);
        Assert.Equal(EptOutcome.Misconfiguration, Walk(Address, R).Outcome);
    }

    [Theory]
    [InlineData(GuestAccess.Read, 0UL, 0x181UL)]
    [InlineData(GuestAccess.Write, R | X, 0x1AAUL)]
    [InlineData(GuestAccess.Execute, R, 0x18CUL)]
    [InlineData(GuestAccess.Write | GuestAccess.Read | GuestAccess.PageWalk, R, 0x08BUL)]
    [InlineData(GuestAccess.Read | GuestAccess.User, 0UL, 0x181UL)]
    public void A_violation_says_the_access_the_permissions_and_whether_it_was_a_page_walk(GuestAccess access, ulong permissions,
        ulong qualification) =>
        Assert.Equal(qualification, Qualification.EptViolation(access, permissions));

    public void Dispose() => _guest.Dispose();
}
