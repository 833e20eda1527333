using Hv.Conformance.Ring0.Cases;
using Hv.Conformance.Ring0.Guest;
using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;

namespace Hv.Conformance.Ring0.Families;

/// <summary>LLDT and LTR.</summary>
public sealed class SystemSegmentFamily() : Family("system-segments", "LLDT and LTR: selector, type, present, limit, privilege")
{
    private sealed record Load(bool Task, bool Long, int Cpl, ushort Selector, bool InLimit, uint Type, bool IsSegment, bool Present)
    {
        public uint Error => Selector & 0xFFFCu;
        public bool IsGood => !IsSegment && (Task ? Type == SystemTypes.Tss || (Type == SystemTypes.Tss16 && !Long) : Type == SystemTypes.Ldt);
    }

    private static readonly RuleTable<Load> _rules = new(
        new("CPL is not 0", l => l.Cpl != 0, _ => "#GP(0)", "SDM 2A LLDT, LTR"),
        new("LLDT, null selector", l => !l.Task && l.Error == 0, _ => "end", "SDM 2A LLDT"),
        new("LTR, null selector", l => l.Error == 0, _ => "#GP(0)", "SDM 2A LTR"),
        new("not in the GDT", l => (l.Selector & 4) != 0, l => $"#GP({l.Error:x})", "SDM 2A LLDT, LTR"),
        new("outside the GDT's limit", l => !l.InLimit, l => $"#GP({l.Error:x})", "SDM 2A LLDT, LTR"),
        new("LLDT, not an LDT", l => l is { Task: false, IsGood: false }, l => $"#GP({l.Error:x})", "SDM 2A LLDT"),
        new("LTR, not an available TSS", l => !l.IsGood, l => $"#GP({l.Error:x})", "SDM 2A LTR"),
        new("not present", l => !l.Present, l => $"#NP({l.Error:x})", "SDM 2A LLDT, LTR"),
        new("good", _ => true, _ => "end", "SDM 2A LLDT, LTR"));

    /// <inheritdoc/>
    public override IReadOnlyList<IRuleTable> Tables => [_rules];

    /// <inheritdoc/>
    public override Ring0Case Make(CaseRandom random, int index)
    {
        bool isLong = random.OneIn(2), task = random.OneIn(2), isSegment = random.OneIn(8), present = !random.OneIn(5), inLimit = true;
        int cpl = random.OneIn(6) ? random.Pick(1, 2, 3) : 0, rpl = random.Below(4);
        if (isLong && cpl != 0)
            cpl = 3;
        uint type = random.OneIn(2) ? (uint)random.Below(16) : random.Pick(SystemTypes.Ldt, SystemTypes.Tss, SystemTypes.Tss16, SystemTypes.BusyTss);
        ushort selector = (ushort)(Selectors.Test | rpl);
        switch (random.Below(8))
        {
            case 0: selector = (ushort)rpl; break;
            case 1: selector = (ushort)(Layout.GdtLimit + 1 | (uint)rpl); inLimit = false; break;
            // The last 8 bytes of the table: all of a descriptor but not of a 16-byte one.
            case 2 when isLong: selector = (ushort)(Layout.GdtLimit - 7 | (uint)rpl); inLimit = false; break;
            case 3: selector = (ushort)(Selectors.LdtTest | rpl); break;
            default: break;
        }

        var builder = new CaseBuilder(isLong ? BootMode.Long : BootMode.Protected);
        ulong descriptor = Descriptors.Segment(Layout.Tss, Layout.TssLimit, Descriptors.Access(type, random.Below(4), isSegment, present));
        builder.Descriptor((selector & 4) != 0 ? Selectors.LdtTest : inLimit ? Selectors.Test : (ushort)(Layout.GdtLimit - 7), descriptor);
        Assembler c = builder.AtPrivilege(cpl);
        c.mov(eax, selector);
        builder.Test(c);
        if (task)
            c.ltr(ax);
        else
            c.lldt(ax);
        builder.End(c, "end");
        var load = new Load(task, isLong, cpl, selector, inLimit, type, isSegment, present);
        Expectation expected = _rules.Decide(load);
        if (expected.Outcome == "end")
            expected = expected with { Fields = [(task ? RecordField.Tr : RecordField.Ldtr, selector)] };
        return builder.Build($"{Name}/{(isLong ? "long" : "protected")}/cpl{cpl}/{(task ? "ltr" : "lldt")}/sel={selector:x}/" +
            $"{(isSegment ? "segment" : "system")}-{type:x}/{(present ? "p" : "np")}/{index}", expected);
    }
}
