using Hv.Backends.Vmx.Silicon.Fields;
using static Hv.Backends.Vmx.Silicon.Fields.VmcsField;
using static Hv.Backends.Vmx.Tests.Entry.EntryFixture;

namespace Hv.Backends.Vmx.Tests.Entry;

// Guest registers, RIP, RFLAGS and non-register state.
internal static partial class EntryRuleCases
{
    private const ulong Tf = 0x100, If = 0x200, Vm = 0x2_0000;

    private static IEnumerable<EntryRuleCase> GuestRegisters() =>
    [
        new("guest CR0 sets the bits fixed in VMX operation, but for PE and PG of an unrestricted guest",
            RealMode((GuestCr0, 0x20)), RealMode((GuestCr0, 0x10))),
        new("with PG of guest CR0, PE is set", RealMode((GuestCr0, 0x30)), RealMode((GuestCr0, 0x8000_0030))),
        new("guest CR4 sets the bits fixed in VMX operation", [(GuestCr4, 0x2020)], [(GuestCr4, 0x20)]),
        new("with load debug controls, reserved bits of guest IA32_DEBUGCTL are 0", [(GuestDebugctl, 0x1FC3)], [(GuestDebugctl, 0x2000)]),
        new("for an IA-32e mode guest, PG of guest CR0 is 1", [(GuestCr0, 0x8000_0021)], [(SecondaryControls, Unrestricted), (GuestCr0, 0x21)]),
        new("for an IA-32e mode guest, PAE of guest CR4 is 1", [(GuestCr4, 0x2020)], [(GuestCr4, 0x2000)]),
        new("outside IA-32e mode, PCIDE of guest CR4 is 0", [(GuestCr4, 0x2_2020)], Guest32((GuestCr4, 0x2_2020))),
        new("guest CR3 is within the physical-address width", [(GuestCr3, Beyond - 1)], [(GuestCr3, Beyond)]),
        new("with load debug controls, bits 63:32 of guest DR7 are 0", [(GuestDr7, 0xFFFF_FFFF)], [(GuestDr7, 0x1_0000_0400)]),
        new("guest IA32_SYSENTER_ESP is canonical", [(GuestSysenterEsp, LastCanonical)], [(GuestSysenterEsp, NotCanonical)]),
        new("guest IA32_SYSENTER_EIP is canonical", [(GuestSysenterEip, LastCanonical)], [(GuestSysenterEip, NotCanonical)]),
        new("with load IA32_PAT, each byte of guest IA32_PAT is a memory type", [(GuestPat, 0x07)], [(GuestPat, 0x08)]),
        new("with load IA32_EFER, reserved bits of guest IA32_EFER are 0", [(GuestEfer, 0xD01)], [(GuestEfer, 0x1_0D01)]),
        new("with load IA32_EFER, LMA of guest IA32_EFER equals IA-32e mode guest", [(GuestEfer, 0x500)], Guest32((GuestEfer, 0x500))),
        new("with load IA32_EFER and PG of guest CR0, LME of guest IA32_EFER equals LMA", [(GuestEfer, 0x500)], [(GuestEfer, 0x400)]),
        new("guest GDTR base is canonical", [(GuestGdtrBase, LastCanonical)], [(GuestGdtrBase, NotCanonical)]),
        new("guest IDTR base is canonical", [(GuestIdtrBase, LastCanonical)], [(GuestIdtrBase, NotCanonical)]),
        new("bits 31:16 of the guest GDTR limit are 0", [(GuestGdtrLimit, 0xFFFF)], [(GuestGdtrLimit, 0x1_0000)]),
        new("bits 31:16 of the guest IDTR limit are 0", [(GuestIdtrLimit, 0xFFFF)], [(GuestIdtrLimit, 0x1_0000)]),
    ];

    private static IEnumerable<EntryRuleCase> Other() =>
    [
        new("outside 64-bit mode, bits 63:32 of guest RIP are 0", [(GuestCsAccessRights, 0xC09B), (GuestRip, 0xFFFF_FFFF)], [(GuestCsAccessRights,
            0xC09B), (GuestRip, 0x1_0000_0000)]),
        // The first address past the canonical half is legal: bits 63:48 are identical.
        new("in 64-bit mode, bits 63:48 of guest RIP are identical", [(GuestRip, 0x0000_FFFF_FFFF_FFFF)], [(GuestRip, 0x0001_0000_0000_0000)]),
        new("reserved bits of guest RFLAGS are 0, and bit 1 is 1", [(GuestRflags, 0x3D_7FD7 & ~Vm)], [(GuestRflags, 0)]),
        new("VM of guest RFLAGS is 0 in IA-32e mode and real-address mode", Virtual8086(), [(GuestRflags, Vm | 2)]),
        new("IF of guest RFLAGS is 1 where an external interrupt is injected",
            [(EntryInterruptionInfo, Valid31 | 0x20), (GuestRflags, If | 2)], [(EntryInterruptionInfo, Valid31 | 0x20)]),
        new("the activity state is one that IA32_VMX_MISC[8:6] reports", [(GuestActivityState, 3)], [(GuestActivityState, 4)]),
        new("the activity state is not HLT above CPL 0", [(GuestActivityState, 1)],
            [(GuestActivityState, 1), (GuestSsSelector, 0x13), (GuestCsSelector, 0x0B), (GuestSsAccessRights, 0xC0F3), (GuestCsAccessRights,
                0xA0FB)]),
        new("the activity state is active where STI or MOV SS blocks", [(GuestInterruptibility, 2)], [(GuestInterruptibility, 2),
            (GuestActivityState, 1)]),
        new("the injected event is one that the activity state lets through",
            [(GuestActivityState, 2), (EntryInterruptionInfo, Valid31 | 0x312)], [(GuestActivityState, 1), (EntryInterruptionInfo, Valid31 | 0x306)]),
        new("reserved bits 31:5 of the interruptibility state are 0", [(GuestInterruptibility, 8)], [(GuestInterruptibility, 0x20)]),
        new("STI and MOV SS do not block at the same time", [(GuestInterruptibility, 1), (GuestRflags, If | 2)], [(GuestInterruptibility, 3),
            (GuestRflags, If | 2)]),
        new("STI does not block where IF of guest RFLAGS is 0", [(GuestInterruptibility, 1), (GuestRflags, If | 2)], [(GuestInterruptibility, 1)]),
        new("neither STI nor MOV SS blocks where an external interrupt is injected",
            [(EntryInterruptionInfo, Valid31 | 0x20), (GuestRflags, If | 2), (GuestInterruptibility, 8)],
            [(EntryInterruptionInfo, Valid31 | 0x20), (GuestRflags, If | 2), (GuestInterruptibility, 1)]),
        new("MOV SS does not block where an NMI is injected",
            [(EntryInterruptionInfo, Valid31 | 0x202), (GuestInterruptibility, 1), (GuestRflags, If | 2)], [(EntryInterruptionInfo, Valid31
                | 0x202), (GuestInterruptibility, 2)]),
        new("outside SMM, SMI does not block", [(GuestInterruptibility, 8)], [(GuestInterruptibility, 4)]),
        new("with virtual NMIs, NMI does not block where an NMI is injected",
            [(EntryInterruptionInfo, Valid31 | 0x202), (GuestInterruptibility, 8)],
            [(PinBasedControls, 0x3E), (EntryInterruptionInfo, Valid31 | 0x202), (GuestInterruptibility, 8)]),
        new("without SGX, no enclave was interrupted", [(GuestInterruptibility, 8)], [(GuestInterruptibility, 0x10)]),
        new("reserved bits of the pending debug exceptions are 0", [(GuestPendingDebug, 0x500F)], [(GuestPendingDebug, 0x2000)]),
        new("where STI or MOV SS blocks or the guest is halted, BS is pending just if TF is set and BTF is clear",
            [(GuestInterruptibility, 2), (GuestRflags, Tf | 2), (GuestPendingDebug, 0x4000)], [(GuestInterruptibility, 2), (GuestRflags, Tf | 2)]),
        new("without RTM, no debug exception of a transaction is pending", [(GuestPendingDebug, 0x1000)], [(GuestPendingDebug, 0x1_1000)]),
        new("a VMCS link pointer is page-aligned and within the physical-address width", [(VmcsLinkPointer, Region)], [(VmcsLinkPointer, Region
            | 8)]),
        new("the linked VMCS has this processor's revision, and is a shadow just with VMCS shadowing", [(VmcsLinkPointer, Region)],
            [(VmcsLinkPointer, ShadowRegion)]),
        new("the linked VMCS is not the current one", [(VmcsLinkPointer, Region)], [(VmcsLinkPointer, CurrentVmcs)]),
        .. Enumerable.Range(0, 4).Select(i => new EntryRuleCase($"with EPT and PAE paging, reserved bits of a present Guest PDPTE{i} are 0",
            Guest32((GuestPdpte0 + (uint)(2 * i), 0x1E6)), Guest32((GuestPdpte0 + (uint)(2 * i), i < 2 ? 0x3UL : 0x21UL)))),
    ];

    private static (VmcsField, ulong)[] RealMode(params (VmcsField, ulong)[] changes) =>
        Guest32([(SecondaryControls, Unrestricted), (GuestCr0, 0x30), (GuestCr4, 0x2000), (GuestCsAccessRights, 0x9B), (GuestCsLimit, 0xFFFF),
            .. changes]);

    private static (VmcsField, ulong)[] Virtual8086(params (VmcsField, ulong)[] changes) =>
    [
        .. Guest32((GuestRflags, Vm | 2)),
        .. Enumerable.Range(0, 6).SelectMany(i => Virtual8086Segment((uint)i)),
        .. changes,
    ];

    private static (VmcsField, ulong)[] Virtual8086Segment(uint number) =>
    [
        (GuestEsSelector + (2 * number), 0x1234), (GuestEsBase + (2 * number), 0x12340), (GuestEsLimit + (2 * number), 0xFFFF),
        (GuestEsAccessRights + (2 * number), 0xF3),
    ];
}
