using Hv.Conformance.Ring0.Cases;
using Hv.Conformance.Ring0.Guest;
using Hv.Conformance.Ring0.Results;
using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;

namespace Hv.Conformance.Ring0.Families;

/// <summary>Events through gates of the IDT: every gate type, DPL and target, from each privilege level, by INT n, INT3, INT1 and a fault.</summary>
public sealed class DeliveryFamily() : Family("delivery", "INT n, INT3, INT1 and faults through gates: type, DPL, present, target, stack, IST")
{
    private enum Event
    {
        /// <summary>INT n.</summary>
        Interrupt,

        /// <summary>INT3: a gate's DPL counts.</summary>
        Breakpoint,

        /// <summary>INT1: a gate's DPL does not count.</summary>
        Debug,

        /// <summary>#NM, an exception of the processor's own: EXT is set in what follows from it.</summary>
        Fault,
    }

    private enum Target
    {
        Nonconforming,
        Conforming,
        Data,
        SystemSegment,
        Null,
        OutsideTable,
        WrongLength,
    }

    private sealed record Delivery(Event Event, bool Long, int Cpl, byte Vector, bool InLimit, uint GateType, int GateDpl, bool GatePresent,
        Target Target, int Dpl, int Rpl, bool Present, int BadStack)
    {
        public uint Ext => Event is Event.Fault or Event.Debug ? 1u : 0;
        public uint GateError => Vector * 8u + 2 + Ext;
        public uint Selector => Target switch
        {
            Target.Null => (uint)Rpl,
            Target.OutsideTable => (Layout.GdtLimit + 1) | (uint)Rpl,
            _ => Selectors.Test | (uint)Rpl,
        };
        public uint CodeError => Selector & 0xFFFC | Ext;
        public bool IsGate => Long ? GateType is 14 or 15 : GateType is 6 or 7 or 14 or 15;
        public bool IsCode => Target is Target.Nonconforming or Target.Conforming or Target.WrongLength;
        public bool ChangesStack => Target == Target.Nonconforming && Dpl < Cpl;
        public uint StackSelector => (uint)(Selectors.Test2 | Dpl);
    }

    private static readonly RuleTable<Delivery> _rules = new(
        new("the stack of level 0 is bad, for the event and for what comes of it", d => d is
        {
            ChangesStack: true, Long: false, Dpl: 0,
            BadStack: not 0
        },
            _ => CaseResult.Shutdown, "SDM 3A 6.15, table 6-5"),
        new("the vector is outside the IDT's limit", d => !d.InLimit, d => $"#GP({d.GateError:x})", "SDM 2A INT n, PROTECTED-MODE"),
        new("not an interrupt, trap or (legacy) task gate", d => !d.IsGate, d => $"#GP({d.GateError:x})", "SDM 2A INT n, PROTECTED-MODE"),
        new("software interrupt, gate DPL below CPL", d => d.Event is Event.Interrupt or Event.Breakpoint && d.GateDpl < d.Cpl,
            d => $"#GP({d.GateError:x})", "SDM 2A INT n, PROTECTED-MODE"),
        new("gate not present", d => !d.GatePresent, d => $"#NP({d.GateError:x})", "SDM 2A INT n, PROTECTED-MODE"),
        new("null code selector", d => d.Target == Target.Null, d => $"#GP({d.Ext:x})", "SDM 2A INT n, TRAP-OR-INTERRUPT-GATE"),
        new("code selector outside the table's limit", d => d.Target == Target.OutsideTable, d => $"#GP({d.CodeError:x})",
            "SDM 2A INT n, TRAP-OR-INTERRUPT-GATE"),
        new("not a code segment", d => !d.IsCode, d => $"#GP({d.CodeError:x})", "SDM 2A INT n, TRAP-OR-INTERRUPT-GATE"),
        new("DPL above CPL", d => d.Dpl > d.Cpl, d => $"#GP({d.CodeError:x})", "SDM 2A INT n, TRAP-OR-INTERRUPT-GATE"),
        new("IA-32e mode, not a 64-bit code segment", d => d.Long && d.Target == Target.WrongLength, d => $"#GP({d.CodeError:x})",
            "SDM 3A 6.14.1"),
        new("code segment not present", d => !d.Present, d => $"#NP({d.CodeError:x})", "SDM 2A INT n, TRAP-OR-INTERRUPT-GATE"),
        new("inner privilege, null SS in the TSS", d => d is { ChangesStack: true, Long: false, BadStack: 1 }, d => $"#TS({d.Ext:x})",
            "SDM 2A INT n, INTER-PRIVILEGE-LEVEL-INTERRUPT"),
        new("inner privilege, SS of another DPL", d => d is { ChangesStack: true, Long: false, BadStack: 2 },
            d => $"#TS({d.StackSelector & 0xFFFC | d.Ext:x})", "SDM 2A INT n, INTER-PRIVILEGE-LEVEL-INTERRUPT"),
        new("inner privilege, SS not writable", d => d is { ChangesStack: true, Long: false, BadStack: 3 },
            d => $"#TS({d.StackSelector & 0xFFFC | d.Ext:x})", "SDM 2A INT n, INTER-PRIVILEGE-LEVEL-INTERRUPT"),
        new("inner privilege, SS not present", d => d is { ChangesStack: true, Long: false, BadStack: 4 },
            d => $"#SS({d.StackSelector & 0xFFFC | d.Ext:x})", "SDM 2A INT n, INTER-PRIVILEGE-LEVEL-INTERRUPT"),
        new("inner privilege, the new stack has no room", d => d is { ChangesStack: true, Long: false, BadStack: 5 },
            d => $"#SS({d.StackSelector & 0xFFFC | d.Ext:x})", "SDM 2A INT n, INTER-PRIVILEGE-LEVEL-INTERRUPT"),
        new("inner privilege", d => d.ChangesStack, _ => "landed", "SDM 2A INT n, INTER-PRIVILEGE-LEVEL-INTERRUPT"),
        new("same privilege", _ => true, _ => "landed", "SDM 2A INT n, INTRA-PRIVILEGE-LEVEL-INTERRUPT"));

    /// <inheritdoc/>
    public override IReadOnlyList<IRuleTable> Tables => [_rules];

    /// <inheritdoc/>
    public override Ring0Case Make(CaseRandom random, int index)
    {
        bool isLong = random.OneIn(2), inLimit = !random.OneIn(10);
        int cpl = isLong ? random.Pick(0, 3) : random.Below(4);
        Event @event = (Event)random.Below(4);
        byte vector = @event switch { Event.Interrupt => (byte)(0x80 + random.Below(0x70)), Event.Breakpoint => 3, Event.Debug => 1, _ => 7 };
        if (@event != Event.Interrupt)
            inLimit = true; // the end needs the gates of #UD and of what may come instead
        uint type = random.OneIn(3) ? (uint)random.Below(16) : random.Pick(14u, 15u, 14u, 6u);
        if (!isLong && type is SystemTypes.TaskGate)
            type = SystemTypes.InterruptGate; // the family of task switches has them
        var d = new Delivery(@event, isLong, cpl, vector, inLimit, type, random.OneIn(2) ? 3 : random.Below(4), !random.OneIn(8),
            random.OneIn(2) ? Target.Nonconforming : (Target)random.Below(7), random.OneIn(2) ? 0 : random.Below(4), random.Below(4),
            !random.OneIn(8), random.OneIn(2) ? random.Below(6) : 0);
        if (!isLong && d.Target == Target.WrongLength)
            d = d with { Target = Target.Nonconforming };
        // The TSS of level 1 is read only by what gets that far.
        if (!isLong && cpl > 1 && random.OneIn(3))
            d = d with
            {
                GateType = SystemTypes.InterruptGate,
                GateDpl = 3,
                GatePresent = true,
                Target = Target.Nonconforming,
                Dpl = 1,
                Present = true
            };
        if (d is { ChangesStack: true, Dpl: 0 } && !random.OneIn(40))
            d = d with { BadStack = 0 }; // shutdowns cost the other engines a start each
        var builder = new CaseBuilder(isLong ? BootMode.Long : BootMode.Protected);
        Place(builder, d);
        // Code at CPL 3 could not write the stacks of the IST.
        int ist = isLong && (cpl == 0 || d.ChangesStack) && random.OneIn(4) ? random.Pick(1, 2) : 0;
        // The landing pad's segment has the arena as its base, so that a 16-bit gate's offset reaches it; 64-bit code has no base.
        const uint Pad = Layout.UserCode + 0x400;
        Assembler pad = builder.CodeAt(isLong ? 64 : 32, Pad, !isLong);
        builder.End(pad, "landed");
        builder.Gate(vector, (ushort)d.Selector, isLong ? Pad : Pad - Layout.Arena, Descriptors.Access(d.GateType, d.GateDpl, false,
            d.GatePresent), (uint)ist);
        if (!inLimit)
        {
            builder.Word16(Layout.Data, 0x7F * 8 + 7);
            builder.Word32(Layout.Data + 2, Layout.Idt);
            builder.Word32(Layout.Data + 6, 0);
            if (isLong)
                builder.Word16(Layout.Data, 0x7F * 16 + 15);
            builder.Code.lidt(__[Layout.Data]);
        }

        if (@event == Event.Fault)
        {
            builder.Code.mov(eax, isLong ? unchecked((int)0x8000_0019) : 0x19); // CR0.TS
            if (isLong)
                builder.Code.mov(cr0, rax);
            else
                builder.Code.mov(cr0, eax);
        }

        uint flags = random.Pick(2u, 0x4002u, 0x202u, 0x40002u);
        Assembler c = cpl == 0 ? builder.Code : builder.AtPrivilege(cpl, flags & ~0x4000u);
        builder.Test(c);
        switch (@event)
        {
            case Event.Interrupt: c.@int((sbyte)vector); break;
            case Event.Breakpoint: c.int3(); break;
            case Event.Debug: c.int1(); break;
            default: c.fnop(); break;
        }

        builder.End(c, "returned");
        return builder.Build($"{Name}/{(isLong ? "long" : "protected")}/cpl{cpl}/{@event}-{vector:x}/" +
            $"gate-{d.GateType:x}-dpl{d.GateDpl}{(d.GatePresent ? "" : "-np")}" +
            $"/{d.Target}-dpl{d.Dpl}-rpl{d.Rpl}{(d.Present ? "" : "-np")}/{(d.ChangesStack ? $"stack{d.BadStack}" : "same")}" +
            $"{(ist != 0 ? $"-ist{ist}" : "")}/{index}", _rules.Decide(d));
    }

    /// <summary>The target's descriptor, and for an inner one the stack that the TSS names.</summary>
    private static void Place(CaseBuilder builder, Delivery d)
    {
        uint type = d.Target switch { Target.Conforming => 15u, Target.Data => 3, Target.SystemSegment => SystemTypes.Ldt, _ => 11 };
        uint flags = d.Long ? d.Target == Target.WrongLength ? Descriptors.G | Descriptors.D : Descriptors.G | Descriptors.L : Descriptors.D;
        builder.Descriptor(Selectors.Test, Descriptors.Segment(d.Long ? 0 : Layout.Arena, d.Long ? 0xF_FFFFu : 0xFFFF,
            Descriptors.Access(type, d.Dpl, d.Target != Target.SystemSegment, d.Present), flags));
        if (d.Long || !d.ChangesStack)
            return;
        uint selector = d.BadStack == 1 ? 0 : d.StackSelector, access = d.BadStack switch
        {
            2 => Descriptors.Access(3, d.Dpl ^ 1, true),
            3 => Descriptors.Access(1, d.Dpl, true),
            4 => Descriptors.Access(3, d.Dpl, true, false),
            _ => Descriptors.Access(3, d.Dpl, true),
        };
        // A limit that ends within the frame's place.
        builder.Descriptor(Selectors.Test2, d.BadStack == 5 ? Descriptors.Segment(0, 0x1_9FF0, access, Descriptors.D)
            : Descriptors.Segment(0, 0xF_FFFF, access, Descriptors.G | Descriptors.D));
        builder.Word32(Layout.Tss + 8 + (uint)d.Dpl * 8, selector);
        builder.Word32(Layout.Tss + 4 + (uint)d.Dpl * 8, Layout.Stack1);
    }
}
