using Hv.Conformance.Ring0.Cases;
using Hv.Conformance.Ring0.Guest;
using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;

namespace Hv.Conformance.Ring0.Families;

/// <summary>Real mode: events through the vector table, limits, and what does not exist there.</summary>
public sealed class RealFamily() : Family("real", "real mode: INT, IRET, limits, system instructions, the way to protected mode and back")
{
    private const uint Pad = Layout.Code + 0x800;
    private const ushort PadOffset = (ushort)(Pad - Layout.Arena);

    private sealed record Row(string Name, string Outcome, string Citation, Action<CaseBuilder, Assembler> Write);

    private static readonly Row[] _rows =
    [
        new("int", "pad", "SDM 3B 21.1.4",
            (b, c) => { b.Word16(Layout.Idt + 0x90 * 4, PadOffset); b.Word16(Layout.Idt + 0x90 * 4 + 2, Layout.RealSegment); b.Test(c);
                c.@int(unchecked((sbyte)0x90)); }),
        new("int3", "#BP@after", "SDM 3B 21.1.4", (b, c) => { b.Test(c); c.int3(); }),
        new("into", "#OF@after", "SDM 2A INT n", (b, c) => { c.mov(al, 0x7F); c.add(al, 1); b.Test(c); c.into(); }),
        new("into without OF", "after", "SDM 2A INT n", (b, c) => { b.Test(c); c.into(); }),
        new("div by 0", "#DE", "SDM 2A DIV", (b, c) => { b.Test(c); c.div(cl); }),
        new("bound", "#BR", "SDM 2A BOUND", (b, c) => { b.Word32(Layout.Data, 0); c.mov(ax, 1); b.Test(c); c.bound(ax, __dword_ptr[0x6000]); }),
        new("word at FFFF", "#GP", "SDM 3B 21.1.2; SDM 2B MOV, real-address mode exceptions",
            (b, c) => { c.mov(bx, 0xFFFF); b.Test(c); c.mov(ax, __word_ptr[bx]); }),
        new("dword at FFFD", "#GP", "SDM 2B MOV, real-address mode exceptions",
            (b, c) => { c.mov(bx, 0xFFFD); b.Test(c); c.mov(eax, __dword_ptr[bx]); }),
        new("stack word at FFFF", "#SS", "SDM 2B MOV, real-address mode exceptions",
            (b, c) => { c.mov(bp, 0xFFFF); b.Test(c); c.mov(ax, __word_ptr[bp]); }),
        new("32-bit offset above FFFF", "#GP", "SDM 2B MOV, real-address mode exceptions",
            (b, c) => { c.mov(ebx, 0x1_0000); b.Test(c); c.mov(al, __byte_ptr[ebx]); }),
        new("lldt", "#UD", "SDM 2A LLDT, real-address mode exceptions", (b, c) => { b.Test(c); c.lldt(ax); }),
        new("ltr", "#UD", "SDM 2A LTR, real-address mode exceptions", (b, c) => { b.Test(c); c.ltr(ax); }),
        new("sldt", "#UD", "SDM 2B SLDT, real-address mode exceptions", (b, c) => { b.Test(c); c.sldt(ax); }),
        new("str", "#UD", "SDM 2B STR, real-address mode exceptions", (b, c) => { b.Test(c); c.str(ax); }),
        new("lar", "#UD", "SDM 2A LAR, real-address mode exceptions", (b, c) => { b.Test(c); c.lar(ax, cx); }),
        new("lsl", "#UD", "SDM 2A LSL, real-address mode exceptions", (b, c) => { b.Test(c); c.lsl(ax, cx); }),
        new("verr", "#UD", "SDM 2B VERR, real-address mode exceptions", (b, c) => { b.Test(c); c.verr(ax); }),
        new("arpl", "#UD", "SDM 2A ARPL, real-address mode exceptions", (b, c) => { b.Test(c); c.arpl(ax, cx); }),
        new("sysenter", "#GP", "SDM 2B SYSENTER, real-address mode exceptions", (b, c) => { b.Test(c); c.sysenter(); }),
        new("sysexit", "#GP", "SDM 2B SYSEXIT, real-address mode exceptions", (b, c) => { b.Test(c); c.db(0x0F, 0x35); }),
        new("syscall", "#UD", "SDM 2B SYSCALL, real-address mode exceptions", (b, c) => { b.Test(c); c.db(0x0F, 0x05); }),
        new("cpl 0 instructions", "after", "SDM 3B 21.1.3",
            (b, c) => { b.Test(c); c.clts(); c.invlpg(__byte_ptr[0]); c.wbinvd(); c.mov(eax, cr0); c.smsw(cx); }),
        new("sgdt", "after", "SDM 2B SGDT", (b, c) => { b.Test(c); c.sgdt(__word_ptr[0x6000]); c.sidt(__word_ptr[0x6010]); }),
        new("ud2", "#UD", "SDM 2B UD", (b, c) => { b.Test(c); c.ud2(); }),
        new("iret", "pad", "SDM 2A IRET, real-address mode",
            (b, c) => { c.push(0x0AD7); c.push(Layout.RealSegment); c.push(PadOffset); b.Test(c); c.iret(); }),
        new("iretd", "pad", "SDM 2A IRET, real-address mode",
            (b, c) => { c.push(0x24); c.push(0x0AD7); c.push(0); c.push(Layout.RealSegment); c.push(0); c.push(PadOffset); b.Test(c); c.iretd(); }),
        new("iretd beyond 64 KiB", "#GP", "SDM 2A IRET: IP above the limit of CS is #GP(0)",
            (b, c) => { c.push(0); c.push(2); c.push(0); c.push(Layout.RealSegment); c.push(1); c.push(PadOffset); b.Test(c); c.iretd(); }),
        new("retf", "pad", "SDM 2B RET", (b, c) => { c.push(Layout.RealSegment); c.push(PadOffset); b.Test(c); c.retf(); }),
        new("call far", "pad", "SDM 2A CALL", (b, c) => { b.Test(c); c.db(0x9A); c.dw(PadOffset, Layout.RealSegment); }),
        new("popf", "after", "SDM 2B POPF", (b, c) => { c.push(0x7AD7); b.Test(c); c.popf(); }),
        new("popfd", "after", "SDM 2B POPF", (b, c) => { c.push(0x3F); c.push(0x7AD7); b.Test(c); c.popfd(); }),
        new("pushfd", "after", "SDM 2B PUSHF", (b, c) => { c.push(0x24); c.push(0x0AD7); c.popfd(); b.Test(c); c.pushfd(); }),
        new("step", "#DB@next", "SDM 3B 18.3.1.4", (b, c) => { c.push(0x102); c.popf(); c.nop(); b.Mark(c, "next"); c.nop(); }),
        new("mov ss under step", "#DB@next", "SDM 3A 6.8.3",
            (b, c) => { c.mov(ax, ss); c.push(0x102); c.popf(); c.mov(ss, ax); c.nop(); b.Mark(c, "next"); c.nop(); }),
        new("lmsw and 16-bit protected code", "after", "SDM 2A LMSW",
            (b, c) => { c.smsw(ax); c.or(al, 1); b.Test(c); c.lmsw(ax); c.db(0xEB, 0x00); c.mov(eax, cr0); c.and(al, -2); c.mov(cr0, eax);
                c.db(0xEB, 0x00); }),
        new("a vector above the table's limit", "#GP", "SDM 2A INT n, real-address mode exceptions",
            (b, c) => { b.Word16(Layout.Data, 0x7F * 4 + 3); b.Word32(Layout.Data + 2, Layout.Idt); c.db(0x66); c.lidt(__word_ptr[0x6000]);
                b.Test(c); c.@int(unchecked((sbyte)0x80)); }),
        new("instruction of more than 15 bytes", "#GP", "SDM 2A 2.3.11", (b, c) => { b.Test(c); for (int i = 0; i < 15; i++) c.db(0x26); c.nop(); }),
        new("lock register", "#UD", "SDM 2A LOCK", (b, c) => { b.Test(c); c.db(0xF0, 0x01, 0xC0); }),
    ];

    /// <inheritdoc/>
    public override Ring0Case Make(CaseRandom random, int index)
    {
        Row row = _rows[index % _rows.Length];
        var builder = new CaseBuilder(BootMode.Real);
        Assembler c = builder.Code;
        // Registers that no row depends on, so that frames and memory show what they should not.
        c.mov(esi, (uint)random.Next());
        c.mov(edi, (uint)random.Next());
        c.xor(cx, cx);
        row.Write(builder, c);
        builder.End(c, "after");
        builder.End(builder.CodeAt(16, Pad, true), "pad");
        return builder.Build($"{Name}/{row.Name}/{index}", new Expectation(row.Outcome, row.Citation));
    }
}
