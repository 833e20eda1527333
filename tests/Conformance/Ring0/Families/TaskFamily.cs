using Hv.Conformance.Ring0.Cases;
using Hv.Conformance.Ring0.Guest;
using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;

namespace Hv.Conformance.Ring0.Families;

/// <summary>Hardware task switches.</summary>
public sealed class TaskFamily() : Family("tasks", "task switches by JMP, CALL, INT and IRET through TSSs and task gates, and their faults")
{
    private enum Way
    {
        Jump,
        Call,
        JumpGate,
        CallGate,
        Interrupt,
        Return,
    }

    private enum Flaw
    {
        None,
        Busy,
        NotPresent,
        SmallLimit,
        GateNotPresent,
        LowDpl,
        NullCode,
        DataCode,
        CodeNotPresent,
        NullStack,
        StackDpl,
        StackNotPresent,
        BadData,
        DataNotPresent,
        BadLdt,
    }

    private sealed record Switch(Way Way, Flaw Flaw, int Cpl)
    {
        public bool ByGate => Way is Way.JumpGate or Way.CallGate or Way.Interrupt;
        public uint Tss => Selectors.Task2;

        /// <summary>The fault belongs to the new task, which has no code or stack segment to take it with: what comes of that is not said.</summary>
        public bool LacksSegments => Flaw is Flaw.BadLdt or Flaw.NullCode or Flaw.DataCode or Flaw.CodeNotPresent or Flaw.NullStack or Flaw.StackDpl
            or Flaw.StackNotPresent;
    }

    private const uint Pad = Layout.Code + 0x800, NestedTask = 0x4000, TaskSwitched = 8;

    /// <summary>Offsets in a 32-bit TSS (SDM 3A figure 8-2).</summary>
    private const uint Eip = 0x20, Eflags = 0x24, Esp = 0x38, Es = 0x48, Cs = 0x4C, Ss = 0x50, Ds = 0x54, Fs = 0x58, Gs = 0x5C, LdtField = 0x60;

    private static readonly RuleTable<Switch> _rules = new(
        new("DPL of the TSS or gate below CPL", s => s.Flaw == Flaw.LowDpl && s.Way is not (Way.Return or Way.Interrupt) && s.Cpl > 0,
            s => $"#GP({(s.ByGate ? (uint)Selectors.TaskGate : s.Tss):x})", "SDM 2A CALL, JMP (far), TASK-STATE-SEGMENT"),
        new("INT n, gate DPL below CPL", s => s is { Flaw: Flaw.LowDpl, Way: Way.Interrupt, Cpl: > 0 }, _ => $"#GP({0x90 * 8 + 2:x})",
            "SDM 2A INT n, TASK-GATE"),
        new("task gate not present", s => s is { Flaw: Flaw.GateNotPresent, Way: Way.JumpGate or Way.CallGate }, _ => $"#NP({Selectors.TaskGate:x})",
            "SDM 2A CALL, JMP (far), TASK-GATE"),
        new("INT n, task gate not present", s => s is { Flaw: Flaw.GateNotPresent, Way: Way.Interrupt }, _ => $"#NP({0x90 * 8 + 2:x})",
            "SDM 2A INT n, TASK-GATE"),
        new("IRET to a TSS that is not busy", s => s is { Way: Way.Return, Flaw: Flaw.Busy }, s => $"#TS({s.Tss:x})", "SDM 2A IRET, TASK-RETURN"),
        new("the new TSS is busy", s => s.Flaw == Flaw.Busy, s => $"#GP({s.Tss:x})", "SDM 2A CALL, JMP (far), INT n"),
        new("the new TSS is not present", s => s.Flaw == Flaw.NotPresent, s => $"#NP({s.Tss:x})", "SDM 2A CALL, JMP (far), INT n, IRET"),
        new("the new TSS is too small", s => s.Flaw == Flaw.SmallLimit, s => $"#TS({s.Tss:x})", "SDM 3A 8.3"),
        new("DS in the new TSS is not readable", s => s.Flaw == Flaw.BadData, _ => $"#TS({Selectors.Test3:x})@pad", "SDM 3A table 8-1"),
        new("DS in the new TSS is not present", s => s.Flaw == Flaw.DataNotPresent, _ => $"#NP({Selectors.Test3:x})@pad", "SDM 3A table 8-1"),
        new("good", _ => true, _ => "pad", "SDM 3A 8.3"));

    /// <inheritdoc/>
    public override IReadOnlyList<IRuleTable> Tables => [_rules];

    /// <inheritdoc/>
    public override Ring0Case Make(CaseRandom random, int index)
    {
        var s = new Switch((Way)random.Below(6), random.OneIn(2) ? Flaw.None : (Flaw)random.Below(15), random.OneIn(3) ? 3 : 0);
        if (s.Way == Way.Return)
            s = s with { Cpl = 0, Flaw = s.Flaw is Flaw.LowDpl or Flaw.GateNotPresent ? Flaw.None : s.Flaw };
        if (!s.ByGate && s.Flaw == Flaw.GateNotPresent)
            s = s with { Flaw = Flaw.None };
        if (s.LacksSegments && !random.OneIn(16))
            s = s with { Flaw = Flaw.None }; // shutdowns cost the other engines a start each
        var builder = new CaseBuilder(BootMode.Protected);
        Fill(builder, s, random);
        Assembler c = builder.AtPrivilege(s.Cpl);
        Write(builder, c, s);
        builder.End(c, "after");
        builder.End(builder.CodeAt(32, Pad), "pad");
        Expectation? expected = s.LacksSegments ? null : _rules.Decide(s);
        if (expected?.Outcome == "pad")
            expected = Completed(expected, s);
        return builder.Build($"{Name}/{s.Way}/cpl{s.Cpl}/{s.Flaw}/{index}", expected);
    }

    /// <summary>Busy bits, the back link and NT of a completed switch (SDM 3A table 8-2).</summary>
    private static Expectation Completed(Expectation expected, Switch s)
    {
        bool nests = s.Way is Way.Call or Way.CallGate or Way.Interrupt;
        var memory = new List<(uint, int, ulong)>
        {
            (Layout.Gdt + Selectors.Tss + 5, 1, nests ? 0x8Bu : 0x89),
            (Layout.Gdt + Selectors.Task2 + 5, 1, (uint)((s.Flaw == Flaw.LowDpl ? 0x80 : 0xE0) | SystemTypes.BusyTss)),
        };
        if (nests)
            memory.Add((Layout.Task2, 2, Selectors.Tss));
        return expected with
        {
            Fields = [(RecordField.Tr, Selectors.Task2), (RecordField.Cr0, 0x11 | TaskSwitched)],
            SavedFlags = (NestedTask, nests ? NestedTask : 0),
            Memory = memory,
        };
    }

    private static void Fill(CaseBuilder builder, Switch s, CaseRandom random)
    {
        bool busy = s.Way == Way.Return != (s.Flaw == Flaw.Busy);
        int dpl = s.Flaw == Flaw.LowDpl ? 0 : 3;
        builder.Descriptor(Selectors.Task2, Descriptors.Segment(Layout.Task2, s.Flaw == Flaw.SmallLimit ? 0x66u : 0x67,
            Descriptors.Access(busy ? SystemTypes.BusyTss : SystemTypes.Tss, dpl, false, s.Flaw != Flaw.NotPresent)));
        builder.Descriptor(Selectors.TaskGate, Descriptors.Gate(Selectors.Task2, 0,
            Descriptors.Access(SystemTypes.TaskGate, dpl, false, s.Flaw != Flaw.GateNotPresent)));
        builder.Gate(0x90, Selectors.Task2, 0, Descriptors.Access(SystemTypes.TaskGate, dpl, false, s.Flaw != Flaw.GateNotPresent));
        builder.Descriptor(Selectors.Test2, Descriptors.Segment(0, 0xF_FFFF, Descriptors.Access(11, 0, true, s.Flaw != Flaw.CodeNotPresent),
            Descriptors.G | Descriptors.D));
        builder.Descriptor(Selectors.Test3, Descriptors.Segment(0, 0xF_FFFF,
            Descriptors.Access(s.Flaw == Flaw.BadData ? 9u : 3, 0, true, s.Flaw != Flaw.DataNotPresent), Descriptors.G | Descriptors.D));
        builder.Descriptor(Selectors.Test4, Descriptors.Segment(0, 0xF_FFFF,
            Descriptors.Access(3, s.Flaw == Flaw.StackDpl ? 1 : 0, true, s.Flaw != Flaw.StackNotPresent), Descriptors.G | Descriptors.D));
        void Field(uint offset, uint value) => builder.Word32(Layout.Task2 + offset, value);
        Field(0x1C, 0); // CR3: no paging
        Field(Eip, Pad);
        Field(Eflags, 2);
        for (uint register = 0; register < 8; register++)
            Field(0x28 + register * 4, (uint)random.Next());
        Field(Esp, Layout.Stack - 0x400);
        Field(Es, Selectors.Data);
        Field(Cs, s.Flaw switch { Flaw.NullCode => 0, Flaw.DataCode => Selectors.Data, _ => Selectors.Test2 });
        Field(Ss, s.Flaw == Flaw.NullStack ? 0u : Selectors.Test4);
        Field(Ds, Selectors.Test3);
        Field(Fs, 0);
        Field(Gs, Selectors.Data);
        Field(LdtField, s.Flaw == Flaw.BadLdt ? Selectors.Test : random.OneIn(2) ? 0u : Selectors.Ldt);
        Field(0x64, 0x68 << 16);
        if (s.Way == Way.Return)
            builder.Word16(Layout.Tss, Selectors.Task2);
    }

    private static void Write(CaseBuilder builder, Assembler c, Switch s)
    {
        switch (s.Way)
        {
            case Way.Interrupt:
                builder.Test(c);
                c.@int(unchecked((sbyte)0x90));
                break;
            case Way.Return:
                c.push((int)NestedTask | 2);
                c.popfd();
                builder.Test(c);
                c.iretd();
                break;
            default:
                bool call = s.Way is Way.Call or Way.CallGate;
                builder.Test(c);
                c.db((byte)(call ? 0x9A : 0xEA));
                c.dd(0xDEAD_0000);
                c.dw(s.ByGate ? Selectors.TaskGate : Selectors.Task2);
                break;
        }
    }
}
