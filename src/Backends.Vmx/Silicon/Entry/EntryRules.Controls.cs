using Hv.Backends.Vmx.Silicon.Fields;
using static Hv.Backends.Vmx.Silicon.Fields.VmcsField;

namespace Hv.Backends.Vmx.Silicon.Entry;

// SDM 3C 27.2.1.1: checks on VM-execution control fields.
public static partial class EntryRules
{
    private const ulong PageSize = 4096;
    private const ulong PostedInterruptDescriptorSize = 64;
    private const int TaskPriorityOffset = 0x80;

    private static IEnumerable<EntryRule> ExecutionControls()
    {
        const string Section = "27.2.1.1";
        yield return Control(Section, "reserved bits in the pin-based controls are set as IA32_VMX_PINBASED_CTLS demands", PinBasedControls,
            c => c.Capabilities.PinBased.Allows((uint)c[PinBasedControls]));
        yield return Control(Section, "reserved bits in the primary controls are set as IA32_VMX_PROCBASED_CTLS demands", PrimaryControls,
            c => c.Capabilities.Primary.Allows((uint)c[PrimaryControls]));
        yield return Control(Section, "reserved bits in the activated secondary controls are set as IA32_VMX_PROCBASED_CTLS2 demands",
            SecondaryControls,
            c => !c.Has(Primary.ActivateSecondaryControls) || c.Capabilities.Secondary.Allows((uint)c[SecondaryControls]));
        yield return Control(Section, "the CR3-target count is at most IA32_VMX_MISC[24:16]", Cr3TargetCount,
            c => c[Cr3TargetCount] <= ((c.Capabilities.Misc >> 16) & 0x1FF));
        yield return Control(Section, "with I/O bitmaps, bitmap A is page-aligned and within the physical-address width", IoBitmapA,
            c => !c.Has(Primary.UseIoBitmaps) || c.IsAligned(IoBitmapA, PageSize));
        yield return Control(Section, "with I/O bitmaps, bitmap B is page-aligned and within the physical-address width", IoBitmapB,
            c => !c.Has(Primary.UseIoBitmaps) || c.IsAligned(IoBitmapB, PageSize));
        yield return Control(Section, "with MSR bitmaps, their address is page-aligned and within the physical-address width", MsrBitmap,
            c => !c.Has(Primary.UseMsrBitmaps) || c.IsAligned(MsrBitmap, PageSize));
        yield return Control(Section, "with a TPR shadow, the virtual-APIC address is page-aligned and within the physical-address width",
            VirtualApicAddress,
            c => !c.Has(Primary.UseTprShadow) || c.IsAligned(VirtualApicAddress, PageSize));
        yield return Control(Section, "with a TPR shadow and no virtual-interrupt delivery, bits 31:4 of the TPR threshold are 0", TprThreshold,
            c => !c.Has(Primary.UseTprShadow) || c.Has(Secondary.VirtualInterruptDelivery) || c[TprThreshold] >> 4 == 0);
        yield return Control(Section, "with a TPR shadow and neither APIC virtualization, the TPR threshold is at most VTPR[7:4]", TprThreshold,
            c => !c.Has(Primary.UseTprShadow) || c.Has(Secondary.VirtualizeApicAccesses) || c.Has(Secondary.VirtualInterruptDelivery)
                || (c[TprThreshold] & 0xF) <= (ulong)(c.ReadMemory8(c[VirtualApicAddress] + TaskPriorityOffset) >> 4));
        yield return Control(Section, "without NMI exiting, virtual NMIs is 0", PinBasedControls,
            c => c.Has(PinBased.NmiExiting) || !c.Has(PinBased.VirtualNmis));
        yield return Control(Section, "without virtual NMIs, NMI-window exiting is 0", PrimaryControls,
            c => c.Has(PinBased.VirtualNmis) || !c.Has(Primary.NmiWindowExiting));
        yield return Control(Section, "with virtualized APIC accesses, the APIC-access address is page-aligned and within the physical-address width",
            ApicAccessAddress, c => !c.Has(Secondary.VirtualizeApicAccesses) || c.IsAligned(ApicAccessAddress, PageSize));
        yield return Control(Section, "without a TPR shadow, x2APIC mode, APIC registers and interrupt delivery are not virtualized",
            SecondaryControls,
            c => c.Has(Primary.UseTprShadow) || !c.Has(Secondary.VirtualizeX2apicMode | Secondary.ApicRegisterVirtualization
                | Secondary.VirtualInterruptDelivery));
        yield return Control(Section, "with a virtualized x2APIC mode, APIC accesses are not virtualized", SecondaryControls,
            c => !c.Has(Secondary.VirtualizeX2apicMode) || !c.Has(Secondary.VirtualizeApicAccesses));
        yield return Control(Section, "with virtual-interrupt delivery, external-interrupt exiting is 1", PinBasedControls,
            c => !c.Has(Secondary.VirtualInterruptDelivery) || c.Has(PinBased.ExternalInterruptExiting));
        foreach (EntryRule rule in PostedInterruptRules(Section))
            yield return rule;
        yield return Control(Section, "with VPID, the virtual-processor identifier is not 0", VirtualProcessorId,
            c => !c.Has(Secondary.EnableVpid) || c[VirtualProcessorId] != 0);
        foreach (EntryRule rule in EptRules(Section))
            yield return rule;
        yield return Control(Section, "with VM functions, their controls are among IA32_VMX_VMFUNC", VmFunctionControls,
            c => !c.Has(Secondary.EnableVmFunctions) || (c[VmFunctionControls] & ~c.Capabilities.VmFunctions) == 0);
        yield return Control(Section, "with EPTP switching, the EPTP-list address is page-aligned and within the physical-address width",
            EptpListAddress,
            c => !SwitchesEptp(c) || c.IsAligned(EptpListAddress, PageSize));
        yield return Control(Section, "with VMCS shadowing, the VMREAD-bitmap address is page-aligned and within the physical-address width",
            VmreadBitmap,
            c => !c.Has(Secondary.VmcsShadowing) || c.IsAligned(VmreadBitmap, PageSize));
        yield return Control(Section, "with VMCS shadowing, the VMWRITE-bitmap address is page-aligned and within the physical-address width",
            VmwriteBitmap,
            c => !c.Has(Secondary.VmcsShadowing) || c.IsAligned(VmwriteBitmap, PageSize));
        yield return Control(Section, "with EPT-violation #VE, the information address is page-aligned and within the physical-address width",
            VeInformationAddress, c => !c.Has(Secondary.EptViolationVe) || c.IsAligned(VeInformationAddress, PageSize));
    }

    private static IEnumerable<EntryRule> PostedInterruptRules(string section)
    {
        yield return Control(section, "with posted interrupts, virtual-interrupt delivery is 1", PinBasedControls,
            c => !c.Has(PinBased.ProcessPostedInterrupts) || c.Has(Secondary.VirtualInterruptDelivery));
        yield return Control(section, "with posted interrupts, acknowledge interrupt on exit is 1", VmcsField.ExitControls,
            c => !c.Has(PinBased.ProcessPostedInterrupts) || c.Has(ExitControl.AcknowledgeInterrupt));
        yield return Control(section, "with posted interrupts, the notification vector is at most 255", PostedInterruptVector,
            c => !c.Has(PinBased.ProcessPostedInterrupts) || c[PostedInterruptVector] <= 255);
        yield return Control(section, "with posted interrupts, the descriptor is 64-byte-aligned and within the physical-address width",
            PostedInterruptDescriptor,
            c => !c.Has(PinBased.ProcessPostedInterrupts) || c.IsAligned(PostedInterruptDescriptor, PostedInterruptDescriptorSize));
    }

    private static IEnumerable<EntryRule> EptRules(string section)
    {
        yield return Control(section, "with EPT, the EPTP's memory type is one that IA32_VMX_EPT_VPID_CAP reports", EptPointer,
            c => !c.Has(Secondary.EnableEpt) || (c[EptPointer] & 7) switch
            {
                0 => (c.Capabilities.EptVpid & (1UL << 8)) != 0,
                6 => (c.Capabilities.EptVpid & (1UL << 14)) != 0,
                _ => false,
            });
        yield return Control(section, "with EPT, the EPTP's page-walk length is one that IA32_VMX_EPT_VPID_CAP reports", EptPointer,
            c => !c.Has(Secondary.EnableEpt) || (((c[EptPointer] >> 3) & 7) == 3 && (c.Capabilities.EptVpid & (1UL << 6)) != 0));
        yield return Control(section, "with EPT, accessed and dirty flags are enabled only where supported", EptPointer,
            c => !c.Has(Secondary.EnableEpt) || (c[EptPointer] & (1UL << 6)) == 0 || (c.Capabilities.EptVpid & (1UL << 21)) != 0);
        yield return Control(section, "with EPT, reserved bits 11:7 of the EPTP and those beyond the physical-address width are 0", EptPointer,
            c => !c.Has(Secondary.EnableEpt) || ((c[EptPointer] & 0xF80) == 0 && VmxCapabilities.IsPhysical(c[EptPointer])));
        yield return Control(section, "with page-modification logging, EPT is enabled", SecondaryControls,
            c => !c.Has(Secondary.EnablePml) || c.Has(Secondary.EnableEpt));
        yield return Control(section, "with page-modification logging, the PML address is page-aligned and within the physical-address width",
            PmlAddress,
            c => !c.Has(Secondary.EnablePml) || c.IsAligned(PmlAddress, PageSize));
        yield return Control(section, "with unrestricted guest, EPT is enabled", SecondaryControls,
            c => !c.Has(Secondary.UnrestrictedGuest) || c.Has(Secondary.EnableEpt));
        yield return Control(section, "with mode-based execute control, EPT is enabled", SecondaryControls,
            c => !c.Has(Secondary.ModeBasedExecute) || c.Has(Secondary.EnableEpt));
        yield return Control(section, "with EPTP switching, EPT is enabled", SecondaryControls,
            c => !SwitchesEptp(c) || c.Has(Secondary.EnableEpt));
    }

    private static bool SwitchesEptp(EntryContext c) => c.Has(Secondary.EnableVmFunctions) && (c[VmFunctionControls] & 1) != 0;
}
