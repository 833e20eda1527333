using Hv.Conformance.Ring0.Cases;
using Hv.Conformance.Ring0.Guest;
using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;

namespace Hv.Conformance.Ring0.Families;

/// <summary>SYSCALL, SYSRET, SYSENTER, SYSEXIT and SWAPGS that succeed, and their refusals.</summary>
public sealed class SyscallFamily() : Family("syscalls", "SYSCALL, SYSRET, SYSENTER, SYSEXIT, SWAPGS: targets, flags, selectors, refusals")
{
    private const uint Entry = Layout.Code + 0xC00, Exit = Layout.UserCode + 0x800;
    private const uint Star = 0xC000_0081, Lstar = 0xC000_0082, Fmask = 0xC000_0084, Efer = 0xC000_0080, SysenterCs = 0x174, SysenterEsp = 0x175,
        SysenterEip = 0x176, GsBase = 0xC000_0101, KernelGsBase = 0xC000_0102;
    private const uint Sce = 1, Rf = 0x1_0000, InterruptFlag = 0x200;

    /// <summary>Flags that code may carry into a system call without ending it early: no TF.</summary>
    private const uint Carried = 0x0024_4ED5;

    /// <inheritdoc/>
    public override Ring0Case Make(CaseRandom random, int index) => random.Below(5) switch
    {
        0 => Syscall(random, index),
        1 => Sysret(random, index),
        2 => Sysenter(random, index),
        3 => Sysexit(random, index),
        _ => Swapgs(random, index),
    };

    private Ring0Case Syscall(CaseRandom random, int index)
    {
        int cpl = random.Pick(0, 3);
        bool enabled = !random.OneIn(5), compatibility = cpl == 3 && random.OneIn(4);
        uint mask = random.OneIn(2) ? 0x4_7700 : (uint)random.Next(), flags = (uint)random.Next() & Carried | 2;
        var builder = new CaseBuilder(BootMode.Long);
        Write(builder, Star, (ulong)Selectors.Code64 << 32 | (ulong)0x20 << 48);
        Write(builder, Lstar, Entry);
        Write(builder, 0xC000_0083, Entry);
        Write(builder, Fmask, mask);
        Write(builder, Efer, 0xD00u | (enabled ? Sce : 0));
        Assembler c = builder.AtPrivilege(cpl, flags, compatibility);
        builder.Test(c);
        c.db(0x0F, 0x05);
        builder.End(c, "after");
        builder.End(builder.CodeAt(64, Entry), "entered");
        Expectation expected = !enabled || compatibility
            ? new Expectation("#UD", enabled ? "SDM 2B SYSCALL: #UD outside 64-bit mode" : "SDM 2B SYSCALL: #UD if EFER.SCE is 0")
            : new Expectation("entered", "SDM 2B SYSCALL")
            {
                Fields = [(RecordField.R11, flags), (RecordField.Ss, Selectors.Code64 + 8)],
                SavedFlags = (~(ulong)Rf, flags & ~mask | 2),
            };
        return builder.Build($"{Name}/syscall/{(compatibility ? "compatibility" : "long")}/cpl{cpl}/sce{(enabled ? 1 : 0)}/" +
            $"mask={mask:x}/flags={flags:x}/{index}",
            expected);
    }

    private Ring0Case Sysret(CaseRandom random, int index)
    {
        bool wide = random.OneIn(2), enabled = !random.OneIn(6);
        int cpl = random.OneIn(5) ? 3 : 0;
        ulong target = wide && random.OneIn(4) ? 0x0000_8000_0000_0000ul : Exit;
        // VM and RF of R11 are dropped; TF would trap before the end.
        uint flags = (uint)random.Next() & ~0x100u;
        var builder = new CaseBuilder(BootMode.Long);
        Write(builder, Star, (ulong)0x20 << 48);
        Write(builder, Efer, 0xD00u | (enabled ? Sce : 0));
        Assembler c = builder.AtPrivilege(cpl);
        c.mov(rcx, target);
        c.mov(r11d, flags);
        if (cpl == 0)
            c.mov(esp, Layout.Stack3 - 0x100);
        builder.Test(c);
        if (wide)
            c.db(0x48);
        c.db(0x0F, 0x07);
        builder.End(c, "after");
        builder.End(builder.CodeAt(wide ? 64 : 32, Exit), "left");
        Expectation expected = !enabled ? new Expectation("#UD", "SDM 2B SYSRET: #UD if EFER.SCE is 0")
            : cpl != 0 ? new Expectation("#GP(0)", "SDM 2B SYSRET: #GP(0) if CPL is not 0")
            : target != Exit ? new Expectation("#GP(0)", "SDM 2B SYSRET: #GP(0) if RCX is not canonical")
            : new Expectation("left", "SDM 2B SYSRET") { SavedFlags = (~(ulong)Rf, (flags & 0x3C_7FD7) | 2) };
        return builder.Build($"{Name}/sysret{(wide ? 64 : 32)}/cpl{cpl}/sce{(enabled ? 1 : 0)}/rcx={target:x}/r11={flags:x}/{index}", expected);
    }

    private Ring0Case Sysenter(CaseRandom random, int index)
    {
        bool isLong = random.OneIn(2), refused = random.OneIn(4);
        int cpl = random.Pick(0, 3), rpl = random.Below(4);
        uint flags = (uint)random.Next() & 0x0004_0ED5 | 2;
        var builder = new CaseBuilder(isLong ? BootMode.Long : BootMode.Protected);
        // In IA-32e mode the target is 64-bit code: the selector of the flat 64-bit code; SS is the next one.
        ushort selector = isLong ? Selectors.Code64 : Selectors.Code32;
        Write(builder, SysenterCs, refused ? (uint)rpl : (uint)(selector | rpl));
        Write(builder, SysenterEsp, Layout.Stack - 0x200);
        Write(builder, SysenterEip, Entry);
        Assembler c = builder.AtPrivilege(cpl, cpl == 0 ? 2 : flags);
        builder.Test(c);
        c.sysenter();
        builder.End(c, "after");
        builder.End(builder.CodeAt(isLong ? 64 : 32, Entry), "entered");
        Expectation expected = refused ? new Expectation("#GP(0)", "SDM 2B SYSENTER: #GP(0) if IA32_SYSENTER_CS[15:2] is 0")
            : new Expectation("entered", "SDM 2B SYSENTER")
            {
                Fields = [(RecordField.Ss, selector + 8u)],
                // At CPL 0 the prelude's own arithmetic flags remain.
                SavedFlags = (cpl == 0 ? InterruptFlag : ~(ulong)Rf, flags & ~InterruptFlag),
            };
        return builder.Build($"{Name}/sysenter/{(isLong ? "long" : "protected")}/cpl{cpl}/cs={(refused ? rpl : selector | rpl):x}/{index}", expected);
    }

    private Ring0Case Sysexit(CaseRandom random, int index)
    {
        bool isLong = random.OneIn(2), wide = isLong && random.OneIn(2), refused = random.OneIn(5);
        int cpl = random.OneIn(5) ? 3 : 0;
        bool badTarget = wide && random.OneIn(4), badStack = wide && random.OneIn(4);
        var builder = new CaseBuilder(isLong ? BootMode.Long : BootMode.Protected);
        // CS is +16 for 32-bit and +32 for 64-bit code: 10h + 16 = UserCode32, 10h + 32 = UserCode64.
        Write(builder, SysenterCs, refused ? 0u : 0x10);
        Assembler c = builder.AtPrivilege(cpl);
        if (isLong)
        {
            c.mov(rdx, badTarget ? 0x0000_8000_0000_0000ul : Exit);
            c.mov(rcx, badStack ? 0xFFFF_7FFF_FFFF_FFFFul : Layout.Stack3 - 0x100);
        }
        else
        {
            c.mov(edx, Exit);
            c.mov(ecx, Layout.Stack3 - 0x100);
        }

        builder.Test(c);
        if (wide)
            c.db(0x48);
        c.db(0x0F, 0x35);
        builder.End(c, "after");
        builder.End(builder.CodeAt(wide ? 64 : 32, Exit), "left");
        Expectation expected = refused || cpl != 0 ? new Expectation("#GP(0)",
            "SDM 2B SYSEXIT: #GP(0) if IA32_SYSENTER_CS[15:2] is 0 or CPL is not 0")
            : badTarget || badStack ? new Expectation("#GP(0)", "SDM 2B SYSEXIT: #GP(0) if RCX or RDX is not canonical")
            : new Expectation("left", "SDM 2B SYSEXIT");
        return builder.Build($"{Name}/sysexit{(wide ? 64 : 32)}/{(isLong ? "long" : "protected")}/cpl{cpl}/{(refused ? "null" : "cs")}" +
            $"{(badTarget ? "/rdx" : "")}{(badStack ? "/rcx" : "")}/{index}", expected);
    }

    private Ring0Case Swapgs(CaseRandom random, int index)
    {
        ulong one = (ulong)((long)(random.Next() << 16) >> 16), two = (ulong)((long)(random.Next() << 16) >> 16);
        var builder = new CaseBuilder(BootMode.Long);
        Write(builder, GsBase, one);
        Write(builder, KernelGsBase, two);
        Assembler c = builder.Code;
        builder.Test(c);
        c.swapgs();
        builder.End(c, "end");
        return builder.Build($"{Name}/swapgs/{one:x}-{two:x}/{index}", new Expectation("end", "SDM 2B SWAPGS")
        {
            Fields = [(RecordField.GsBase, two), (RecordField.KernelGsBase, one)],
        });
    }

    private static void Write(CaseBuilder builder, uint number, ulong value)
    {
        builder.Code.mov(ecx, number);
        builder.Code.mov(eax, (uint)value);
        builder.Code.mov(edx, (uint)(value >> 32));
        builder.Code.wrmsr();
    }
}
