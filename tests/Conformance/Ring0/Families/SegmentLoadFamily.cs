using Hv.Conformance.Ring0.Cases;
using Hv.Conformance.Ring0.Guest;
using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;

namespace Hv.Conformance.Ring0.Families;

/// <summary>Loads of DS, ES, FS, GS and SS with every kind of selector and descriptor.</summary>
public sealed class SegmentLoadFamily() : Family("segments", "MOV, POP and LSS to segment registers: selector, type, DPL, RPL, present, limit")
{
    private sealed record Load(bool Long, int Cpl, bool Stack, ushort Selector, bool InLimit, uint Type, bool IsSegment, int Dpl, bool Present)
    {
        public int Rpl => Selector & 3;
        public bool IsNull => (Selector & 0xFFFC) == 0;
        public uint Error => Selector & 0xFFFCu;
        public bool IsWritableData => IsSegment && (Type & 0xA) == 2;
        public bool IsReadable => IsSegment && (Type & 0xA) != 8;
        public bool IsConforming => IsSegment && (Type & 0xC) == 0xC;
    }

    private static readonly RuleTable<Load> _rules = new(
        new("SS, null selector, 64-bit mode at CPL 3, or RPL is not CPL", l => l is { Stack: true, IsNull: true, Long: true }
            && (l.Cpl == 3 || l.Rpl != l.Cpl), _ => "#GP(0)", "SDM 2B MOV, 64-bit mode exceptions"),
        new("SS, null selector, 64-bit mode below CPL 3", l => l is { Stack: true, IsNull: true, Long: true }, _ => "end", "SDM 3A 5.4.1.1"),
        new("SS, null selector", l => l is { Stack: true, IsNull: true }, _ => "#GP(0)", "SDM 2B MOV, SS is loaded"),
        new("SS, index outside the table's limit", l => l is { Stack: true, InLimit: false }, l => $"#GP({l.Error:x})", "SDM 2B MOV, SS is loaded"),
        new("SS, RPL is not CPL", l => l.Stack && l.Rpl != l.Cpl, l => $"#GP({l.Error:x})", "SDM 2B MOV, SS is loaded"),
        new("SS, not a writable data segment", l => l is { Stack: true, IsWritableData: false }, l => $"#GP({l.Error:x})",
            "SDM 2B MOV, SS is loaded"),
        new("SS, DPL is not CPL", l => l.Stack && l.Dpl != l.Cpl, l => $"#GP({l.Error:x})", "SDM 2B MOV, SS is loaded"),
        new("SS, not present", l => l is { Stack: true, Present: false }, l => $"#SS({l.Error:x})", "SDM 2B MOV, SS is loaded"),
        new("SS, good", l => l.Stack, _ => "end", "SDM 2B MOV, SS is loaded"),
        new("null selector", l => l.IsNull, _ => "end", "SDM 2B MOV, DS, ES, FS, or GS is loaded with NULL selector"),
        new("index outside the table's limit", l => !l.InLimit, l => $"#GP({l.Error:x})", "SDM 2B MOV, DS, ES, FS, or GS is loaded"),
        new("neither data nor readable code", l => !l.IsReadable, l => $"#GP({l.Error:x})", "SDM 2B MOV, DS, ES, FS, or GS is loaded"),
        new("data or nonconforming code, RPL or CPL above DPL", l => !l.IsConforming && (l.Rpl > l.Dpl || l.Cpl > l.Dpl), l => $"#GP({l.Error:x})",
            "SDM 3A 5.6"),
        new("not present", l => !l.Present, l => $"#NP({l.Error:x})", "SDM 2B MOV, DS, ES, FS, or GS is loaded"),
        new("good", _ => true, _ => "end", "SDM 2B MOV, DS, ES, FS, or GS is loaded"));

    /// <inheritdoc/>
    public override IReadOnlyList<IRuleTable> Tables => [_rules];

    /// <inheritdoc/>
    public override Ring0Case Make(CaseRandom random, int index)
    {
        bool isLong = random.OneIn(2), stack = random.OneIn(3);
        int cpl = isLong ? random.Pick(0, 3) : random.Below(4);
        var builder = new CaseBuilder(isLong ? BootMode.Long : BootMode.Protected);
        // Biased towards what passes the first checks, so that the later ones decide often enough.
        int rpl = random.OneIn(2) ? cpl : random.Below(4), dpl = random.OneIn(2) ? cpl : random.Below(4);
        bool isSegment = !random.OneIn(5), present = !random.OneIn(4), inLimit = true;
        uint type = stack && random.OneIn(2) ? random.Pick(2u, 3u, 6u, 7u) : (uint)random.Below(16);
        ushort selector = (ushort)(Selectors.Test | rpl);
        switch (random.Below(8))
        {
            case 0: selector = (ushort)rpl; break;
            case 1: selector = (ushort)(random.Pick(Layout.GdtLimit + 1, 0xFFF8u) | (uint)rpl); inLimit = false; break;
            case 2: selector = (ushort)(random.Pick(Layout.LdtLimit + 1, 0xFFF8u) | 4 | (uint)rpl); inLimit = false; break;
            case 3 or 4: selector = (ushort)(Selectors.LdtTest | rpl); break;
            default: break;
        }

        // Expand-down segments with limit 0 reach everything above it.
        bool down = isSegment && (type & 0xC) == 4;
        builder.Descriptor((ushort)(selector & 4) != 0 ? Selectors.LdtTest : Selectors.Test,
            Descriptors.Segment(0, down ? 0 : 0xFFFFFu, Descriptors.Access(type, dpl, isSegment, present), down ? Descriptors.D
                : Descriptors.G | Descriptors.D));
        Assembler c = builder.AtPrivilege(cpl);
        string how = Write(builder, c, random, stack, selector, out RecordField field);
        builder.End(c, "end");
        var load = new Load(isLong, cpl, stack, selector, inLimit, type, isSegment, dpl, present);
        Expectation expected = _rules.Decide(load);
        if (expected.Outcome == "end")
        {
            // Below the end's handler SS is what it was only where the privilege did not change.
            if (!stack || (!isLong && cpl == 0))
                expected = expected with { Fields = [(field, selector)] };
            if (!load.IsNull)
            {
                uint at = ((selector & 4) != 0 ? Layout.Ldt : Layout.Gdt) + (selector & 0xFFF8u) + 5;
                expected = expected with { Memory = [(at, 1, Descriptors.Access(type | 1, dpl, isSegment))] };
            }
        }

        return builder.Build($"{Name}/{(isLong ? "long" : "protected")}/cpl{cpl}/{how}/sel={selector:x}/" +
            $"{(isSegment ? "segment" : "system")}-{type:x}/dpl{dpl}/{(present ? "p" : "np")}/{index}", expected);
    }

    private static string Write(CaseBuilder builder, Assembler c, CaseRandom random, bool stack, ushort selector, out RecordField field)
    {
        (AssemblerRegisterSegment register, field) = stack ? (ss, RecordField.Ss)
            : random.Pick((ds, RecordField.Ds), (es, RecordField.Es), (fs, RecordField.Fs), (gs, RecordField.Gs));
        int way = random.Below(3);
        if (way == 1 && field is RecordField.Fs or RecordField.Gs)
        {
            c.push(selector);
            builder.Test(c);
            c.pop(register);
            return $"pop-{field}";
        }

        if (way == 2 && field is RecordField.Fs or RecordField.Gs or RecordField.Ss)
        {
            builder.Word32(Layout.UserData, 0x1234);
            builder.Word16(Layout.UserData + 4, selector);
            if (stack)
                c.mov(ecx, Layout.UserData);
            builder.Test(c);
            // The offset goes to a register that nothing needs; 0F B2 LSS, B4 LFS, B5 LGS with [disp32] or [ecx].
            if (stack)
                c.lss(edx, __fword_ptr[ecx]);
            else if (field == RecordField.Fs)
                c.lfs(edx, __fword_ptr[Layout.UserData]);
            else
                c.lgs(edx, __fword_ptr[Layout.UserData]);
            return $"l-{field}";
        }

        c.mov(eax, selector);
        builder.Test(c);
        c.mov(register, ax);
        return $"mov-{field}";
    }
}
