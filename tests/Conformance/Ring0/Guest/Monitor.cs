using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;

namespace Hv.Conformance.Ring0.Guest;

/// <summary>
/// The guest's main program, in 32-bit code without paging: for each case it builds the arena, brings the processor to a known state, enters the
/// case's mode, and when the case has ended in a handler prints the record and every word of the arena that changed.
/// </summary>
/// <remarks>A line is <c>#INDEX FIELD FIELD … |OFFSET:VALUE …</c> in hexadecimal, offsets in words of the arena; a field's upper half follows a
/// slash.
/// The index is printed before the case starts, so that a case that never ends is known by its lone index.</remarks>
internal static class Monitor
{
    /// <summary>Words of <see cref="Layout.Parameters"/>.</summary>
    public const int FirstCase = 0, CaseCount = 1, Cases = 2, LowSource = 3, Templates = 4, ParameterCount = 6;

    /// <summary>Bytes of what runs on the loader's descriptor table; the rest begins behind it.</summary>
    private const int StartSize = 0x40;

    private const byte Space = (byte)' ';

    private static readonly (uint Number, uint Low, uint High)[] _msrs =
    [
        (0xC000_0080, 0, 0), (0xC000_0081, 0, 0), (0xC000_0082, 0, 0), (0xC000_0083, 0, 0), (0xC000_0084, 0, 0), (0xC000_0100, 0, 0),
        (0xC000_0101, 0, 0), (0xC000_0102, 0, 0), (0x174, 0, 0), (0x175, 0, 0), (0x176, 0, 0), (0x277, 0x0007_0406, 0x0007_0406),
    ];

    /// <summary>The monitor's bytes, and where it goes on after a case.</summary>
    public static byte[] Build(out uint returnAddress)
    {
        byte[] start = MachineCode.Assemble(32, Layout.MonitorCode, Start);
        var c = new Assembler(32);
        Label next = c.CreateLabel(), back = c.CreateLabel(), hex = c.CreateLabel(), end = c.CreateLabel();
        Prepare(c);
        c.Label(ref next);
        c.mov(esp, Layout.MonitorStack);
        c.mov(eax, Word(FirstCase));
        c.cmp(eax, Word(CaseCount));
        c.jae(end);
        Print(c, (byte)'#');
        c.mov(eax, Word(FirstCase));
        c.call(hex);
        Print(c, Space);
        BuildArena(c);
        ResetProcessor(c);
        EnterCase(c);
        c.Label(ref back);
        Restore(c);
        PrintRecord(c, hex);
        PrintChanges(c, hex);
        Print(c, (byte)'\n');
        c.inc(Word(FirstCase));
        c.jmp(next);
        End(c, end);
        Hex(c, hex);
        byte[] rest = MachineCode.Assemble(c, Layout.MonitorCode + StartSize, [back], out ulong[] addresses);
        returnAddress = (uint)addresses[0];
        byte[] bytes = new byte[StartSize + rest.Length];
        start.CopyTo(bytes, 0);
        rest.CopyTo(bytes, StartSize);
        return bytes;
    }

    private static AssemblerMemoryOperand Word(int index) => __dword_ptr[Layout.Parameters + (uint)index * 4];

    private static void Start(Assembler c)
    {
        c.cli();
        c.cld();
        c.mov(esi, Word(LowSource));
        c.mov(edi, Layout.Low);
        c.mov(ecx, (Layout.LowEnd - Layout.Low) / 4);
        c.rep.movsd();
        c.lgdt(__[LowCode.MonitorGdtrAddress]);
        c.FarJump(LowCode.Code32, Layout.MonitorCode + StartSize);
    }

    private static void Prepare(Assembler c)
    {
        c.mov(eax, LowCode.Data32);
        foreach (AssemblerRegisterSegment segment in new[] { ds, es, ss, fs, gs })
            c.mov(segment, ax);
        c.mov(al, -1); // no interrupts from the two controllers
        c.@out(0x21, al);
        c.@out(0xA1, al);
    }

    private static void BuildArena(Assembler c)
    {
        Label poke = c.CreateLabel(), built = c.CreateLabel();
        c.mov(ebp, Word(Cases));
        c.movzx(ebx, __word_ptr[ebp]);
        c.movzx(edx, __word_ptr[ebp + 2]);
        c.imul(esi, ebx, (int)Layout.ArenaSize);
        c.add(esi, Word(Templates));
        c.mov(edi, Layout.Shadow);
        c.mov(ecx, Layout.ArenaSize / 4);
        c.rep.movsd();
        c.lea(esi, __[ebp + 4]);
        c.Label(ref poke);
        c.test(edx, edx);
        c.je(built);
        c.mov(edi, __dword_ptr[esi]);
        c.mov(ecx, __dword_ptr[esi + 4]);
        c.add(esi, 8);
        c.add(edi, Layout.Shadow - Layout.Arena);
        c.rep.movsb();
        c.add(esi, 3);
        c.and(esi, -4);
        c.dec(edx);
        c.jmp(poke);
        c.Label(ref built);
        c.mov(Word(Cases), esi);
        c.mov(esi, Layout.Shadow);
        c.mov(edi, Layout.Arena);
        c.mov(ecx, Layout.ArenaSize / 4);
        c.rep.movsd();
        c.xor(eax, eax);
        c.mov(edi, Layout.Record);
        c.mov(ecx, ((int)RecordField.HandlerBits + 1) * 2);
        c.rep.stosd();
    }

    private static void ResetProcessor(Assembler c)
    {
        foreach ((uint number, uint low, uint high) in _msrs)
        {
            c.mov(ecx, number);
            c.mov(eax, low);
            c.mov(edx, high);
            c.wrmsr();
        }

        c.mov(eax, 0x11); // PE and ET; firmware may have left caches off
        c.mov(cr0, eax);
        c.xor(eax, eax);
        c.mov(cr2, eax);
        foreach (AssemblerRegisterDR register in new[] { dr0, dr1, dr2, dr3 })
            c.mov(register, eax);
        c.mov(eax, 0xFFFF_0FF0);
        c.mov(dr6, eax);
        c.mov(eax, 0x400);
        c.mov(dr7, eax);
    }

    private static void EnterCase(Assembler c)
    {
        Label real = c.CreateLabel(), inLongMode = c.CreateLabel();
        c.cmp(ebx, (int)BootMode.Real);
        c.je(real);
        c.cmp(ebx, (int)BootMode.Long);
        c.je(inLongMode);
        LowCode.StartProtected(c);
        c.Label(ref real);
        c.FarJump(LowCode.Code16, LowCode.EnterReal);
        c.Label(ref inLongMode);
        c.mov(eax, LowCode.EnterLong);
        c.jmp(eax);
    }

    /// <summary>After a case: control registers, EFER, flags and segments as the monitor needs them.</summary>
    private static void Restore(Assembler c)
    {
        c.mov(eax, LowCode.Data32);
        foreach (AssemblerRegisterSegment segment in new[] { ds, es, ss, fs, gs })
            c.mov(segment, ax);
        c.mov(esp, Layout.MonitorStack);
        // POPF clears NT, which would make the IRET a task return; the IRET clears VIF and VIP, which POPF leaves alone (SDM 2B POPF). The call
        // pushes
        // where it goes on.
        Label flags = c.CreateLabel(), clean = c.CreateLabel();
        c.push(2);
        c.popfd();
        c.push(2);
        c.push(LowCode.Code32);
        c.call(flags);
        c.jmp(clean);
        c.Label(ref flags);
        c.iretd();
        c.Label(ref clean);
        c.xor(eax, eax);
        c.mov(cr4, eax);
        c.mov(cr3, eax);
        c.lldt(ax);
        c.lidt(__[LowCode.EmptyIdtrAddress]);
        // A 16-bit TSS that a case left would forbid IA-32e mode (SDM 2B MOV CRn).
        c.mov(__byte_ptr[LowCode.TaskAccessAddress], (int)LowCode.TaskAccess);
        c.mov(eax, LowCode.Task);
        c.ltr(ax);
        c.mov(eax, 0x400);
        c.mov(dr7, eax);
    }

    private static void PrintRecord(Assembler c, Label hex)
    {
        Label field = c.CreateLabel(), narrow = c.CreateLabel();
        c.mov(esi, Layout.Record);
        c.mov(ebx, (int)RecordField.HandlerBits + 1);
        c.Label(ref field);
        c.mov(eax, __dword_ptr[esi]);
        c.call(hex);
        c.cmp(__dword_ptr[esi + 4], 0);
        c.je(narrow);
        Print(c, (byte)'/');
        c.mov(eax, __dword_ptr[esi + 4]);
        c.call(hex);
        c.Label(ref narrow);
        Print(c, Space);
        c.add(esi, 8);
        c.dec(ebx);
        c.jne(field);
        Print(c, (byte)'|');
    }

    private static void PrintChanges(Assembler c, Label hex)
    {
        Label more = c.CreateLabel(), none = c.CreateLabel();
        c.mov(esi, Layout.Arena);
        c.mov(edi, Layout.Shadow);
        c.mov(ecx, Layout.ArenaSize / 4);
        c.Label(ref more);
        c.cmp(eax, eax); // ZF, in case nothing is left to compare
        c.repe.cmpsd();
        c.je(none);
        c.push(ecx);
        c.lea(eax, __[esi - 4 - Layout.Arena]);
        c.shr(eax, 2);
        c.call(hex);
        Print(c, (byte)':');
        c.mov(eax, __dword_ptr[esi - 4]);
        c.call(hex);
        Print(c, Space);
        c.pop(ecx);
        c.jmp(more);
        c.Label(ref none);
    }

    private static void End(Assembler c, Label end)
    {
        Label halt = c.CreateLabel();
        c.Label(ref end);
        Print(c, (byte)'.');
        Print(c, (byte)'\n');
        c.xor(eax, eax);
        c.@out(Layout.EndPort, al);
        c.mov(edx, 0x8900); // Bochs ends at this word
        foreach (char letter in "Shutdown")
        {
            c.mov(al, (sbyte)letter);
            c.@out(dx, al);
        }

        c.Label(ref halt);
        c.hlt();
        c.jmp(halt);
    }

    /// <summary>Prints EAX without leading zeros. Changes EAX, ECX and EDX.</summary>
    private static void Hex(Assembler c, Label hex)
    {
        Label digits = c.CreateLabel(), letter = c.CreateLabel(), print = c.CreateLabel();
        c.Label(ref hex);
        c.mov(edx, eax);
        c.or(eax, 1);
        c.bsr(ecx, eax);
        c.and(ecx, -4);
        c.Label(ref digits);
        c.mov(eax, edx);
        c.shr(eax, cl);
        c.and(eax, 15);
        c.cmp(al, 10);
        c.jae(letter);
        c.add(al, (int)'0');
        c.jmp(print);
        c.Label(ref letter);
        c.add(al, 'a' - 10);
        c.Label(ref print);
        c.@out(Layout.OutputPort, al);
        c.sub(ecx, 4);
        c.jns(digits);
        c.ret();
    }

    private static void Print(Assembler c, byte character)
    {
        c.mov(al, (sbyte)character);
        c.@out(Layout.OutputPort, al);
    }
}
