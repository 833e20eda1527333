using Hv.Backends.Vmx.Silicon.Fields;
using static Hv.Backends.Vmx.Silicon.Fields.VmcsField;
using static Hv.Backends.Vmx.Silicon.RegisterBits;

namespace Hv.Backends.Vmx.Silicon.Entry;

// SDM 3C 27.2.1.2 and 27.2.1.3: checks on VM-exit and VM-entry control fields.
public static partial class EntryRules
{
    private const ulong MsrEntrySize = 16;

    private static IEnumerable<EntryRule> ExitControls()
    {
        const string Section = "27.2.1.2";
        yield return Control(Section, "reserved bits in the VM-exit controls are set as IA32_VMX_EXIT_CTLS demands", VmcsField.ExitControls,
            c => c.Capabilities.Exit.Allows((uint)c[VmcsField.ExitControls]));
        yield return Control(Section, "without the preemption timer, its value is not saved on exit", VmcsField.ExitControls,
            c => c.Has(PinBased.ActivatePreemptionTimer) || !c.Has(ExitControl.SavePreemptionTimer));
        yield return Control(Section, "the VM-exit MSR-store area is 16-byte-aligned and within the physical-address width", ExitMsrStoreAddress,
            c => IsMsrArea(c, ExitMsrStoreAddress, ExitMsrStoreCount));
        yield return Control(Section, "the VM-exit MSR-load area is 16-byte-aligned and within the physical-address width", ExitMsrLoadAddress,
            c => IsMsrArea(c, ExitMsrLoadAddress, ExitMsrLoadCount));
    }

    private static IEnumerable<EntryRule> EntryControls()
    {
        const string Section = "27.2.1.3";
        yield return Control(Section, "reserved bits in the VM-entry controls are set as IA32_VMX_ENTRY_CTLS demands", VmcsField.EntryControls,
            c => c.Capabilities.Entry.Allows((uint)c[VmcsField.EntryControls]));
        yield return Injected(Section, "the injected event's type is not reserved", EntryInterruptionInfo, VmcsGroup.Controls,
            (c, e) => e.Type switch
            {
                InterruptionType.Reserved => false,
                InterruptionType.OtherEvent => (c.Capabilities.Primary.MayBeOne & (uint)Primary.MonitorTrapFlag) != 0,
                _ => true,
            });
        yield return Injected(Section, "the injected event's vector fits its type: NMI 2, hardware exception at most 31, other event 0",
            EntryInterruptionInfo, VmcsGroup.None, (_, e) => e.Type switch
            {
                InterruptionType.Nmi => e.Vector == 2,
                InterruptionType.HardwareException => e.Vector <= 31,
                InterruptionType.OtherEvent => e.Vector == 0,
                _ => true,
            });
        yield return Injected(Section, "an error code is delivered just for the hardware exceptions that have one, in protected mode",
            EntryInterruptionInfo, VmcsGroup.Controls | VmcsGroup.Registers, (c, e) => e.HasErrorCode == TakesErrorCode(c, e));
        yield return Injected(Section, "reserved bits 30:12 of the interruption information are 0", EntryInterruptionInfo, VmcsGroup.None,
            (_, e) => (e.Value & InterruptionInfo.EntryReservedBits) == 0);
        yield return Injected(Section, "bits 31:16 of a delivered error code are 0", EntryErrorCode, VmcsGroup.None,
            (c, e) => !e.HasErrorCode || c[EntryErrorCode] >> 16 == 0);
        yield return Injected(Section, "a software event's instruction length is 1 to 15, or 0 where IA32_VMX_MISC[30] allows it",
            EntryInstructionLength,
            VmcsGroup.None, (c, e) => !e.IsSoftware || c[EntryInstructionLength] is >= 1 and <= 15
                || (c[EntryInstructionLength] == 0 && (c.Capabilities.Misc & (1UL << 30)) != 0));
        yield return Control(Section, "the VM-entry MSR-load area is 16-byte-aligned and within the physical-address width", EntryMsrLoadAddress,
            c => IsMsrArea(c, EntryMsrLoadAddress, EntryMsrLoadCount));
        yield return Control(Section, "outside SMM, entry to SMM is 0", VmcsField.EntryControls, c => !c.Has(EntryControl.EntryToSmm));
        yield return Control(Section, "outside SMM, deactivate dual-monitor treatment is 0", VmcsField.EntryControls,
            c => !c.Has(EntryControl.DeactivateDualMonitor));
    }

    private static EntryRule Injected(string section, string name, VmcsField field, VmcsGroup also, Func<EntryContext, InterruptionInfo,
        bool> holds) =>
        new(section, name, field, VmcsGroup.Injection | also, EntryRefusal.Controls, c => !c.Injection.IsValid || holds(c, c.Injection));

    private static bool TakesErrorCode(EntryContext c, InterruptionInfo e) =>
        e.Type == InterruptionType.HardwareException && InterruptionInfo.PushesErrorCode(e.Vector)
        && (!c.IsUnrestricted || (c[GuestCr0] & Cr0Pe) != 0);

    private static bool IsMsrArea(EntryContext c, VmcsField address, VmcsField count)
    {
        if (c[count] == 0)
            return true;
        return (c[address] & (MsrEntrySize - 1)) == 0 && VmxCapabilities.IsPhysical(c[address])
            && VmxCapabilities.IsPhysical(c[address] + (c[count] * MsrEntrySize) - 1);
    }
}
