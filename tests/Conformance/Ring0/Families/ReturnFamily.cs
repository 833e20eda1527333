using Hv.Conformance.Ring0.Cases;
using Hv.Conformance.Ring0.Guest;
using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;

namespace Hv.Conformance.Ring0.Families;

/// <summary>Far RET and IRET to the same and to outer levels.</summary>
public sealed class ReturnFamily() : Family("returns", "far RET and IRET: code and stack selectors by type, DPL, RPL, present, L and D")
{
    private sealed record Return(bool Interrupt, bool Long, int Cpl, ushort Selector, bool InLimit, bool IsCode, bool IsConforming, int Dpl,
        bool Present,
        bool BothLengths, ushort Stack, bool StackWritable, int StackDpl, bool StackPresent)
    {
        public int Rpl => Selector & 3;
        public uint Error => Selector & 0xFFFCu;
        public uint StackError => Stack & 0xFFFCu;
        public bool IsOuter => Rpl > Cpl;
    }

    private const uint Pad = Layout.UserCode + 0x400;
    private const string Same = "SDM 2B RET, 2A IRET, RETURN-TO-SAME-PRIVILEGE-LEVEL", Outer = "SDM 2B RET, 2A IRET, RETURN-TO-OUTER-PRIVILEGE-LEVEL";

    private static readonly RuleTable<Return> _rules = new(
        new("null code selector", r => r.Error == 0, _ => "#GP(0)", "SDM 2B RET, 2A IRET"),
        new("code selector outside the table's limit", r => !r.InLimit, r => $"#GP({r.Error:x})", "SDM 2B RET, 2A IRET"),
        new("not a code segment", r => !r.IsCode, r => $"#GP({r.Error:x})", "SDM 2B RET, 2A IRET"),
        new("RPL below CPL", r => r.Rpl < r.Cpl, r => $"#GP({r.Error:x})", "SDM 2B RET, 2A IRET"),
        new("conforming code, DPL above RPL", r => r.IsConforming && r.Dpl > r.Rpl, r => $"#GP({r.Error:x})", "SDM 2B RET, 2A IRET"),
        new("nonconforming code, DPL is not RPL", r => !r.IsConforming && r.Dpl != r.Rpl, r => $"#GP({r.Error:x})", "SDM 2B RET, 2A IRET"),
        new("IA-32e mode, code with L and D", r => r is { Long: true, BothLengths: true }, r => $"#GP({r.Error:x})", "SDM 2A IRET"),
        new("code not present", r => !r.Present, r => $"#NP({r.Error:x})", "SDM 2B RET, 2A IRET"),
        new("same level", r => !r.IsOuter, _ => "landed", Same),
        new("outer level, null SS", r => r.StackError == 0, _ => "#GP(0)", Outer),
        new("outer level, RPL of SS is not RPL of CS", r => (r.Stack & 3) != r.Rpl, r => $"#GP({r.StackError:x})", Outer),
        new("outer level, SS not writable data", r => !r.StackWritable, r => $"#GP({r.StackError:x})", Outer),
        new("outer level, DPL of SS is not RPL of CS", r => r.StackDpl != r.Rpl, r => $"#GP({r.StackError:x})", Outer),
        new("outer level, SS not present", r => !r.StackPresent, r => $"#SS({r.StackError:x})", Outer),
        new("outer level", _ => true, _ => "landed", Outer));

    /// <inheritdoc/>
    public override IReadOnlyList<IRuleTable> Tables => [_rules];

    /// <inheritdoc/>
    public override Ring0Case Make(CaseRandom random, int index)
    {
        bool isLong = random.OneIn(2), interrupt = random.OneIn(2);
        // In IA-32e mode there is no stack for a landing at level 1 or 2 that the template's pages would let it use.
        int cpl = isLong ? 0 : random.Below(3), rpl = isLong ? random.Pick(0, 3) : random.OneIn(6) ? random.Below(4) : random.Pick(cpl, 3, 3);
        int dpl = random.OneIn(6) ? random.Below(4) : rpl, stackRpl = random.OneIn(8) ? random.Below(4) : rpl;
        var selector = (ushort)(Selectors.Test | rpl);
        var stack = (ushort)(Selectors.Test2 | stackRpl);
        bool inLimit = true;
        if (random.OneIn(16))
            selector = (ushort)rpl;
        else if (random.OneIn(16))
            (selector, inLimit) = ((ushort)(Layout.GdtLimit + 1 | (uint)rpl), false);
        if (rpl == 3 && random.OneIn(10))
            stack = (ushort)stackRpl;
        var r = new Return(interrupt, isLong, cpl, selector, inLimit, !random.OneIn(10), random.OneIn(4), dpl, !random.OneIn(10),
            isLong && random.OneIn(10), stack, !random.OneIn(8), random.OneIn(8) ? random.Below(4) : rpl, !random.OneIn(8));
        if (!r.IsOuter)
            r = r with { Stack = (ushort)(Selectors.Data | cpl) }; // an IRETQ to the same level loads it too
        var builder = new CaseBuilder(isLong ? BootMode.Long : BootMode.Protected);
        Place(builder, r);
        Assembler c = builder.AtPrivilege(cpl);
        PushFrame(c, r);
        builder.Test(c);
        if (isLong)
            c.db(0x48);
        c.db((byte)(interrupt ? 0xCF : 0xCB));
        builder.End(c, "after");
        builder.End(builder.CodeAt(isLong ? 64 : 32, Pad), "landed");
        return builder.Build($"{Name}/{(isLong ? "long" : "protected")}/cpl{cpl}/{(interrupt ? "iret" : "ret")}/cs={selector:x}/" +
            $"{(r.IsCode ? r.IsConforming ? "conforming" : "code" : "data")}-dpl{dpl}{(r.Present ? "" : "-np")}{(r.BothLengths ? "-ld" : "")}/" +
            $"ss={r.Stack:x}/" +
            $"{(r.StackWritable ? "rw" : "ro")}-dpl{r.StackDpl}{(r.StackPresent ? "" : "-np")}/{index}", _rules.Decide(r));
    }

    private static void Place(CaseBuilder builder, Return r)
    {
        uint type = r.IsCode ? r.IsConforming ? 15u : 11u : 3u;
        uint flags = Descriptors.G | (r.Long ? Descriptors.L : 0) | (!r.Long || r.BothLengths ? Descriptors.D : 0);
        builder.Descriptor(Selectors.Test, Descriptors.Segment(0, 0xF_FFFF, Descriptors.Access(type, r.Dpl, true, r.Present), flags));
        builder.Descriptor(Selectors.Test2, Descriptors.Segment(0, 0xF_FFFF, Descriptors.Access(r.StackWritable ? 3u : 1, r.StackDpl, true,
            r.StackPresent),
            Descriptors.G | Descriptors.D));
    }

    private static void PushFrame(Assembler c, Return r)
    {
        uint stack = r.IsOuter ? Layout.Stack3 - 0x400 : Layout.Stack - 0x400;
        if (r.IsOuter || (r.Long && r.Interrupt))
        {
            c.push(r.Stack);
            c.push((int)stack);
        }

        if (r.Interrupt)
            c.push(2);
        c.push(r.Selector);
        c.push((int)Pad);
    }
}
