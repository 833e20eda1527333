using Hv.Conformance.Ring0.Cases;
using Hv.Conformance.Ring0.Guest;
using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;

namespace Hv.Conformance.Ring0.Families;

/// <summary>Virtual-8086 mode without VME.</summary>
public sealed class VirtualFamily() : Family("virtual-8086",
    "virtual-8086 mode: IOPL-sensitive and privileged instructions, events out of it, IRET into it")
{
    /// <summary>What an instruction needs in virtual-8086 mode.</summary>
    private enum Needs
    {
        Nothing,

        /// <summary>IOPL 3, else #GP(0) (SDM 3B 21.2.7).</summary>
        Iopl,

        /// <summary>It is #GP(0): privileged.</summary>
        Level0,

        /// <summary>It is #UD: it needs protected mode.</summary>
        Undefined,
    }

    private sealed record Row(string Name, Needs Needs, string Citation, string Outcome, Action<CaseBuilder, Assembler> Write);

    private const ushort PadOffset = (ushort)(Layout.UserCode + 0x800 - Layout.Arena);
    private const string Sensitive = "SDM 3B 21.2.7", NotHere = "SDM 2, virtual-8086 mode exceptions";

    private static readonly Row[] _rows =
    [
        new("int", Needs.Iopl, Sensitive, "int90@after", (b, c) => { b.Test(c); c.@int(unchecked((sbyte)0x90)); }),
        new("int through a gate of DPL 0", Needs.Iopl, "SDM 2A INT n", "#GP(482)",
            (b, c) => { b.Gate(0x90, Selectors.Code32, 0, 0x8E); b.Test(c); c.@int(unchecked((sbyte)0x90)); }),
        new("int through a gate to level 3", Needs.Iopl, "SDM 2A INT n, INTERRUPT-FROM-VIRTUAL-8086-MODE: the target's DPL must be 0",
            $"#GP({Selectors.UserCode32 & 0xFFFC:x})",
            (b, c) => { b.Gate(0x90, Selectors.UserCode32, 0, 0xEE); b.Test(c); c.@int(unchecked((sbyte)0x90)); }),
        new("int through a gate to conforming code", Needs.Iopl, "SDM 2A INT n, INTERRUPT-FROM-VIRTUAL-8086-MODE", $"#GP({Selectors.Conforming:x})",
            (b, c) => { b.Gate(0x90, Selectors.Conforming, 0, 0xEE); b.Test(c); c.@int(unchecked((sbyte)0x90)); }),
        new("int3", Needs.Nothing, Sensitive, "#BP@after", (b, c) => { b.Test(c); c.int3(); }),
        new("into", Needs.Nothing, Sensitive, "#OF@after", (b, c) => { c.mov(al, 0x7F); c.add(al, 1); b.Test(c); c.into(); }),
        new("div", Needs.Nothing, "SDM 2A DIV", "#DE", (b, c) => { b.Test(c); c.div(cl); }),
        new("cli", Needs.Iopl, Sensitive, "after", (b, c) => { b.Test(c); c.cli(); }),
        new("sti", Needs.Iopl, Sensitive, "after", (b, c) => { b.Test(c); c.sti(); c.nop(); }),
        new("pushf", Needs.Iopl, Sensitive, "after", (b, c) => { b.Test(c); c.pushf(); }),
        new("pushfd", Needs.Iopl, Sensitive, "after", (b, c) => { b.Test(c); c.pushfd(); }),
        new("popf", Needs.Iopl, Sensitive, "after", (b, c) => { c.push(0x0ED7); b.Test(c); c.popf(); }),
        new("popfd", Needs.Iopl, Sensitive, "after", (b, c) => { c.push(0x24); c.push(0x0ED7); b.Test(c); c.popfd(); }),
        new("iret", Needs.Iopl, "SDM 2A IRET, RETURN-FROM-VIRTUAL-8086-MODE", "pad",
            (b, c) => { c.push(0x0ED7); c.push(Layout.RealSegment); c.push(PadOffset); b.Test(c); c.iret(); }),
        new("iretd", Needs.Iopl, "SDM 2A IRET, RETURN-FROM-VIRTUAL-8086-MODE", "pad",
            (b, c) => { c.push(0x24); c.push(0x0ED7); c.push(0); c.push(Layout.RealSegment); c.push(0); c.push(PadOffset); b.Test(c); c.iretd(); }),
        new("hlt", Needs.Level0, NotHere, "", (b, c) => { b.Test(c); c.hlt(); }),
        new("clts", Needs.Level0, NotHere, "", (b, c) => { b.Test(c); c.clts(); }),
        new("mov cr0", Needs.Level0, NotHere, "", (b, c) => { b.Test(c); c.mov(eax, cr0); }),
        new("mov dr7", Needs.Level0, NotHere, "", (b, c) => { b.Test(c); c.mov(eax, dr7); }),
        new("lgdt", Needs.Level0, NotHere, "", (b, c) => { b.Test(c); c.lgdt(__word_ptr[0x6000]); }),
        new("lmsw", Needs.Level0, NotHere, "", (b, c) => { b.Test(c); c.lmsw(ax); }),
        new("rdmsr", Needs.Level0, NotHere, "", (b, c) => { b.Test(c); c.rdmsr(); }),
        new("invlpg", Needs.Level0, NotHere, "", (b, c) => { b.Test(c); c.invlpg(__byte_ptr[0]); }),
        new("wbinvd", Needs.Level0, NotHere, "", (b, c) => { b.Test(c); c.wbinvd(); }),
        new("smsw", Needs.Nothing, NotHere, "after", (b, c) => { b.Test(c); c.smsw(ax); }),
        new("sgdt", Needs.Nothing, NotHere, "after", (b, c) => { b.Test(c); c.sgdt(__word_ptr[0x7000]); }),
        new("lldt", Needs.Undefined, NotHere, "", (b, c) => { b.Test(c); c.lldt(ax); }),
        new("sldt", Needs.Undefined, NotHere, "", (b, c) => { b.Test(c); c.sldt(ax); }),
        new("lar", Needs.Undefined, NotHere, "", (b, c) => { b.Test(c); c.lar(ax, cx); }),
        new("verw", Needs.Undefined, NotHere, "", (b, c) => { b.Test(c); c.verw(ax); }),
        new("arpl", Needs.Undefined, NotHere, "", (b, c) => { b.Test(c); c.arpl(ax, cx); }),
        new("syscall", Needs.Undefined, NotHere, "", (b, c) => { b.Test(c); c.db(0x0F, 0x05); }),
        new("segment loads", Needs.Nothing, "SDM 3B 21.2.1", "after",
            (b, c) => { c.mov(ax, 0x1234); b.Test(c); c.mov(ds, ax); c.mov(fs, ax); c.mov(ax, Layout.RealSegment); c.mov(ds, ax); }),
        new("word at FFFF", Needs.Nothing, "SDM 3B 21.2.1", "#GP(0)", (b, c) => { c.mov(bx, 0xFFFF); b.Test(c); c.mov(ax, __word_ptr[bx]); }),
        new("stack word at FFFF", Needs.Nothing, "SDM 3B 21.2.1", "#SS(0)", (b, c) => { c.mov(bp, 0xFFFF); b.Test(c); c.mov(ax, __word_ptr[bp]); }),
        new("step", Needs.Nothing, "SDM 3B 18.3.1.4", "#DB@next", (b, c) => { c.nop(); b.Mark(c, "next"); c.nop(); }),
        new("far jump", Needs.Nothing, "SDM 2A JMP", "pad", (b, c) => { b.Test(c); c.db(0xEA); c.dw(PadOffset, Layout.RealSegment); }),
    ];

    /// <inheritdoc/>
    public override Ring0Case Make(CaseRandom random, int index)
    {
        Row row = _rows[index % _rows.Length];
        int iopl = random.OneIn(2) ? 3 : random.Below(4);
        var builder = new CaseBuilder(BootMode.Protected);
        // The end, and the events, leave through 32-bit gates; what they push of ES to GS is in the arena.
        builder.EnterVirtual8086((uint)(2 | iopl << 12 | (row.Name == "step" ? 0x100 : 0)));
        Assembler c = builder.CodeAt(16, Layout.UserCode, true);
        if (row.Name != "step")
            c.xor(cx, cx);
        row.Write(builder, c);
        builder.End(c, "after");
        builder.End(builder.CodeAt(16, Layout.UserCode + 0x800, true), "pad");
        string outcome = row.Needs switch
        {
            Needs.Level0 => "#GP(0)",
            Needs.Undefined => "#UD",
            Needs.Iopl when iopl < 3 => "#GP(0)",
            _ => row.Outcome,
        };
        return builder.Build($"{Name}/{row.Name}/iopl{iopl}/{index}", new Expectation(outcome, row.Citation));
    }
}
