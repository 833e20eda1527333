using Hv.Backends.Vmx.Silicon.Fields;
using static Hv.Backends.Vmx.Silicon.Fields.VmcsField;
using static Hv.Backends.Vmx.Silicon.RegisterBits;

namespace Hv.Backends.Vmx.Silicon.Entry;

// SDM 3C 27.3.1.1: checks on guest control registers, debug registers and MSRs; 27.3.1.3: descriptor-table registers.
public static partial class EntryRules
{
    // LBR, BTF, TR, BTS, BTINT, BTS_OFF_OS, BTS_OFF_USR and the two freeze bits (SDM 3B 18.4.1); what else there is needs features not modelled.
    private const ulong DebugctlDefined = 0x1FC3;

    private static IEnumerable<EntryRule> GuestRegisterRules()
    {
        const string Section = "27.3.1.1";
        const VmcsGroup Registers = VmcsGroup.Registers;
        const VmcsGroup WithControls = VmcsGroup.Registers | VmcsGroup.Controls;
        yield return Guest(Section, "guest CR0 sets the bits fixed in VMX operation, but for PE and PG of an unrestricted guest", GuestCr0,
            WithControls,
            c => IsFixed(c[GuestCr0], c.Capabilities.Cr0Fixed0 & ~(c.IsUnrestricted ? Cr0Pe | Cr0Pg : 0), c.Capabilities.Cr0Fixed1));
        yield return Guest(Section, "with PG of guest CR0, PE is set", GuestCr0, Registers, c => (c[GuestCr0] & Cr0Pg) == 0
            || (c[GuestCr0] & Cr0Pe) != 0);
        yield return Guest(Section, "guest CR4 sets the bits fixed in VMX operation", GuestCr4, Registers,
            c => IsFixed(c[GuestCr4], c.Capabilities.Cr4Fixed0, c.Capabilities.Cr4Fixed1));
        yield return Guest(Section, "with load debug controls, reserved bits of guest IA32_DEBUGCTL are 0", GuestDebugctl, WithControls,
            c => !c.Has(EntryControl.LoadDebugControls) || (c[GuestDebugctl] & ~DebugctlDefined) == 0);
        yield return Guest(Section, "for an IA-32e mode guest, PG of guest CR0 is 1", GuestCr0, WithControls, c => !c.IsIa32e
            || (c[GuestCr0] & Cr0Pg) != 0);
        yield return Guest(Section, "for an IA-32e mode guest, PAE of guest CR4 is 1", GuestCr4, WithControls, c => !c.IsIa32e
            || (c[GuestCr4] & Cr4Pae) != 0);
        yield return Guest(Section, "outside IA-32e mode, PCIDE of guest CR4 is 0", GuestCr4, WithControls, c => c.IsIa32e
            || (c[GuestCr4] & Cr4Pcide) == 0);
        yield return Guest(Section, "guest CR3 is within the physical-address width", GuestCr3, Registers, c =>
            VmxCapabilities.IsPhysical(c[GuestCr3]));
        yield return Guest(Section, "with load debug controls, bits 63:32 of guest DR7 are 0", GuestDr7, WithControls,
            c => !c.Has(EntryControl.LoadDebugControls) || c[GuestDr7] >> 32 == 0);
        yield return Guest(Section, "guest IA32_SYSENTER_ESP is canonical", GuestSysenterEsp, Registers, c => IsCanonical(c[GuestSysenterEsp]));
        yield return Guest(Section, "guest IA32_SYSENTER_EIP is canonical", GuestSysenterEip, Registers, c => IsCanonical(c[GuestSysenterEip]));
        yield return Guest(Section, "with load IA32_PAT, each byte of guest IA32_PAT is a memory type", GuestPat, WithControls,
            c => !c.Has(EntryControl.LoadPat) || IsPat(c[GuestPat]));
        yield return Guest(Section, "with load IA32_EFER, reserved bits of guest IA32_EFER are 0", GuestEfer, WithControls,
            c => !c.Has(EntryControl.LoadEfer) || (c[GuestEfer] & ~EferDefined) == 0);
        yield return Guest(Section, "with load IA32_EFER, LMA of guest IA32_EFER equals IA-32e mode guest", GuestEfer, WithControls,
            c => !c.Has(EntryControl.LoadEfer) || ((c[GuestEfer] & EferLma) != 0) == c.IsIa32e);
        yield return Guest(Section, "with load IA32_EFER and PG of guest CR0, LME of guest IA32_EFER equals LMA", GuestEfer, WithControls,
            c => !c.Has(EntryControl.LoadEfer) || (c[GuestCr0] & Cr0Pg) == 0 || ((c[GuestEfer] & EferLma) != 0) == ((c[GuestEfer] & EferLme) != 0));

        const string TableSection = "27.3.1.3";
        yield return Guest(TableSection, "guest GDTR base is canonical", GuestGdtrBase, VmcsGroup.Tables, c => IsCanonical(c[GuestGdtrBase]));
        yield return Guest(TableSection, "guest IDTR base is canonical", GuestIdtrBase, VmcsGroup.Tables, c => IsCanonical(c[GuestIdtrBase]));
        yield return Guest(TableSection, "bits 31:16 of the guest GDTR limit are 0", GuestGdtrLimit, VmcsGroup.Tables, c =>
            c[GuestGdtrLimit] >> 16 == 0);
        yield return Guest(TableSection, "bits 31:16 of the guest IDTR limit are 0", GuestIdtrLimit, VmcsGroup.Tables, c =>
            c[GuestIdtrLimit] >> 16 == 0);
    }
}
