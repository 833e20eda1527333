using Hv.Backends.Vmx.Silicon.Fields;
using static Hv.Backends.Vmx.Silicon.Fields.VmcsField;
using static Hv.Backends.Vmx.Silicon.RegisterBits;

namespace Hv.Backends.Vmx.Silicon.Entry;

// SDM 3C 27.3.1.4: RIP and RFLAGS; 27.3.1.5: non-register state; 27.3.1.6: page-directory-pointer-table entries.
public static partial class EntryRules
{
    private const int LinearAddressBits = 48;
    private const ulong RflagsReserved = ~0x3F_FFFFUL | 1 << 15 | 1 << 5 | 1 << 3, RflagsFixed = 1 << 1;
    private const ulong PendingDebugReserved = ~0x1_FFFFUL | 0xFF0 | 1 << 13 | 1 << 15, PendingSingleStep = 1 << 14, PendingRtm = 1 << 16;
    private const ulong DebugctlBtf = 1 << 1;
    private const ulong NoLink = ulong.MaxValue, PdptePresent = 1, PdpteReserved = 0x1E6;
    private const Interruptibility StiAndMovSs = Interruptibility.BlockingBySti | Interruptibility.BlockingByMovSs;

    private static IEnumerable<EntryRule> GuestOther() => [.. RipAndRflags(), .. ActivityRules(), .. InterruptibilityRules(),
        .. PendingDebugRules(), .. LinkRules(), .. PdpteRules()];

    private static IEnumerable<EntryRule> RipAndRflags()
    {
        const string Section = "27.3.1.4";
        const VmcsGroup RipReads = VmcsGroup.Rip | VmcsGroup.Segments | VmcsGroup.Controls;
        yield return Guest(Section, "outside 64-bit mode, bits 63:32 of guest RIP are 0", GuestRip, RipReads,
            c => c.Is64BitMode || c[GuestRip] >> 32 == 0);
        // Not the same as canonical: bit 47 may differ, so that an instruction that ends at the canonical hole can be skipped.
        yield return Guest(Section, "in 64-bit mode, bits 63:48 of guest RIP are identical", GuestRip, RipReads,
            c => !c.Is64BitMode || (long)c[GuestRip] >> LinearAddressBits is 0 or -1);
        yield return Guest(Section, "reserved bits of guest RFLAGS are 0, and bit 1 is 1", GuestRflags, VmcsGroup.Rflags,
            c => (c[GuestRflags] & RflagsReserved) == 0 && (c[GuestRflags] & RflagsFixed) != 0);
        yield return Guest(Section, "VM of guest RFLAGS is 0 in IA-32e mode and real-address mode", GuestRflags,
            VmcsGroup.Rflags | VmcsGroup.Controls | VmcsGroup.Registers, c => !c.IsVirtual8086 || (!c.IsIa32e && (c[GuestCr0] & Cr0Pe) != 0));
        yield return Guest(Section, "IF of guest RFLAGS is 1 where an external interrupt is injected", GuestRflags, VmcsGroup.Rflags
            | VmcsGroup.Injection,
            c => !c.Injects(InterruptionType.ExternalInterrupt) || (c[GuestRflags] & RflagsIf) != 0);
    }

    private static IEnumerable<EntryRule> ActivityRules()
    {
        const string Section = "27.3.1.5";
        yield return Guest(Section, "the activity state is one that IA32_VMX_MISC[8:6] reports", GuestActivityState, VmcsGroup.NonRegister,
            c => c.Activity == GuestActivity.Active
                || (c.Activity <= GuestActivity.WaitForSipi && ((c.Capabilities.Misc >> (5 + (int)c.Activity)) & 1) != 0));
        yield return Guest(Section, "the activity state is not HLT above CPL 0", GuestActivityState, VmcsGroup.NonRegister | VmcsGroup.Segments,
            c => c.Activity != GuestActivity.Hlt || SegmentFields.Ss.Of(c).Dpl == 0);
        yield return Guest(Section, "the activity state is active where STI or MOV SS blocks", GuestActivityState, VmcsGroup.NonRegister,
            c => (c.Interruptibility & StiAndMovSs) == 0 || c.Activity == GuestActivity.Active);
        yield return Guest(Section, "the injected event is one that the activity state lets through", GuestActivityState,
            VmcsGroup.NonRegister | VmcsGroup.Injection, c => !c.Injection.IsValid || Wakes(c.Activity, c.Injection));
    }

    private static bool Wakes(GuestActivity activity, InterruptionInfo e) => activity switch
    {
        GuestActivity.Active => true,
        GuestActivity.Hlt => e.Type is InterruptionType.ExternalInterrupt or InterruptionType.Nmi or InterruptionType.OtherEvent
            || (e.Type == InterruptionType.HardwareException && e.Vector is 1 or 18),
        GuestActivity.Shutdown => e.Type == InterruptionType.Nmi || (e.Type == InterruptionType.HardwareException && e.Vector == 18),
        _ => false,
    };

    private static IEnumerable<EntryRule> InterruptibilityRules()
    {
        const string Section = "27.3.1.5";
        const VmcsGroup WithInjection = VmcsGroup.NonRegister | VmcsGroup.Injection;
        yield return Guest(Section, "reserved bits 31:5 of the interruptibility state are 0", GuestInterruptibility, VmcsGroup.NonRegister,
            c => c[GuestInterruptibility] >> 5 == 0);
        yield return Guest(Section, "STI and MOV SS do not block at the same time", GuestInterruptibility, VmcsGroup.NonRegister,
            c => (c.Interruptibility & StiAndMovSs) != StiAndMovSs);
        yield return Guest(Section, "STI does not block where IF of guest RFLAGS is 0", GuestInterruptibility, VmcsGroup.NonRegister
            | VmcsGroup.Rflags,
            c => (c.Interruptibility & Interruptibility.BlockingBySti) == 0 || (c[GuestRflags] & RflagsIf) != 0);
        yield return Guest(Section, "neither STI nor MOV SS blocks where an external interrupt is injected", GuestInterruptibility, WithInjection,
            c => !c.Injects(InterruptionType.ExternalInterrupt) || (c.Interruptibility & StiAndMovSs) == 0);
        yield return Guest(Section, "MOV SS does not block where an NMI is injected", GuestInterruptibility, WithInjection,
            c => !c.Injects(InterruptionType.Nmi) || (c.Interruptibility & Interruptibility.BlockingByMovSs) == 0) with
        { Qualification = GuestStateQualification.NmiInjection };
        yield return Guest(Section, "outside SMM, SMI does not block", GuestInterruptibility, VmcsGroup.NonRegister,
            c => (c.Interruptibility & Interruptibility.BlockingBySmi) == 0);
        yield return Guest(Section, "with virtual NMIs, NMI does not block where an NMI is injected", GuestInterruptibility,
            WithInjection | VmcsGroup.Controls,
            c => !c.Has(PinBased.VirtualNmis) || !c.Injects(InterruptionType.Nmi) || (c.Interruptibility & Interruptibility.BlockingByNmi) == 0) with
        { Qualification = GuestStateQualification.NmiInjection };
        yield return Guest(Section, "without SGX, no enclave was interrupted", GuestInterruptibility, VmcsGroup.NonRegister,
            c => (c.Interruptibility & Interruptibility.EnclaveInterruption) == 0);
    }

    private static IEnumerable<EntryRule> PendingDebugRules()
    {
        const string Section = "27.3.1.5";
        yield return Guest(Section, "reserved bits of the pending debug exceptions are 0", GuestPendingDebug, VmcsGroup.NonRegister,
            c => (c[GuestPendingDebug] & PendingDebugReserved) == 0);
        yield return Guest(Section, "where STI or MOV SS blocks or the guest is halted, BS is pending just if TF is set and BTF is clear",
            GuestPendingDebug,
            VmcsGroup.NonRegister | VmcsGroup.Rflags | VmcsGroup.Registers,
            c => ((c.Interruptibility & StiAndMovSs) == 0 && c.Activity != GuestActivity.Hlt)
                || ((c[GuestPendingDebug] & PendingSingleStep) != 0) == ((c[GuestRflags] & RflagsTf) != 0 && (c[GuestDebugctl] & DebugctlBtf) == 0));
        yield return Guest(Section, "without RTM, no debug exception of a transaction is pending", GuestPendingDebug, VmcsGroup.NonRegister,
            c => (c[GuestPendingDebug] & PendingRtm) == 0);
    }

    private static IEnumerable<EntryRule> LinkRules()
    {
        const string Section = "27.3.1.5";
        const VmcsGroup Reads = VmcsGroup.NonRegister | VmcsGroup.Controls;
        yield return Link("a VMCS link pointer is page-aligned and within the physical-address width", c => c.IsAligned(VmcsLinkPointer, PageSize));
        yield return Link("the linked VMCS has this processor's revision, and is a shadow just with VMCS shadowing",
            c => c.ReadMemory32(c[VmcsLinkPointer]) == (VmxCapabilities.RevisionId | (c.Has(Secondary.VmcsShadowing) ? 1u << 31 : 0)));
        yield return Link("the linked VMCS is not the current one", c => c[VmcsLinkPointer] != c.VmcsPointer);

        static EntryRule Link(string name, Func<EntryContext, bool> holds) =>
            Guest(Section, name, VmcsLinkPointer, Reads, c => c[VmcsLinkPointer] == NoLink || holds(c)) with
            { Qualification = GuestStateQualification.VmcsLinkPointer };
    }

    private static IEnumerable<EntryRule> PdpteRules()
    {
        foreach (VmcsField field in (VmcsField[])[GuestPdpte0, GuestPdpte1, GuestPdpte2, GuestPdpte3])
        {
            yield return Guest("27.3.1.6", $"with EPT and PAE paging, reserved bits of a present {VmcsFieldTable.NameOf(field)} are 0", field,
                VmcsGroup.Pdptes | VmcsGroup.Controls | VmcsGroup.Registers,
                c => !UsesPae(c) || (c[field] & PdptePresent) == 0 || ((c[field] & PdpteReserved) == 0 && VmxCapabilities.IsPhysical(c[field]))) with
            { Qualification = GuestStateQualification.PdpteLoading };
        }
    }

    private static bool UsesPae(EntryContext c) =>
        c.Has(Secondary.EnableEpt) && !c.IsIa32e && (c[GuestCr0] & Cr0Pg) != 0 && (c[GuestCr4] & Cr4Pae) != 0;
}
