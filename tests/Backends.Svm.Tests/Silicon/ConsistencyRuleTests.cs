using Hv.Backends.Svm.Silicon;
using Xunit;
using static Hv.Backends.Svm.Tests.Silicon.SampleVmcb;

namespace Hv.Backends.Svm.Tests.Silicon;

/// <summary>Each rule of VMRUN with a state just inside it and one just outside. The values come from APM 2 15.5.1, 15.20 and 15.25.3.</summary>
public class ConsistencyRuleTests
{
    private delegate void Change(ref Vmcb vmcb);

    private sealed record Case(string Rule, string Label, Change Inside, Change Outside, SiliconModel? Model = null);

    private static readonly SiliconModel Narrow = new() { PhysicalAddressBits = 40 };
    private static readonly SiliconModel Legacy = new() { LongMode = false };

    private static readonly Case[] Cases =
    [
        new("EFER.SVME is zero", "SVME", (ref v) => { }, (ref v) => v.Save.Efer &= ~Svme),
        new("CR0.CD is zero and CR0.NW is set", "CD and NW", (ref v) => v.Save.Cr0 |= Cd | Nw, (ref v) => v.Save.Cr0 |= Nw),
        new("CR0.CD is zero and CR0.NW is set", "CD alone", (ref v) => v.Save.Cr0 |= Cd, (ref v) => v.Save.Cr0 = (v.Save.Cr0 & ~Cd) | Nw),
        new("CR0[63:32] are not zero", "bit 32", (ref v) => v.Save.Cr0 |= 0, (ref v) => v.Save.Cr0 |= 1ul << 32),
        new("CR0[63:32] are not zero", "bit 63", (ref v) => v.Save.Cr0 |= 1ul << 18, (ref v) => v.Save.Cr0 |= 1ul << 63),
        new("any MBZ bit of CR3 is set", "52 bits", (ref v) => v.Save.Cr3 = 0x000F_FFFF_FFFF_F000, (ref v) => v.Save.Cr3 = 1ul << 52),
        new("any MBZ bit of CR3 is set", "40 bits", (ref v) => v.Save.Cr3 = (1ul << 40) - 4096, (ref v) => v.Save.Cr3 = 1ul << 40, Narrow),
        new("any MBZ bit of CR3 is set", "legacy mode does not look",
            (ref v) => { v.Save.Cr3 = 1ul << 52; v.Save.Efer = Svme; v.Save.Cs.Attributes = 0xC9B; },
            (ref v) => v.Save.Cr3 = 1ul << 63),
        new("any MBZ bit of CR4 is set", "SMAP and bit 22", (ref v) => v.Save.Cr4 |= 1ul << 21, (ref v) => v.Save.Cr4 |= 1ul << 22),
        new("any MBZ bit of CR4 is set", "CET", (ref v) => v.Save.Cr4 |= 1ul << 18, (ref v) => v.Save.Cr4 |= 1ul << 23),
        new("any MBZ bit of CR4 is set", "bit 63", (ref v) => v.Save.Cr4 |= 0, (ref v) => v.Save.Cr4 |= 1ul << 63),
        new("DR6[63:32] are not zero", "bit 32", (ref v) => v.Save.Dr6 = uint.MaxValue, (ref v) => v.Save.Dr6 = 1ul << 32),
        new("DR7[63:32] are not zero", "bit 32", (ref v) => v.Save.Dr7 = uint.MaxValue, (ref v) => v.Save.Dr7 = 1ul << 32),
        new("any MBZ bit of EFER is set", "NXE and bit 9", (ref v) => v.Save.Efer |= 1ul << 11, (ref v) => v.Save.Efer |= 1ul << 9),
        new("any MBZ bit of EFER is set", "TCE and bit 16", (ref v) => v.Save.Efer |= 1ul << 15, (ref v) => v.Save.Efer |= 1ul << 16),
        new("EFER.LMA or EFER.LME is non-zero and this processor does not support long mode", "LME", (ref v) => v.Save.Efer = Svme,
            (ref v) => v.Save.Efer = Svme | Lme, Legacy),
        new("EFER.LMA or EFER.LME is non-zero and this processor does not support long mode", "LMA", (ref v) => v.Save.Efer = Svme,
            (ref v) => v.Save.Efer = Svme | Lma, Legacy),
        new("EFER.LME and CR0.PG are both set and CR4.PAE is zero", "PAE", (ref v) => { v.Save.Cr4 = 0; v.Save.Cr0 = Pe; },
            (ref v) => v.Save.Cr4 = 0),
        new("EFER.LME and CR0.PG are both non-zero and CR0.PE is zero", "PE", (ref v) => { v.Save.Cr0 = Pg; v.Save.Efer = Svme; },
            (ref v) => v.Save.Cr0 = Pg),
        new("EFER.LME, CR0.PG, CR4.PAE, CS.L and CS.D are all non-zero", "L and D", (ref v) => v.Save.Cs.Attributes = 0xC9B,
            (ref v) => v.Save.Cs.Attributes = 0xE9B),
        new("EFER.LME, CR0.PG, CR4.PAE, CS.L and CS.D are all non-zero", "legacy mode does not look",
            (ref v) => { v.Save.Cs.Attributes = 0xE9B; v.Save.Efer = Svme; }, (ref v) => v.Save.Cs.Attributes = 0x600),
        new("the VMRUN intercept bit is clear", "bit 0", (ref v) => { },
            (ref v) => v.Control.Intercepts2 = ~(Intercepts2.Vmrun | Intercepts2.MwaitArmed)),
        new("the MSR intercept table extends beyond the maximum supported physical address", "52 bits",
            (ref v) => v.Control.MsrpmBasePa = (1ul << 52) - 0x2000 + 0xFFF, (ref v) => v.Control.MsrpmBasePa = (1ul << 52) - 0x1000),
        new("the MSR intercept table extends beyond the maximum supported physical address", "40 bits",
            (ref v) => v.Control.MsrpmBasePa = (1ul << 40) - 0x2000, (ref v) => v.Control.MsrpmBasePa = 1ul << 40, Narrow),
        new("the IOIO intercept table extends beyond the maximum supported physical address", "52 bits",
            (ref v) => v.Control.IopmBasePa = (1ul << 52) - 0x3000 + 0xFFF, (ref v) => v.Control.IopmBasePa = (1ul << 52) - 0x2000),
        new("the IOIO intercept table extends beyond the maximum supported physical address", "bit 63",
            (ref v) => v.Control.IopmBasePa = 0, (ref v) => v.Control.IopmBasePa = 1ul << 63),
        new("ASID is equal to zero", "0 and 1", (ref v) => v.Control.GuestAsid = 1, (ref v) => v.Control.GuestAsid = 0),
        new("a reserved value of TYPE has been specified", "type 1", (ref v) => v.Control.EventInj = EventRecord.Of(EventType.Interrupt, 1),
            (ref v) => v.Control.EventInj = EventRecord.Of((EventType)1, 1)),
        new("a reserved value of TYPE has been specified", "type 5",
            (ref v) => v.Control.EventInj = EventRecord.Of(EventType.SoftwareInterrupt, 1),
            (ref v) => v.Control.EventInj = EventRecord.Of((EventType)5, 1)),
        new("a reserved value of TYPE has been specified", "type 7, valid bit", (ref v) => v.Control.EventInj = new EventRecord(7 << 8),
            (ref v) => v.Control.EventInj = new EventRecord(7ul << 8 | 1ul << 31)),
        new("TYPE 3 (exception) has been specified with a vector that does not correspond to an exception", "the NMI's vector",
            (ref v) => v.Control.EventInj = EventRecord.Of(EventType.Nmi, 2), (ref v) => v.Control.EventInj = EventRecord.Of(EventType.Exception, 2)),
        new("TYPE 3 (exception) has been specified with a vector that does not correspond to an exception", "31 and 32",
            (ref v) => v.Control.EventInj = EventRecord.Of(EventType.Exception, 31),
            (ref v) => v.Control.EventInj = EventRecord.Of(EventType.Exception, 32)),
        new("the model has no intercepts of PUSHF and POPF", "PUSHF", (ref v) => v.Control.Intercepts1 |= Intercepts1.Cpuid,
            (ref v) => v.Control.Intercepts1 |= Intercepts1.Pushf),
        new("the model has no intercepts of PUSHF and POPF", "POPF", (ref v) => v.Control.Intercepts1 |= Intercepts1.Rdpmc,
            (ref v) => v.Control.Intercepts1 |= Intercepts1.Popf),
        new("the model has no intercept of MWAIT with an armed monitor", "bit 12", (ref v) => v.Control.Intercepts2 |= Intercepts2.Mwait,
            (ref v) => v.Control.Intercepts2 |= Intercepts2.MwaitArmed),
        new("any MBZ bit of nCR3 is set", "52 bits", (ref v) => v.Control.NestedCr3 = (1ul << 52) - 4096, (ref v) => v.Control.NestedCr3 = 1ul << 52),
        new("any MBZ bit of nCR3 is set", "without nested paging it is not looked at",
            (ref v) => { v.Control.NestedCr3 = 1ul << 52; v.Control.NestedControl = 0; }, (ref v) => v.Control.NestedCr3 = 1ul << 60),
        new("any G_PAT.PA field has an unsupported type encoding or a reserved bit set", "type 2",
            (ref v) => v.Save.GuestPat = 0x0706_0504_0100_0607, (ref v) => v.Save.GuestPat = 2),
        new("any G_PAT.PA field has an unsupported type encoding or a reserved bit set", "PA7 type 3",
            (ref v) => v.Save.GuestPat = 1ul << 56, (ref v) => v.Save.GuestPat = 3ul << 56),
        new("any G_PAT.PA field has an unsupported type encoding or a reserved bit set", "bit 3", (ref v) => v.Save.GuestPat = 7,
            (ref v) => v.Save.GuestPat = 8),
    ];

    public static TheoryData<string, string> All { get; } = [.. Cases.Select(c => (c.Rule, c.Label))];

    [Theory, MemberData(nameof(All))]
    public void A_state_just_inside_is_accepted(string rule, string label)
    {
        Case c = Find(rule, label);
        Vmcb vmcb = Start(c);
        c.Inside(ref vmcb);
        Assert.Null(ConsistencyRules.FirstBroken(vmcb, c.Model ?? SiliconModel.Default, CleanBits.None));
    }

    [Theory, MemberData(nameof(All))]
    public void A_state_just_outside_breaks_that_rule_and_no_other(string rule, string label)
    {
        Case c = Find(rule, label);
        Vmcb vmcb = Start(c);
        c.Outside(ref vmcb);
        SiliconModel model = c.Model ?? SiliconModel.Default;
        Assert.Equal([rule], ConsistencyRules.All.Where(r => r.IsBroken(vmcb, model)).Select(r => r.Name));
        Assert.Equal(rule, ConsistencyRules.FirstBroken(vmcb, model, CleanBits.None)?.Name);
    }

    [Fact]
    public void Every_rule_has_a_case_and_every_case_a_rule() =>
        Assert.Equal(ConsistencyRules.All.Select(r => r.Name).Order(), Cases.Select(c => c.Rule).Distinct().Order());

    [Fact]
    public void A_rule_is_skipped_only_when_every_group_it_reads_is_clean()
    {
        Vmcb vmcb = LongMode();
        vmcb.Save.Cs.Attributes = 0xE9B;
        Assert.NotNull(ConsistencyRules.FirstBroken(vmcb, SiliconModel.Default, CleanBits.All & ~CleanBits.Crx));
        Assert.NotNull(ConsistencyRules.FirstBroken(vmcb, SiliconModel.Default, CleanBits.All & ~CleanBits.Segments));
        Assert.Null(ConsistencyRules.FirstBroken(vmcb, SiliconModel.Default, CleanBits.All));
    }

    [Fact]
    public void A_rule_shows_a_field_of_a_group_that_it_reads() =>
        Assert.All(ConsistencyRules.All, r =>
            Assert.True(r.Groups == CleanBits.None ? r.Field.Group == CleanBits.None : (r.Groups & r.Field.Group) != 0, r.Name));

    [Fact]
    public void An_explanation_names_field_place_value_section_and_rule()
    {
        Vmcb vmcb = LongMode();
        vmcb.Save.Efer = 0;
        Assert.Equal("EFER (VMCB 4D0H) = 0x0: APM 2 15.5.1 \"EFER.SVME is zero\"",
            ConsistencyRules.FirstBroken(vmcb, SiliconModel.Default, CleanBits.None)?.Explain(vmcb));
    }

    private static Case Find(string rule, string label) => Cases.Single(c => c.Rule == rule && c.Label == label);

    private static Vmcb Start(Case c)
    {
        Vmcb vmcb = LongMode();
        if (c.Model is { LongMode: false })
        {
            vmcb.Save.Efer = Svme;
            vmcb.Save.Cr0 = Pe;
            vmcb.Save.Cs.Attributes = 0xC9B;
        }

        return vmcb;
    }
}
