namespace Hv.Backends.Svm.Silicon;

/// <summary>
/// VMRUN's consistency checks, in the manual's order. The rules on CET, SEV-ES and AVIC state are absent because the model offers none of them;
/// CR4.CET is refused as a bit that must be zero. The last rows are the model's own: what silicon would do and the model cannot is refused, not
/// ignored.
/// </summary>
public static class ConsistencyRules
{
    private const ulong Pe = 1, Nw = 1ul << 29, Cd = 1ul << 30, Pg = 1ul << 31;
    private const ulong Pae = 1ul << 5;
    private const ulong Lme = 1ul << 8, Lma = 1ul << 10, Svme = 1ul << 12;

    private const string Checks = "APM 2 15.5.1", Injection = "APM 2 15.20", Nested = "APM 2 15.25.3", Limit = "docs/adr/0055";

    // An array, so that going through it allocates nothing.
    private static readonly ConsistencyRule[] s_all =
    [
        new(Checks, "EFER.SVME is zero", VmcbFields.Efer, CleanBits.Crx,
            static (in v, m) => (v.Save.Efer & Svme) == 0),
        new(Checks, "CR0.CD is zero and CR0.NW is set", VmcbFields.Cr0, CleanBits.Crx,
            static (in v, m) => (v.Save.Cr0 & (Cd | Nw)) == Nw),
        new(Checks, "CR0[63:32] are not zero", VmcbFields.Cr0, CleanBits.Crx,
            static (in v, m) => v.Save.Cr0 >> 32 != 0),
        // Only long mode has CR3 bits that must be zero: the legacy register is 32 bits wide and its reserved bits are ignored (APM 2 5.2.1, 5.3.2).
        new(Checks, "any MBZ bit of CR3 is set", VmcbFields.Cr3, CleanBits.Crx,
            static (in v, m) => InLongMode(v) && v.Save.Cr3 >> m.PhysicalAddressBits != 0),
        new(Checks, "any MBZ bit of CR4 is set", VmcbFields.Cr4, CleanBits.Crx,
            static (in v, m) => (v.Save.Cr4 & ~m.Cr4Bits) != 0),
        new(Checks, "DR6[63:32] are not zero", VmcbFields.Dr6, CleanBits.Drx,
            static (in v, m) => v.Save.Dr6 >> 32 != 0),
        new(Checks, "DR7[63:32] are not zero", VmcbFields.Dr7, CleanBits.Drx,
            static (in v, m) => v.Save.Dr7 >> 32 != 0),
        new(Checks, "any MBZ bit of EFER is set", VmcbFields.Efer, CleanBits.Crx,
            static (in v, m) => (v.Save.Efer & ~m.EferBits) != 0),
        new(Checks, "EFER.LMA or EFER.LME is non-zero and this processor does not support long mode", VmcbFields.Efer, CleanBits.Crx,
            static (in v, m) => !m.LongMode && (v.Save.Efer & (Lma | Lme)) != 0),
        new(Checks, "EFER.LME and CR0.PG are both set and CR4.PAE is zero", VmcbFields.Cr4, CleanBits.Crx,
            static (in v, m) => InLongMode(v) && (v.Save.Cr4 & Pae) == 0),
        new(Checks, "EFER.LME and CR0.PG are both non-zero and CR0.PE is zero", VmcbFields.Cr0, CleanBits.Crx,
            static (in v, m) => InLongMode(v) && (v.Save.Cr0 & Pe) == 0),
        new(Checks, "EFER.LME, CR0.PG, CR4.PAE, CS.L and CS.D are all non-zero", VmcbFields.CsAttributes, CleanBits.Crx | CleanBits.Segments,
            static (in v, m) => InLongMode(v) && (v.Save.Cr4 & Pae) != 0
                && (v.Save.Cs.Attributes & (VmcbSegment.LongBit | VmcbSegment.DefaultBit)) == (VmcbSegment.LongBit | VmcbSegment.DefaultBit)),
        new(Checks, "the VMRUN intercept bit is clear", VmcbFields.Intercepts2, CleanBits.Intercepts,
            static (in v, m) => (v.Control.Intercepts2 & Intercepts2.Vmrun) == 0),
        new(Checks, "the MSR intercept table extends beyond the maximum supported physical address", VmcbFields.MsrpmBasePa, CleanBits.PermissionMaps,
            static (in v, m) => ExtendsBeyond(v.Control.MsrpmBasePa, MsrPermissionMap.Pages, m)),
        new(Checks, "the IOIO intercept table extends beyond the maximum supported physical address", VmcbFields.IopmBasePa, CleanBits.PermissionMaps,
            static (in v, m) => ExtendsBeyond(v.Control.IopmBasePa, IoPermissionMap.Pages, m)),
        new(Checks, "ASID is equal to zero", VmcbFields.GuestAsid, CleanBits.Asid,
            static (in v, m) => v.Control.GuestAsid == 0),
        new(Injection, "a reserved value of TYPE has been specified", VmcbFields.EventInj, CleanBits.None,
            static (in v, m) => v.Control.EventInj.Valid
                && v.Control.EventInj.Type is not (EventType.Interrupt or EventType.Nmi or EventType.Exception or EventType.SoftwareInterrupt)),
        // The vectors below 32 that are reserved today are let through, as Bochs does: the manual does not say which of them a processor knows.
        new(Injection, "TYPE 3 (exception) has been specified with a vector that does not correspond to an exception",
            VmcbFields.EventInj, CleanBits.None,
            static (in v, m) => v.Control.EventInj.Valid && v.Control.EventInj is { Type: EventType.Exception, Vector: 2 or > 31 }),
        new(Nested, "any MBZ bit of nCR3 is set", VmcbFields.NestedCr3, CleanBits.Nested,
            static (in v, m) => NestedPaging(v, m) && v.Control.NestedCr3 >> m.PhysicalAddressBits != 0),
        new(Nested, "any G_PAT.PA field has an unsupported type encoding or a reserved bit set", VmcbFields.GuestPat, CleanBits.Nested,
            static (in v, m) => NestedPaging(v, m) && !IsValidPat(v.Save.GuestPat)),
        new(Limit, "the model has no intercepts of PUSHF and POPF", VmcbFields.Intercepts1, CleanBits.Intercepts,
            static (in v, m) => (v.Control.Intercepts1 & (Intercepts1.Pushf | Intercepts1.Popf)) != 0),
        new(Limit, "the model has no intercept of MWAIT with an armed monitor", VmcbFields.Intercepts2, CleanBits.Intercepts,
            static (in v, m) => (v.Control.Intercepts2 & Intercepts2.MwaitArmed) != 0),
    ];

    /// <summary>The table.</summary>
    public static IReadOnlyList<ConsistencyRule> All => s_all;

    /// <summary>The first rule that <paramref name="vmcb"/> breaks among those that look at a group not in <paramref name="clean"/>, or
    /// null.</summary>
    public static ConsistencyRule? FirstBroken(in Vmcb vmcb, SiliconModel model, CleanBits clean)
    {
        foreach (ConsistencyRule rule in s_all)
        {
            bool known = rule.Groups != CleanBits.None && (rule.Groups & ~clean) == 0;
            if (!known && rule.IsBroken(vmcb, model))
                return rule;
        }

        return null;
    }

    private static bool InLongMode(in Vmcb v) => (v.Save.Efer & Lme) != 0 && (v.Save.Cr0 & Pg) != 0;

    private static bool NestedPaging(in Vmcb v, SiliconModel model) =>
        model.Has(SvmFeatures.NestedPaging) && (v.Control.NestedControl & NestedControl.NestedPaging) != 0;

    // Bits 11:0 of a table's address are ignored (APM 2 15.10.1, 15.11).
    private static bool ExtendsBeyond(ulong address, int pages, SiliconModel model) =>
        (address & ~0xFFFul) >= model.PhysicalLimit || model.PhysicalLimit - (address & ~0xFFFul) < (ulong)pages * Hpa.PageSize;

    // UC 0, WC 1, WT 4, WP 5, WB 6, UC- 7 (APM 2 7.8.1).
    private static bool IsValidPat(ulong pat)
    {
        for (int i = 0; i < 8; i++)
        {
            if ((byte)(pat >> (8 * i)) is not (0 or 1 or 4 or 5 or 6 or 7))
                return false;
        }

        return true;
    }
}
