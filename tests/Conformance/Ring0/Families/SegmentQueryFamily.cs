using Hv.Conformance.Ring0.Cases;
using Hv.Conformance.Ring0.Guest;
using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;

namespace Hv.Conformance.Ring0.Families;

/// <summary>LAR, LSL, VERR, VERW and ARPL.</summary>
public sealed class SegmentQueryFamily() : Family("queries", "LAR, LSL, VERR, VERW and ARPL: type, DPL, RPL, CPL, limit")
{
    private enum Question
    {
        Lar,
        Lsl,
        Verr,
        Verw,
    }

    private sealed record Query(Question Question, bool Long, int Cpl, ushort Selector, bool InLimit, uint Type, bool IsSegment, int Dpl)
    {
        public int Rpl => Selector & 3;
        public bool IsConforming => IsSegment && (Type & 0xC) == 0xC;
    }

    private const uint Untouched = 0x5A5A_1234, LimitBits = 0x000F_0000;
    private const string Yes = "1", No = "0";

    private static readonly uint[] _larTypes = [1, 2, 3, 4, 5, 9, 11, 12], _larLongTypes = [2, 9, 11, 12], _lslTypes = [1, 2, 3, 9, 11],
        _lslLongTypes = [2, 9, 11];

    private static readonly RuleTable<Query> _rules = new(
        new("null selector", q => (q.Selector & 0xFFFC) == 0, _ => No, "SDM 2A LAR, LSL; 2B VERR/VERW"),
        new("outside the table's limit", q => !q.InLimit, _ => No, "SDM 2A LAR, LSL; 2B VERR/VERW"),
        new("VERR, VERW: a system descriptor", q => !q.IsSegment && q.Question is Question.Verr or Question.Verw && !q.IsSegment, _ => No,
            "SDM 2B VERR/VERW"),
        new("LAR: a type without access rights", q => !q.IsSegment && q.Question == Question.Lar
            && !(q.Long ? _larLongTypes : _larTypes).Contains(q.Type), _ => No, "SDM 2A LAR, table 3-53"),
        new("LSL: a type without a limit", q => !q.IsSegment && q.Question == Question.Lsl
            && !(q.Long ? _lslLongTypes : _lslTypes).Contains(q.Type), _ => No, "SDM 2A LSL, table 3-56"),
        new("not conforming code, CPL or RPL above DPL", q => !q.IsConforming && (q.Cpl > q.Dpl || q.Rpl > q.Dpl), _ => No,
            "SDM 2A LAR, LSL; 2B VERR/VERW"),
        new("VERR: execute-only code", q => q.Question == Question.Verr && (q.Type & 0xA) == 8, _ => No, "SDM 2B VERR/VERW"),
        new("VERW: code, or read-only data", q => q.Question == Question.Verw && (q.Type & 0xA) != 2, _ => No, "SDM 2B VERR/VERW"),
        new("visible", _ => true, _ => Yes, "SDM 2A LAR, LSL; 2B VERR/VERW"));

    /// <inheritdoc/>
    public override IReadOnlyList<IRuleTable> Tables => [_rules];

    /// <inheritdoc/>
    public override Ring0Case Make(CaseRandom random, int index)
    {
        bool isLong = random.OneIn(2);
        int cpl = isLong ? random.Pick(0, 3) : random.Below(4);
        var builder = new CaseBuilder(isLong ? BootMode.Long : BootMode.Protected);
        Assembler c = builder.AtPrivilege(cpl);
        if (random.OneIn(10))
            return Arpl(builder, c, isLong, random, index);
        int dpl = random.Below(4), rpl = random.Below(4);
        bool isSegment = random.OneIn(2), inLimit = true, granular = random.OneIn(2);
        uint type = (uint)random.Below(16), limit = random.Pick(0u, 0x67u, 0x1234u, 0xF_FFFFu);
        uint access = Descriptors.Access(type, dpl, isSegment, !random.OneIn(4));
        ushort selector = (ushort)(Selectors.Test | rpl);
        switch (random.Below(8))
        {
            case 0: selector = (ushort)rpl; break;
            case 1: selector = (ushort)(Layout.GdtLimit + 1 | (uint)rpl); inLimit = false; break;
            case 2: selector = (ushort)(Layout.LdtLimit + 1 | 4 | (uint)rpl); inLimit = false; break;
            case 3: selector = (ushort)(Selectors.LdtTest | rpl); break;
            default: break;
        }

        builder.Descriptor((ushort)(selector & 4) != 0 ? Selectors.LdtTest : Selectors.Test,
            Descriptors.Segment(0x12_3456, limit, access, granular ? Descriptors.G | 1 : 1));
        var query = new Query((Question)random.Below(4), isLong, cpl, selector, inLimit, type, isSegment, dpl);
        c.mov(eax, selector);
        c.mov(esi, Untouched);
        c.xor(ebx, ebx);
        builder.Test(c);
        switch (query.Question)
        {
            case Question.Lar: c.lar(esi, eax); break;
            case Question.Lsl: c.lsl(esi, eax); break;
            case Question.Verr: c.verr(ax); break;
            default: c.verw(ax); break;
        }

        c.setz(bl);
        if (query.Question == Question.Lar)
            c.and(esi, unchecked((int)~LimitBits)); // bits 19:16 of LAR's answer are undefined (SDM 2A LAR)
        builder.End(c, "end");
        Expectation decided = _rules.Decide(query);
        bool visible = decided.Outcome == Yes;
        uint answer = query.Question switch
        {
            Question.Lar => (visible ? access << 8 | (granular ? 0x90_0000u : 0x10_0000) : Untouched) & ~LimitBits,
            Question.Lsl => !visible ? Untouched : granular ? limit << 12 | 0xFFF : limit,
            _ => Untouched,
        };
        return builder.Build($"{Name}/{(isLong ? "long" : "protected")}/cpl{cpl}/{query.Question.ToString().ToLowerInvariant()}/sel={selector:x}/" +
            $"{(isSegment ? "segment" : "system")}-{type:x}/dpl{dpl}/{index}",
            decided with { Outcome = "end", Fields = [(RecordField.Rbx, visible ? 1u : 0), (RecordField.Rsi, answer)] });
    }

    private Ring0Case Arpl(CaseBuilder builder, Assembler c, bool isLong, CaseRandom random, int index)
    {
        // In 64-bit code the opcode is MOVSXD.
        uint selector = (uint)random.Below(0x1_0000), other = (uint)random.Below(0x1_0000);
        c.mov(eax, selector);
        c.mov(ecx, other);
        c.xor(ebx, ebx);
        if (isLong)
        {
            builder.Test(c);
            c.db(0x63, 0xC8);
            builder.End(c, "end");
            return builder.Build($"{Name}/long/arpl-is-movsxd/{index}",
                new Expectation("end", "SDM 2A ARPL: not encodable in 64-bit mode; 2B MOVSXD") { Fields = [(RecordField.Rcx, selector)] });
        }

        builder.Test(c);
        c.arpl(ax, cx);
        c.setz(bl);
        builder.End(c, "end");
        bool raised = (selector & 3) < (other & 3);
        return builder.Build($"{Name}/protected/arpl/{selector:x}-{other:x}/{index}", new Expectation("end", "SDM 2A ARPL")
        {
            Fields = [(RecordField.Rbx, raised ? 1u : 0), (RecordField.Rax, raised ? selector & 0xFFFC | other & 3 : selector)],
        });
    }
}
