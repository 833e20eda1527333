using Hv.Backends.Vmx.Silicon.Fields;
using static Hv.Backends.Vmx.Silicon.Fields.VmcsField;
using static Hv.Backends.Vmx.Tests.Entry.EntryFixture;

namespace Hv.Backends.Vmx.Tests.Entry;

// Controls and host state. Values are chosen from the SDM's sentences: the last legal value and the first illegal one.
internal static partial class EntryRuleCases
{
    private const ulong Beyond = 1UL << 52, NotCanonical = 0x0000_8000_0000_0000, LastCanonical = 0x0000_7FFF_FFFF_FFFF;
    private const ulong Tpr = (ulong)Primary.UseTprShadow, IoBitmaps = (ulong)Primary.UseIoBitmaps, MsrBitmaps = (ulong)Primary.UseMsrBitmaps;
    private const ulong ExtInt = (ulong)PinBased.ExternalInterruptExiting, Posted = (ulong)PinBased.ProcessPostedInterrupts;
    private const ulong Vid = (ulong)Secondary.VirtualInterruptDelivery, Functions = (ulong)Secondary.EnableVmFunctions;
    private const ulong Unrestricted = Secondaries | (ulong)Secondary.UnrestrictedGuest;
    private const ulong Ack = (ulong)ExitControl.AcknowledgeInterrupt;
    private const ulong Valid31 = 0x8000_0000;

    // A 32-bit guest, and a 32-bit host, in terms of the fixture's controls.
    private const ulong Entries32 = Entries & ~0x200UL, Exits32 = Exits & ~0x200UL;

    public static IEnumerable<EntryRuleCase> All() => [.. Execution(), .. ExitAndEntry(), .. Host(), .. GuestRegisters(), .. Segments(), .. Other()];

    private static IEnumerable<EntryRuleCase> Execution() =>
    [
        new("reserved bits in the pin-based controls are set as IA32_VMX_PINBASED_CTLS demands", [(PinBasedControls, 0x16)], [(PinBasedControls,
            0x14)]),
        new("reserved bits in the primary controls are set as IA32_VMX_PROCBASED_CTLS demands", [(PrimaryControls, Primaries)], [(PrimaryControls,
            Primaries & ~2UL)]),
        // The fixture's processor allows every secondary control: the model's own does not, which Rules_consult_the_capabilities shows.
        new("the CR3-target count is at most IA32_VMX_MISC[24:16]", [(Cr3TargetCount, 4)], [(Cr3TargetCount, 5)]),
        new("with I/O bitmaps, bitmap A is page-aligned and within the physical-address width",
            [(PrimaryControls, Primaries | IoBitmaps), (IoBitmapA, Beyond - 0x1000)], [(PrimaryControls, Primaries | IoBitmaps), (IoBitmapA,
                Beyond)]),
        new("with I/O bitmaps, bitmap B is page-aligned and within the physical-address width",
            [(PrimaryControls, Primaries | IoBitmaps), (IoBitmapB, 0x1000)], [(PrimaryControls, Primaries | IoBitmaps), (IoBitmapB, 0x1800)]),
        new("with MSR bitmaps, their address is page-aligned and within the physical-address width",
            [(PrimaryControls, Primaries | MsrBitmaps), (MsrBitmap, 0x1000)], [(PrimaryControls, Primaries | MsrBitmaps), (MsrBitmap, 0x1001)]),
        new("with a TPR shadow, the virtual-APIC address is page-aligned and within the physical-address width",
            [(PrimaryControls, Primaries | Tpr), (VirtualApicAddress, ApicPage)], [(PrimaryControls, Primaries | Tpr), (VirtualApicAddress, ApicPage
                | 8)]),
        new("with a TPR shadow and no virtual-interrupt delivery, bits 31:4 of the TPR threshold are 0",
            [(PrimaryControls, Primaries | Tpr), (VirtualApicAddress, ApicPage), (TprThreshold, 5)],
            [(PrimaryControls, Primaries | Tpr), (VirtualApicAddress, ApicPage), (TprThreshold, 0x10)]),
        new("with a TPR shadow and neither APIC virtualization, the TPR threshold is at most VTPR[7:4]",
            [(PrimaryControls, Primaries | Tpr), (VirtualApicAddress, ApicPage), (TprThreshold, 5)],
            [(PrimaryControls, Primaries | Tpr), (VirtualApicAddress, ApicPage), (TprThreshold, 6)]),
        new("without NMI exiting, virtual NMIs is 0", [(PinBasedControls, 0x3E)], [(PinBasedControls, 0x36)]),
        new("without virtual NMIs, NMI-window exiting is 0", [(PinBasedControls, 0x3E), (PrimaryControls, Primaries | 1 << 22)], [(PrimaryControls,
            Primaries | 1 << 22)]),
        new("with virtualized APIC accesses, the APIC-access address is page-aligned and within the physical-address width",
            [(SecondaryControls, Secondaries | 1), (ApicAccessAddress, 0x1000)], [(SecondaryControls, Secondaries | 1), (ApicAccessAddress, 0x1010)]),
        new("without a TPR shadow, x2APIC mode, APIC registers and interrupt delivery are not virtualized",
            [(PrimaryControls, Primaries | Tpr), (VirtualApicAddress, ApicPage), (SecondaryControls, Secondaries | 0x10)], [(SecondaryControls,
                Secondaries | 0x10)]),
        new("with a virtualized x2APIC mode, APIC accesses are not virtualized",
            [(PrimaryControls, Primaries | Tpr), (VirtualApicAddress, ApicPage), (SecondaryControls, Secondaries | 0x10)],
            [(PrimaryControls, Primaries | Tpr), (VirtualApicAddress, ApicPage), (SecondaryControls, Secondaries | 0x11)]),
        new("with virtual-interrupt delivery, external-interrupt exiting is 1",
            [(PinBasedControls, Pin | ExtInt), (PrimaryControls, Primaries | Tpr), (VirtualApicAddress, ApicPage), (SecondaryControls, Secondaries
                | Vid)],
            [(PrimaryControls, Primaries | Tpr), (VirtualApicAddress, ApicPage), (SecondaryControls, Secondaries | Vid)]),
        new("with posted interrupts, virtual-interrupt delivery is 1", PostedWith(), PostedWith((SecondaryControls, Secondaries))),
        new("with posted interrupts, acknowledge interrupt on exit is 1", PostedWith(), PostedWith((ExitControls, Exits))),
        new("with posted interrupts, the notification vector is at most 255", PostedWith((PostedInterruptVector, 255)),
            PostedWith((PostedInterruptVector, 256))),
        new("with posted interrupts, the descriptor is 64-byte-aligned and within the physical-address width",
            PostedWith((PostedInterruptDescriptor, 0x40)), PostedWith((PostedInterruptDescriptor, 0x20))),
        new("with VPID, the virtual-processor identifier is not 0",
            [(SecondaryControls, Secondaries | 0x20), (VirtualProcessorId, 1)], [(SecondaryControls, Secondaries | 0x20)]),
        new("with EPT, the EPTP's memory type is one that IA32_VMX_EPT_VPID_CAP reports", [(EptPointer, 0x18)], [(EptPointer, 0x19)]),
        new("with EPT, the EPTP's page-walk length is one that IA32_VMX_EPT_VPID_CAP reports", [(EptPointer, 0x1E)], [(EptPointer, 0x26)]),
        new("with EPT, accessed and dirty flags are enabled only where supported", [(EptPointer, 0x1E)], [(EptPointer, 0x5E)]),
        new("with EPT, reserved bits 11:7 of the EPTP and those beyond the physical-address width are 0", [(EptPointer, Beyond - 0x1000 + 0x1E)],
            [(EptPointer, Beyond + 0x1E)]),
        new("with page-modification logging, EPT is enabled", [(SecondaryControls, Secondaries | 1 << 17)], [(SecondaryControls, 1 << 17)]),
        new("with page-modification logging, the PML address is page-aligned and within the physical-address width",
            [(SecondaryControls, Secondaries | 1 << 17), (PmlAddress, 0x1000)], [(SecondaryControls, Secondaries | 1 << 17), (PmlAddress, 0x1008)]),
        new("with unrestricted guest, EPT is enabled", [(SecondaryControls, Unrestricted)], [(SecondaryControls, Unrestricted & ~Secondaries)]),
        new("with mode-based execute control, EPT is enabled", [(SecondaryControls, Secondaries | 1 << 22)], [(SecondaryControls, 1 << 22)]),
        new("with EPTP switching, EPT is enabled", [(SecondaryControls, Secondaries | Functions), (VmFunctionControls, 1)], [(SecondaryControls,
            Functions), (VmFunctionControls, 1)]),
        new("with VM functions, their controls are among IA32_VMX_VMFUNC",
            [(SecondaryControls, Secondaries | Functions), (VmFunctionControls, 1)], [(SecondaryControls, Secondaries | Functions),
                (VmFunctionControls, 2)]),
        new("with EPTP switching, the EPTP-list address is page-aligned and within the physical-address width",
            [(SecondaryControls, Secondaries | Functions), (VmFunctionControls, 1), (EptpListAddress, 0x1000)],
            [(SecondaryControls, Secondaries | Functions), (VmFunctionControls, 1), (EptpListAddress, 0x1800)]),
        new("with VMCS shadowing, the VMREAD-bitmap address is page-aligned and within the physical-address width",
            [(SecondaryControls, Secondaries | 1 << 14), (VmreadBitmap, 0x1000)], [(SecondaryControls, Secondaries | 1 << 14), (VmreadBitmap,
                Beyond)]),
        new("with VMCS shadowing, the VMWRITE-bitmap address is page-aligned and within the physical-address width",
            [(SecondaryControls, Secondaries | 1 << 14), (VmwriteBitmap, 0x1000)], [(SecondaryControls, Secondaries | 1 << 14), (VmwriteBitmap, 1)]),
        new("with EPT-violation #VE, the information address is page-aligned and within the physical-address width",
            [(SecondaryControls, Secondaries | 1 << 18), (VeInformationAddress, 0x1000)], [(SecondaryControls, Secondaries | 1 << 18),
                (VeInformationAddress, 0x1001)]),
    ];

    private static (VmcsField, ulong)[] PostedWith(params (VmcsField, ulong)[] changes) =>
    [
        (PinBasedControls, Pin | ExtInt | Posted), (PrimaryControls, Primaries | Tpr), (VirtualApicAddress, ApicPage), (SecondaryControls,
            Secondaries | Vid),
        (ExitControls, Exits | Ack), .. changes,
    ];

    private static IEnumerable<EntryRuleCase> ExitAndEntry() =>
    [
        new("reserved bits in the VM-exit controls are set as IA32_VMX_EXIT_CTLS demands", [(ExitControls, Exits)], [(ExitControls, Exits & ~1UL)]),
        new("without the preemption timer, its value is not saved on exit", [(PinBasedControls, Pin | 0x40), (ExitControls, Exits | 1 << 22)],
            [(ExitControls, Exits | 1 << 22)]),
        new("the VM-exit MSR-store area is 16-byte-aligned and within the physical-address width",
            [(ExitMsrStoreCount, 1), (ExitMsrStoreAddress, 0x10)], [(ExitMsrStoreCount, 1), (ExitMsrStoreAddress, 0x18)]),
        new("the VM-exit MSR-load area is 16-byte-aligned and within the physical-address width",
            [(ExitMsrLoadCount, 1), (ExitMsrLoadAddress, Beyond - 0x10)], [(ExitMsrLoadCount, 2), (ExitMsrLoadAddress, Beyond - 0x10)]),
        new("reserved bits in the VM-entry controls are set as IA32_VMX_ENTRY_CTLS demands", [(EntryControls, Entries)], [(EntryControls,
            Entries & ~1UL)]),
        new("the injected event's type is not reserved", [(EntryInterruptionInfo, Valid31 | 0x700)], [(EntryInterruptionInfo, Valid31 | 0x100)]),
        new("the injected event's vector fits its type: NMI 2, hardware exception at most 31, other event 0",
            [(EntryInterruptionInfo, Valid31 | 0x31F)], [(EntryInterruptionInfo, Valid31 | 0x320)]),
        new("an error code is delivered just for the hardware exceptions that have one, in protected mode",
            [(EntryInterruptionInfo, Valid31 | 0xB0D)], [(EntryInterruptionInfo, Valid31 | 0x30D)]),
        new("reserved bits 30:12 of the interruption information are 0", [(EntryInterruptionInfo, Valid31 | 0x306)], [(EntryInterruptionInfo,
            Valid31 | 0x1306)]),
        new("bits 31:16 of a delivered error code are 0", [(EntryInterruptionInfo, Valid31 | 0xB0E), (EntryErrorCode, 0xFFFF)],
            [(EntryInterruptionInfo, Valid31 | 0xB0E), (EntryErrorCode, 0x1_0000)]),
        new("a software event's instruction length is 1 to 15, or 0 where IA32_VMX_MISC[30] allows it",
            [(EntryInterruptionInfo, Valid31 | 0x480), (EntryInstructionLength, 15)], [(EntryInterruptionInfo, Valid31 | 0x480),
                (EntryInstructionLength, 0)]),
        new("the VM-entry MSR-load area is 16-byte-aligned and within the physical-address width",
            [(EntryMsrLoadCount, 0), (EntryMsrLoadAddress, 1)], [(EntryMsrLoadCount, 1), (EntryMsrLoadAddress, 1)]),
        new("outside SMM, entry to SMM is 0", [(EntryControls, Entries)], [(EntryControls, Entries | 0x400)]),
        new("outside SMM, deactivate dual-monitor treatment is 0", [(EntryControls, Entries)], [(EntryControls, Entries | 0x800)]),
    ];

    private static IEnumerable<EntryRuleCase> Host() =>
    [
        new("host CR0 sets the bits fixed in VMX operation", [(HostCr0, 0x8000_0021)], [(HostCr0, 0x8000_0001)]),
        new("host CR4 sets the bits fixed in VMX operation", [(HostCr4, 0x2020)], [(HostCr4, 0x0020)]),
        new("host CR3 is within the physical-address width", [(HostCr3, Beyond - 1)], [(HostCr3, Beyond)]),
        new("host IA32_SYSENTER_ESP is canonical", [(HostSysenterEsp, LastCanonical)], [(HostSysenterEsp, NotCanonical)]),
        new("host IA32_SYSENTER_EIP is canonical", [(HostSysenterEip, 0xFFFF_8000_0000_0000)], [(HostSysenterEip, 0xFFFF_7FFF_FFFF_FFFF)]),
        new("with load IA32_PAT, each byte of host IA32_PAT is a memory type", [(HostPat, 0x0706_0504_0100_0000)], [(HostPat,
            0x0200_0000_0000_0000)]),
        new("with load IA32_EFER, reserved bits of host IA32_EFER are 0", [(HostEfer, 0xD01)], [(HostEfer, 0x1D01)]),
        new("with load IA32_EFER, LMA and LME of host IA32_EFER equal host address-space size", [(HostEfer, 0x500)], [(HostEfer, 0x100)]),
        .. new[] { (HostCsSelector, "CS"), (HostSsSelector, "SS"), (HostDsSelector, "DS"), (HostEsSelector, "ES"), (HostFsSelector, "FS"),
            (HostGsSelector, "GS"), (HostTrSelector, "TR") }
            .Select(s => new EntryRuleCase($"RPL and TI of the host {s.Item2} selector are 0", [(s.Item1, 0x28)], [(s.Item1,
                s.Item2 is "CS" ? 0x29UL : 0x2CUL)])),
        new("the host CS selector is not 0", [(HostCsSelector, 8)], [(HostCsSelector, 0)]),
        new("the host TR selector is not 0", [(HostTrSelector, 8)], [(HostTrSelector, 0)]),
        new("the host SS selector is not 0 for a 32-bit host", Host32((HostSsSelector, 8)), Host32((HostSsSelector, 0))) { InsideLongMode = false,
            OutsideLongMode = false },
        .. new[] { (HostFsBase, "FS"), (HostGsBase, "GS"), (HostGdtrBase, "GDTR"), (HostIdtrBase, "IDTR"), (HostTrBase, "TR") }
            .Select(s => new EntryRuleCase($"the host {s.Item2} base is canonical", [(s.Item1, LastCanonical)], [(s.Item1, NotCanonical)])),
        new("from outside IA-32e mode, IA-32e mode guest and host address-space size are 0", Host32(), []) { InsideLongMode = false,
            OutsideLongMode = false },
        new("from IA-32e mode, host address-space size is 1", [], Host32()),
        new("for a 32-bit host, IA-32e mode guest is 0", Host32(), Host32((EntryControls, Entries))) { InsideLongMode = false,
            OutsideLongMode = false },
        new("for a 32-bit host, PCIDE of host CR4 is 0", Host32(), Host32((HostCr4, 0x2_2020))) { InsideLongMode = false, OutsideLongMode = false },
        new("for a 32-bit host, bits 63:32 of host RIP are 0", Host32((HostRip, 0xFFFF_FFFF)), Host32((HostRip,
            0x1_0000_0000))) { InsideLongMode = false, OutsideLongMode = false },
        new("for a 64-bit host, PAE of host CR4 is 1", [(HostCr4, 0x2020)], [(HostCr4, 0x2000)]),
        new("for a 64-bit host, host RIP is canonical", [(HostRip, LastCanonical)], [(HostRip, NotCanonical)]),
    ];

    private static (VmcsField, ulong)[] Host32(params (VmcsField, ulong)[] changes) =>
        [(ExitControls, Exits32), (HostEfer, 0x801), (HostRip, 0x1000), .. Guest32(), .. changes];

    private static (VmcsField, ulong)[] Guest32(params (VmcsField, ulong)[] changes) =>
        [(EntryControls, Entries32), (GuestEfer, 0), (GuestCsAccessRights, 0xC09B), .. changes];
}
