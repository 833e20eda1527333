using Hv.Conformance.Ring0.Cases;
using Hv.Conformance.Ring0.Guest;
using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;

namespace Hv.Conformance.Ring0.Families;

/// <summary>Each privileged or sensitive instruction at each privilege level.</summary>
public sealed class PrivilegeFamily() : Family("privilege", "each privileged and sensitive instruction at each CPL, IOPL and mode")
{
    /// <summary>What is wanted of an instruction's caller.</summary>
    private enum Needs
    {
        Nothing,

        /// <summary>CPL 0, else #GP(0).</summary>
        Level0,

        /// <summary>CPL at most IOPL, else #GP(0).</summary>
        IoLevel,

        /// <summary>CPL 0, else #UD.</summary>
        Level0OrUndefined,

        /// <summary>It is #UD everywhere.</summary>
        Undefined,

        /// <summary>#GP(0) at any level: what it would load is null.</summary>
        Refused,
    }

    private sealed record Row(string Name, Needs Needs, string Citation, Action<Assembler> Write, int Only = 0);

    private static readonly AssemblerMemoryOperand _data32 = __[Layout.UserData];

    private static readonly Row[] _rows =
    [
        new("clts", Needs.Level0, "SDM 2A CLTS", c => c.clts()),
        new("invlpg", Needs.Level0, "SDM 2A INVLPG", c => c.invlpg(_data32)),
        new("invd", Needs.Level0, "SDM 2A INVD", c => c.invd()),
        new("wbinvd", Needs.Level0, "SDM 2C WBINVD", c => c.wbinvd()),
        new("lgdt", Needs.Level0, "SDM 2A LGDT/LIDT", c => c.lgdt(_data32)),
        new("lldt", Needs.Level0, "SDM 2A LLDT", c => c.lldt(dx)),
        new("lmsw", Needs.Level0, "SDM 2A LMSW", c => c.lmsw(bx)),
        new("mov from cr0", Needs.Level0, "SDM 2B MOV CRn", c => c.db(0x0F, 0x20, 0xC0)),
        new("mov from cr2", Needs.Level0, "SDM 2B MOV CRn", c => c.db(0x0F, 0x20, 0xD0)),
        new("mov from cr3", Needs.Level0, "SDM 2B MOV CRn", c => c.db(0x0F, 0x20, 0xD8)),
        new("mov from cr4", Needs.Level0, "SDM 2B MOV CRn", c => c.db(0x0F, 0x20, 0xE0)),
        new("mov from cr8", Needs.Level0, "SDM 2B MOV CRn", c => c.db(0x44, 0x0F, 0x20, 0xC0), 64),
        new("mov from cr1", Needs.Undefined, "SDM 2B MOV CRn: #UD on CR1, CR5, CR6, CR7", c => c.db(0x0F, 0x20, 0xC8)),
        new("mov from cr5", Needs.Undefined, "SDM 2B MOV CRn: #UD on CR1, CR5, CR6, CR7", c => c.db(0x0F, 0x20, 0xE8)),
        new("mov to cr2", Needs.Level0, "SDM 2B MOV CRn", c => c.db(0x0F, 0x22, 0xD3)),
        new("mov to cr7", Needs.Undefined, "SDM 2B MOV CRn: #UD on CR1, CR5, CR6, CR7", c => c.db(0x0F, 0x22, 0xF8)),
        new("mov from dr0", Needs.Level0, "SDM 2B MOV DRn", c => c.db(0x0F, 0x21, 0xC0)),
        new("mov from dr6", Needs.Level0, "SDM 2B MOV DRn", c => c.db(0x0F, 0x21, 0xF0)),
        new("mov from dr4", Needs.Level0, "SDM 2B MOV DRn: DR4 is DR6 while CR4.DE is 0", c => c.db(0x0F, 0x21, 0xE0)),
        new("mov to dr1", Needs.Level0, "SDM 2B MOV DRn", c => c.db(0x0F, 0x23, 0xCB)),
        new("mov to dr7", Needs.Level0, "SDM 2B MOV DRn", c => c.db(0x0F, 0x23, 0xFA)),
        new("rdmsr", Needs.Level0, "SDM 2B RDMSR", c => c.rdmsr()),
        new("wrmsr", Needs.Level0, "SDM 2C WRMSR", c => c.wrmsr()),
        new("swapgs", Needs.Level0, "SDM 2B SWAPGS", c => c.swapgs(), 64),
        new("swapgs", Needs.Undefined, "SDM 2B SWAPGS: #UD outside 64-bit mode", c => c.db(0x0F, 0x01, 0xF8), 32),
        new("sysexit", Needs.Refused, "SDM 2B SYSEXIT: #GP(0) if IA32_SYSENTER_CS[15:2] is 0 or CPL is not 0", c => c.db(0x0F, 0x35)),
        new("sysenter", Needs.Refused, "SDM 2B SYSENTER: #GP(0) if IA32_SYSENTER_CS[15:2] is 0", c => c.sysenter()),
        new("sysret", Needs.Undefined, "SDM 2B SYSRET: #UD outside 64-bit mode", c => c.db(0x0F, 0x07), 32),
        new("syscall", Needs.Undefined, "SDM 2B SYSCALL: #UD outside 64-bit mode", c => c.db(0x0F, 0x05), 32),
        new("rsm", Needs.Undefined, "SDM 2B RSM: #UD outside SMM", c => c.rsm()),
        new("clac", Needs.Level0OrUndefined, "SDM 2A CLAC", c => c.clac()),
        new("stac", Needs.Level0OrUndefined, "SDM 2B STAC", c => c.stac()),
        new("cli", Needs.IoLevel, "SDM 2A CLI", c => c.cli()),
        new("sti", Needs.IoLevel, "SDM 2B STI", c => { c.sti(); c.nop(); }),
        new("sgdt", Needs.Nothing, "SDM 2B SGDT", c => c.sgdt(_data32)),
        new("sidt", Needs.Nothing, "SDM 2B SIDT", c => c.sidt(_data32)),
        new("sldt", Needs.Nothing, "SDM 2B SLDT", c => c.sldt(eax)),
        new("str", Needs.Nothing, "SDM 2B STR", c => c.str(eax)),
        new("smsw", Needs.Nothing, "SDM 2B SMSW", c => c.smsw(eax)),
        new("cpuid", Needs.Nothing, "SDM 2A CPUID", c => { c.cpuid(); c.xor(eax, eax); c.xor(ebx, ebx); c.xor(ecx, ecx); c.xor(edx, edx); }),
        new("rdtsc", Needs.Nothing, "SDM 2B RDTSC", c => { c.rdtsc(); c.xor(eax, eax); c.xor(edx, edx); }),
        new("ud0", Needs.Undefined, "SDM 2B UD", c => c.db(0x0F, 0xFF, 0xC0)),
        new("lock nop", Needs.Undefined, "SDM 2A LOCK", c => c.db(0xF0, 0x90)),
        new("into", Needs.Undefined, "SDM 2A INT n: INTO is #UD in 64-bit mode", c => c.db(0xCE), 64),
        new("push cs", Needs.Undefined, "SDM 2B PUSH: not in 64-bit mode", c => c.db(0x0E), 64),
        new("lds", Needs.Undefined, "SDM 2A LDS: not in 64-bit mode", c => c.db(0xC5, 0x03), 64),
        new("mov to cs", Needs.Undefined, "SDM 2B MOV: CS is #UD", c => c.db(0x8E, 0xC8)),
        new("mov to segment 6", Needs.Undefined, "SDM 2B MOV", c => c.db(0x8E, 0xF0)),
    ];

    /// <inheritdoc/>
    public override Ring0Case Make(CaseRandom random, int index)
    {
        Row row = _rows[index % _rows.Length];
        bool isLong = row.Only == 64 || (row.Only == 0 && random.OneIn(2));
        int cpl = isLong ? random.Pick(0, 3) : random.Below(4), iopl = random.Below(4);
        var builder = new CaseBuilder(isLong ? BootMode.Long : BootMode.Protected);
        builder.Word16(Layout.UserData, (ushort)Layout.GdtLimit);
        builder.Word64(Layout.UserData + 2, Layout.Gdt);
        Assembler c = builder.AtPrivilege(cpl, (uint)(2 | iopl << 12));
        // A model-specific register, PE for LMSW, CR2 and DR1, and nothing for LLDT and DR7.
        c.mov(ecx, 0x174);
        c.mov(ebx, 1);
        c.xor(edx, edx);
        builder.Test(c);
        row.Write(c);
        builder.End(c, "end");
        string outcome = row.Needs switch
        {
            Needs.Level0 => cpl == 0 ? "end" : "#GP(0)",
            Needs.IoLevel => cpl <= iopl ? "end" : "#GP(0)",
            Needs.Level0OrUndefined => cpl == 0 ? "end" : "#UD",
            Needs.Undefined => "#UD",
            Needs.Refused => "#GP(0)",
            _ => "end",
        };
        return builder.Build($"{Name}/{(isLong ? "long" : "protected")}/cpl{cpl}/iopl{iopl}/{row.Name}/{index}", new Expectation(outcome,
            row.Citation));
    }
}
