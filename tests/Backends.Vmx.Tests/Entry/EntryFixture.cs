using Hv.Backends.Vmx.Silicon;
using Hv.Backends.Vmx.Silicon.Entry;
using Hv.Backends.Vmx.Silicon.Fields;
using Hv.Core.Memory;
using static Hv.Backends.Vmx.Silicon.Fields.VmcsField;

namespace Hv.Backends.Vmx.Tests.Entry;

/// <summary>A VMCS that enters a 64-bit guest from a 64-bit host, on a processor that allows every control, so that each rule can be broken
/// alone.</summary>
internal sealed class EntryFixture : IDisposable
{
    /// <summary>A VMCS region, a shadow VMCS region, and a virtual-APIC page with VTPR 50H: the first pages of the pool.</summary>
    public const ulong Region = 0x10_0000, ShadowRegion = 0x10_1000, ApicPage = 0x10_2000;

    /// <summary>What the fixture says is the current VMCS.</summary>
    public const ulong CurrentVmcs = 0x10_3000;

    public static readonly VmxCapabilities Everything = new()
    {
        PinBased = new(0xFFFF_FFFF_0000_0016),
        Primary = new(0xFFFF_FFFF_0400_6172),
        Secondary = new(0xFFFF_FFFF_0000_0000),
        Exit = new(0xFFFF_FFFF_0003_6DFB),
        Entry = new(0xFFFF_FFFF_0000_11FB),
        VmFunctions = 1,
    };

    private readonly GuestMemory _guest = GuestMemory.OfSize(0x1_0000);

    public EntryFixture()
    {
        Memory = new HostPhysicalMemory(_guest);
        Assert.Equal(Region, Memory.AllocatePage());
        Assert.Equal(ShadowRegion, Memory.AllocatePage());
        Assert.Equal(ApicPage, Memory.AllocatePage());
        Memory.Write(Region, VmxCapabilities.RevisionId);
        Memory.Write(ShadowRegion, VmxCapabilities.RevisionId | 0x8000_0000);
        Memory.Write(ApicPage + 0x80, 0x50);
        foreach ((VmcsField field, ulong value) in Valid)
            Vmcs.Write(field, value);
    }

    public HostPhysicalMemory Memory { get; }

    public Vmcs Vmcs { get; } = new(new GuestRegisters());

    public VmxCapabilities Capabilities { get; init; } = Everything;

    public bool HostInLongMode { get; init; } = true;

    public EntryContext Context => new(Vmcs, Capabilities, Memory) { VmcsPointer = CurrentVmcs, HostInLongMode = HostInLongMode };

    public const ulong Pin = 0x16, Primaries = 0x8400_6172, Secondaries = (ulong)Secondary.EnableEpt, Exits = 0x0003_6DFB | 0x28_0200,
        Entries = 0x11FB | 0xC204;

    private static (VmcsField, ulong)[] Valid =>
    [
        (PinBasedControls, Pin), (PrimaryControls, Primaries), (SecondaryControls, Secondaries), (ExitControls, Exits), (EntryControls, Entries),
        (EptPointer, 0x10_4000 | 0x1E),
        (HostCr0, 0x8005_0033), (HostCr3, 0x1000), (HostCr4, 0x2020), (HostEfer, 0xD01), (HostPat, 0x0007_0406_0007_0406), (HostRip,
            0xFFFF_8000_0000_1000),
        (HostCsSelector, 0x08), (HostSsSelector, 0x10), (HostDsSelector, 0x10), (HostEsSelector, 0x10), (HostTrSelector, 0x18),
        (GuestCr0, 0x8005_0033), (GuestCr3, 0x1000), (GuestCr4, 0x2020), (GuestEfer, 0xD01), (GuestPat, 0x0007_0406_0007_0406), (GuestDr7, 0x400),
        (GuestCsSelector, 0x08), (GuestCsAccessRights, 0xA09B), (GuestCsLimit, 0xFFFF_FFFF),
        (GuestSsSelector, 0x10), (GuestSsAccessRights, 0xC093), (GuestSsLimit, 0xFFFF_FFFF),
        (GuestDsSelector, 0x10), (GuestDsAccessRights, 0xC093), (GuestDsLimit, 0xFFFF_FFFF),
        (GuestEsSelector, 0x10), (GuestEsAccessRights, 0xC093), (GuestEsLimit, 0xFFFF_FFFF),
        (GuestFsSelector, 0x10), (GuestFsAccessRights, 0xC093), (GuestFsLimit, 0xFFFF_FFFF),
        (GuestGsSelector, 0x10), (GuestGsAccessRights, 0xC093), (GuestGsLimit, 0xFFFF_FFFF),
        (GuestLdtrAccessRights, 0x1_0000), (GuestTrSelector, 0x18), (GuestTrAccessRights, 0x8B), (GuestTrLimit, 0x67),
        (GuestRip, 0x1000), (GuestRflags, 2), (VmcsLinkPointer, ulong.MaxValue),
    ];

    public void Dispose() => _guest.Dispose();
}
