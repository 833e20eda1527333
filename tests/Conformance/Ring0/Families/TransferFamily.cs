using Hv.Conformance.Ring0.Cases;
using Hv.Conformance.Ring0.Guest;
using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;

namespace Hv.Conformance.Ring0.Families;

/// <summary>Far CALL and JMP through memory to code segments and call gates.</summary>
public sealed class TransferFamily() : Family("transfers", "far CALL and JMP: code segments and call gates by type, DPL, RPL, CPL, present, L and D")
{
    /// <summary>A transfer's selector, and where it names a call gate the gate's own target.</summary>
    private sealed record Transfer(bool Call, bool Long, int Cpl, ushort Selector, bool InLimit, uint Type, bool IsSegment, int Dpl, bool Present,
        bool L, bool D, Gate? Through)
    {
        public int Rpl => Selector & 3;
        public uint Error => Selector & 0xFFFCu;
        public bool IsCode => IsSegment && (Type & 8) != 0;
        public bool IsConforming => IsSegment && (Type & 0xC) == 0xC;
        public bool IsCallGate => !IsSegment && (Type == SystemTypes.CallGate || (Type == SystemTypes.CallGate16 && !Long));
    }

    /// <summary>The code segment that a call gate names.</summary>
    private sealed record Gate(bool IsNull, bool IsCode, bool IsConforming, int Dpl, bool Present, bool RightLength)
    {
        public const uint Error = Selectors.Test2;
    }

    private const uint Pad = Layout.UserCode + 0x400;

    private static readonly RuleTable<Transfer> _rules = new(
        new("null selector", t => t.Error == 0, _ => "#GP(0)", "SDM 2A CALL, JMP (far)"),
        new("outside the table's limit", t => !t.InLimit, t => $"#GP({t.Error:x})", "SDM 2A CALL, JMP (far)"),
        new("neither code, call gate, nor (elsewhere) task", t => !t.IsCode && !t.IsCallGate, t => $"#GP({t.Error:x})", "SDM 2A CALL, JMP (far)"),
        new("IA-32e mode, code with L and D", t => t is { IsCode: true, Long: true, L: true, D: true }, t => $"#GP({t.Error:x})",
            "SDM 2A CALL, JMP (far)"),
        new("conforming code, DPL above CPL", t => t.IsCode && t.IsConforming && t.Dpl > t.Cpl, t => $"#GP({t.Error:x})",
            "SDM 2A CONFORMING-CODE-SEGMENT"),
        new("nonconforming code, RPL above CPL or DPL not CPL", t => t.IsCode && !t.IsConforming && (t.Rpl > t.Cpl || t.Dpl != t.Cpl),
            t => $"#GP({t.Error:x})", "SDM 2A NONCONFORMING-CODE-SEGMENT"),
        new("code not present", t => t is { IsCode: true, Present: false }, t => $"#NP({t.Error:x})", "SDM 2A CALL, JMP (far)"),
        new("code", t => t.IsCode, _ => "landed", "SDM 2A CALL, JMP (far)"),
        new("call gate, DPL below CPL or RPL", t => t.Dpl < t.Cpl || t.Dpl < t.Rpl, t => $"#GP({t.Error:x})", "SDM 2A CALL-GATE"),
        new("call gate not present", t => !t.Present, t => $"#NP({t.Error:x})", "SDM 2A CALL-GATE"),
        new("call gate, null code selector", t => t.Through!.IsNull, _ => "#GP(0)", "SDM 2A CALL-GATE"),
        new("call gate to something that is not code, or code of a DPL above CPL", t => !t.Through!.IsCode || t.Through.Dpl > t.Cpl,
            _ => $"#GP({Gate.Error:x})", "SDM 2A CALL-GATE"),
        new("call gate in IA-32e mode to code that is not 64-bit", t => t.Long && !t.Through!.RightLength, _ => $"#GP({Gate.Error:x})",
            "SDM 2A CALL-GATE"),
        new("JMP through a call gate to nonconforming code of another DPL", t => !t.Call && !t.Through!.IsConforming && t.Through.Dpl != t.Cpl,
            _ => $"#GP({Gate.Error:x})", "SDM 2A JMP, CALL-GATE"),
        new("call gate to code that is not present", t => !t.Through!.Present, _ => $"#NP({Gate.Error:x})", "SDM 2A CALL-GATE"),
        new("call gate to an inner level", t => !t.Through!.IsConforming && t.Through.Dpl < t.Cpl, _ => "landed", "SDM 2A CALL, MORE-PRIVILEGE"),
        new("call gate to the same level", _ => true, _ => "landed", "SDM 2A CALL, SAME-PRIVILEGE"));

    /// <inheritdoc/>
    public override IReadOnlyList<IRuleTable> Tables => [_rules];

    /// <inheritdoc/>
    public override Ring0Case Make(CaseRandom random, int index)
    {
        bool isLong = random.OneIn(2), call = random.OneIn(2), gate = random.OneIn(2), isSegment = !gate && !random.OneIn(8), inLimit = true;
        int cpl = isLong ? random.Pick(0, 3) : random.Below(4), rpl = random.OneIn(2) ? cpl : random.Below(4), dpl = random.OneIn(2) ? cpl
            : random.Below(4);
        uint type = gate ? SystemTypes.CallGate : isSegment && !random.OneIn(6) ? 8u | (uint)random.Below(8) : (uint)random.Below(16);
        // Tasks have a family of their own, call gates are drawn as such, and a 16-bit gate's offset would need a segment of its own.
        if (!gate && !isSegment && (type == SystemTypes.CallGate || (!isLong && type is (SystemTypes.Tss or SystemTypes.Tss16
            or SystemTypes.TaskGate or SystemTypes.CallGate16))))
            type = SystemTypes.Ldt;
        bool l = isLong && !random.OneIn(6), d = random.OneIn(isLong ? 6 : 2);
        if (!isLong)
            d = true;
        if (isLong && !l)
            d = true; // compatibility mode with 32-bit code
        ushort selector = (ushort)(Selectors.Test | rpl);
        if (random.OneIn(10))
            selector = (ushort)rpl;
        else if (random.OneIn(10))
            (selector, inLimit) = ((ushort)(Layout.GdtLimit + 1 | (uint)rpl), false);
        Gate? through = !gate ? null : new Gate(random.OneIn(12), !random.OneIn(8), random.OneIn(4), random.OneIn(2) ? cpl : random.Below(4),
            !random.OneIn(8),
            !isLong || !random.OneIn(6));
        var transfer = new Transfer(call, isLong, cpl, selector, inLimit, type, isSegment, dpl, !random.OneIn(8), l, d, through);
        Expectation expected = _rules.Decide(transfer);
        var builder = new CaseBuilder(isLong ? BootMode.Long : BootMode.Protected);
        Place(builder, transfer);
        builder.Word32(Layout.UserData, gate ? 0xDEAD_0000 : Pad);
        builder.Word16(Layout.UserData + 4, selector);
        Assembler c = builder.AtPrivilege(cpl);
        builder.Test(c);
        // FF /3 CALL m16:32, FF /5 JMP m16:32; 32-bit code has [disp32] in ModRM, 64-bit code behind an empty SIB byte.
        if (isLong)
            c.db(0xFF, (byte)(call ? 0x1C : 0x2C), 0x25);
        else
            c.db(0xFF, (byte)(call ? 0x1D : 0x2D));
        c.dd(Layout.UserData);
        builder.End(c, "after");
        bool landsWide = isLong && (gate || l);
        builder.End(builder.CodeAt(landsWide ? 64 : 32, Pad), "landed");
        string to = through switch
        {
            null => "",
            { IsNull: true } => "/to-null",
            _ => $"/to-{(through.IsCode ? through.IsConforming ? "conforming" : "code" : "data")}-dpl{through.Dpl}{(through.Present ? "" : "-np")}" +
                (through.RightLength ? "" : "-short"),
        };
        return builder.Build($"{Name}/{(isLong ? "long" : "protected")}/cpl{cpl}/{(call ? "call" : "jmp")}/sel={selector:x}/" +
            $"{(isSegment ? "segment" : "system")}-{type:x}-dpl{dpl}{(transfer.Present ? "" : "-np")}{(l ? "-l" : "")}{(d ? "-d" : "")}" +
            $"{to}/{index}", expected);
    }

    private static void Place(CaseBuilder builder, Transfer t)
    {
        uint access = Descriptors.Access(t.Type, t.Dpl, t.IsSegment, t.Present);
        if (t.Through is not { } gate)
        {
            builder.Descriptor(Selectors.Test, Descriptors.Segment(0, 0xF_FFFF, access, Descriptors.G | (t.L ? Descriptors.L : 0) | (t.D
                ? Descriptors.D : 0)), 0);
            return;
        }

        builder.Descriptor(Selectors.Test, Descriptors.Gate(gate.IsNull ? (ushort)0 : Selectors.Test2, Pad, access), 0);
        uint type = gate.IsCode ? gate.IsConforming ? 15u : 11 : 3;
        builder.Descriptor(Selectors.Test2, Descriptors.Segment(0, 0xF_FFFF, Descriptors.Access(type, gate.Dpl, true, gate.Present),
            Descriptors.G | (t.Long && gate.RightLength ? Descriptors.L : Descriptors.D)));
    }
}
