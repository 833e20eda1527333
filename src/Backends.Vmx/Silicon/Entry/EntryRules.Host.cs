using Hv.Backends.Vmx.Silicon.Fields;
using static Hv.Backends.Vmx.Silicon.Fields.VmcsField;
using static Hv.Backends.Vmx.Silicon.RegisterBits;

namespace Hv.Backends.Vmx.Silicon.Entry;

// SDM 3C 27.2.2 to 27.2.4: checks on the host-state area.
public static partial class EntryRules
{
    private const ulong EferDefined = EferSce | EferLme | EferLma | EferNxe;
    private const ulong SelectorRplAndTi = 7;

    private static IEnumerable<EntryRule> HostState()
    {
        const string Registers = "27.2.2";
        yield return Host(Registers, "host CR0 sets the bits fixed in VMX operation", HostCr0, c => IsFixed(c[HostCr0], c.Capabilities.Cr0Fixed0,
            c.Capabilities.Cr0Fixed1));
        yield return Host(Registers, "host CR4 sets the bits fixed in VMX operation", HostCr4, c => IsFixed(c[HostCr4], c.Capabilities.Cr4Fixed0,
            c.Capabilities.Cr4Fixed1));
        yield return Host(Registers, "host CR3 is within the physical-address width", HostCr3, c => VmxCapabilities.IsPhysical(c[HostCr3]));
        yield return Host(Registers, "host IA32_SYSENTER_ESP is canonical", HostSysenterEsp, c => IsCanonical(c[HostSysenterEsp]));
        yield return Host(Registers, "host IA32_SYSENTER_EIP is canonical", HostSysenterEip, c => IsCanonical(c[HostSysenterEip]));
        yield return Host(Registers, "with load IA32_PAT, each byte of host IA32_PAT is a memory type", HostPat,
            c => !c.Has(ExitControl.LoadPat) || IsPat(c[HostPat]));
        yield return Host(Registers, "with load IA32_EFER, reserved bits of host IA32_EFER are 0", HostEfer,
            c => !c.Has(ExitControl.LoadEfer) || (c[HostEfer] & ~EferDefined) == 0);
        yield return Host(Registers, "with load IA32_EFER, LMA and LME of host IA32_EFER equal host address-space size", HostEfer,
            c => !c.Has(ExitControl.LoadEfer) || (c[HostEfer] & (EferLma | EferLme)) == (c.Has(ExitControl.HostAddressSpaceSize) ? EferLma | EferLme
                : 0));

        const string Segments = "27.2.3";
        foreach ((VmcsField field, string segment) in HostSelectors)
        {
            yield return Host(Segments, $"RPL and TI of the host {segment} selector are 0", field, c => (c[field] & SelectorRplAndTi) == 0);
        }

        yield return Host(Segments, "the host CS selector is not 0", HostCsSelector, c => c[HostCsSelector] != 0);
        yield return Host(Segments, "the host TR selector is not 0", HostTrSelector, c => c[HostTrSelector] != 0);
        yield return Host(Segments, "the host SS selector is not 0 for a 32-bit host", HostSsSelector,
            c => c.Has(ExitControl.HostAddressSpaceSize) || c[HostSsSelector] != 0);
        foreach ((VmcsField field, string register) in HostBases)
        {
            yield return Host(Segments, $"the host {register} base is canonical", field, c => IsCanonical(c[field]));
        }

        const string Size = "27.2.4";
        yield return Host(Size, "from outside IA-32e mode, IA-32e mode guest and host address-space size are 0", VmcsField.EntryControls,
            c => c.HostInLongMode || (!c.IsIa32e && !c.Has(ExitControl.HostAddressSpaceSize)));
        yield return Host(Size, "from IA-32e mode, host address-space size is 1", VmcsField.ExitControls,
            c => !c.HostInLongMode || c.Has(ExitControl.HostAddressSpaceSize));
        yield return Host(Size, "for a 32-bit host, IA-32e mode guest is 0", VmcsField.EntryControls,
            c => c.Has(ExitControl.HostAddressSpaceSize) || !c.IsIa32e);
        yield return Host(Size, "for a 32-bit host, PCIDE of host CR4 is 0", HostCr4,
            c => c.Has(ExitControl.HostAddressSpaceSize) || (c[HostCr4] & Cr4Pcide) == 0);
        yield return Host(Size, "for a 32-bit host, bits 63:32 of host RIP are 0", HostRip,
            c => c.Has(ExitControl.HostAddressSpaceSize) || c[HostRip] >> 32 == 0);
        yield return Host(Size, "for a 64-bit host, PAE of host CR4 is 1", HostCr4,
            c => !c.Has(ExitControl.HostAddressSpaceSize) || (c[HostCr4] & Cr4Pae) != 0);
        yield return Host(Size, "for a 64-bit host, host RIP is canonical", HostRip,
            c => !c.Has(ExitControl.HostAddressSpaceSize) || IsCanonical(c[HostRip]));
    }

    private static (VmcsField Field, string Name)[] HostSelectors =>
        [(HostCsSelector, "CS"), (HostSsSelector, "SS"), (HostDsSelector, "DS"), (HostEsSelector, "ES"), (HostFsSelector, "FS"), (HostGsSelector,
            "GS"), (HostTrSelector, "TR")];

    private static (VmcsField Field, string Name)[] HostBases =>
        [(HostFsBase, "FS"), (HostGsBase, "GS"), (HostGdtrBase, "GDTR"), (HostIdtrBase, "IDTR"), (HostTrBase, "TR")];

    private static bool IsFixed(ulong value, ulong fixed0, ulong fixed1) => (value & fixed0) == fixed0 && (value & ~fixed1) == 0;
}
