using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;

namespace Hv.Conformance.Ring0.Guest;

/// <summary>
/// The code below the arena: a stub for each vector in each code size, the handlers that save what a case left, and the last steps of the way into
/// each mode. Pieces have fixed addresses, because they jump to each other across code sizes.
/// </summary>
internal static class LowCode
{
    public const uint EnterReal = Layout.Low16 + Layout.StubsSize, EnterLong = Layout.Low32 + Layout.StubsSize;

    public const ushort Code32 = 0x08, Data32 = 0x10, Code16 = 0x18, Data16 = 0x20, Task = 0x28;

    private const uint RealStart = EnterReal + 0x40, Save16 = EnterReal + 0x100, Save32 = EnterLong + 0x100, LongStart = Layout.Low64 +
        Layout.StubsSize,
        Save64 = LongStart + 0x100;

    /// <summary>Offsets in <see cref="Layout.MonitorTables"/>.</summary>
    private const uint MonitorGdtr = 0x30, EmptyIdtr = 0x40, ArenaGdtr = 0x50, RealIdtr = 0x60, ProtectedIdtr = 0x70, LongIdtr = 0x80,
        CodePointer = 0x90, TaskSegment = 0x98;

    private const uint Pae = 0x20, Protection = 0x11, Paging = 0x8000_0000, ErrorReporting = 0x20, SyscallLongNx = 0x901;

    private static readonly (uint Number, RecordField Field)[] _msrs =
        [(0xC000_0080, RecordField.Efer), (0xC000_0100, RecordField.FsBase), (0xC000_0101, RecordField.GsBase),
            (0xC000_0102, RecordField.KernelGsBase)];

    /// <summary>The bytes from <see cref="Layout.Low"/> to <see cref="Layout.LowEnd"/>.</summary>
    /// <param name="monitorReturn">Where the monitor goes on in 32-bit code after a case.</param>
    public static byte[] Build(uint monitorReturn)
    {
        byte[] bytes = new byte[Layout.LowEnd - Layout.Low];
        void Place(uint address, byte[] code) => code.CopyTo(bytes, address - Layout.Low);
        Stubs(Layout.Low16, Save16, 2).CopyTo(bytes, Layout.Low16 - Layout.Low);
        Place(Layout.Low32, Stubs(Layout.Low32, Save32, 4));
        Place(Layout.Low64, Stubs(Layout.Low64, Save64, 4));
        Place(EnterReal, MachineCode.Assemble(16, EnterReal, LeaveProtection));
        Place(RealStart, MachineCode.Assemble(16, RealStart, StartReal));
        Place(Save16, MachineCode.Assemble(16, Save16, c => SaveReal(c, monitorReturn)));
        Place(EnterLong, MachineCode.Assemble(32, EnterLong, EnterLongMode));
        Place(Save32, MachineCode.Assemble(32, Save32, c => SaveProtected(c, monitorReturn)));
        Place(LongStart, MachineCode.Assemble(64, LongStart, StartLong));
        Place(Save64, MachineCode.Assemble(64, Save64, SaveLong));
        Place(Layout.Low64Tail, MachineCode.Assemble(32, Layout.Low64Tail, c => Leave(c, monitorReturn)));
        Place(Layout.MonitorTables, Tables());
        return bytes;
    }

    /// <summary>Loads the arena's tables in protected mode and goes to the case.</summary>
    public static void StartProtected(Assembler c)
    {
        c.lgdt(__[Layout.MonitorTables + ArenaGdtr]);
        c.lidt(__[Layout.MonitorTables + ProtectedIdtr]);
        LoadSystemSegments(c);
        c.mov(eax, Selectors.Data);
        foreach (AssemblerRegisterSegment segment in new[] { ds, es, fs, gs, ss })
            c.mov(segment, ax);
        c.mov(esp, Layout.Stack);
        c.xor(eax, eax);
        foreach (AssemblerRegister32 register in new[] { ecx, edx, ebx, ebp, esi, edi })
            c.mov(register, 0);
        c.FarJump(Selectors.Code32, Layout.Code);
    }

    private static byte[] Stubs(uint at, uint target, int displacementSize)
    {
        byte[] bytes = new byte[Layout.StubsSize];
        for (uint vector = 0; vector < 256; vector++)
        {
            uint stub = vector * Layout.StubSize, next = at + stub + 3 + (uint)displacementSize;
            bytes[stub] = 0x6A; // PUSH imm8
            bytes[stub + 1] = (byte)vector;
            bytes[stub + 2] = 0xE9; // JMP
            BitConverter.GetBytes(target - next).AsSpan(0, displacementSize).CopyTo(bytes.AsSpan((int)stub + 3));
        }

        return bytes;
    }

    private static void LeaveProtection(Assembler c)
    {
        c.mov(ax, Data16);
        foreach (AssemblerRegisterSegment segment in new[] { ds, es, fs, gs, ss })
            c.mov(segment, ax);
        c.mov(eax, 0x10);
        c.mov(cr0, eax);
        c.FarJump(0, RealStart);
    }

    private static void StartReal(Assembler c)
    {
        c.xor(ax, ax);
        c.mov(ds, ax);
        c.db(0x66); // 32-bit operand: all of the base
        c.lgdt(__word_ptr[Layout.MonitorTables + ArenaGdtr]);
        c.db(0x66);
        c.lidt(__word_ptr[Layout.MonitorTables + RealIdtr]);
        c.mov(ax, Layout.RealSegment);
        foreach (AssemblerRegisterSegment segment in new[] { ds, es, fs, gs, ss })
            c.mov(segment, ax);
        c.mov(esp, Layout.Stack - Layout.Arena);
        foreach (AssemblerRegister32 register in new[] { ecx, edx, ebx, ebp, esi, edi, eax })
            c.mov(register, 0);
        c.FarJump(Layout.RealSegment, (ushort)(Layout.Code - Layout.Arena));
    }

    private static void EnterLongMode(Assembler c)
    {
        c.mov(eax, Pae);
        c.mov(cr4, eax);
        c.mov(eax, Layout.Pml4);
        c.mov(cr3, eax);
        c.mov(ecx, 0xC000_0080);
        c.mov(eax, SyscallLongNx);
        c.xor(edx, edx);
        c.wrmsr();
        c.mov(eax, unchecked((int)(Paging | Protection)));
        c.mov(cr0, eax);
        c.lgdt(__[Layout.MonitorTables + ArenaGdtr]);
        c.FarJump(Selectors.Code64, LongStart);
    }

    private static void StartLong(Assembler c)
    {
        c.lidt(__[Layout.MonitorTables + LongIdtr]);
        c.lgdt(__[Layout.MonitorTables + ArenaGdtr]);
        LoadSystemSegments(c);
        c.mov(eax, Selectors.Data);
        foreach (AssemblerRegisterSegment segment in new[] { ds, es, fs, gs, ss })
            c.mov(segment, ax);
        c.mov(esp, Layout.Stack);
        c.xor(eax, eax);
        c.mov(cr8, rax);
        foreach (AssemblerRegister32 register in new[] { ecx, edx, ebx, ebp, esi, edi, r8d, r9d, r10d, r11d, r12d, r13d, r14d, r15d })
            c.mov(register, 0);
        c.jmp(__qword_ptr[Layout.MonitorTables + CodePointer]);
    }

    private static void LoadSystemSegments(Assembler c)
    {
        c.mov(eax, Selectors.Ldt);
        c.lldt(ax);
        c.mov(eax, Selectors.Tss);
        c.ltr(ax);
    }

    private static void SaveReal(Assembler c, uint monitorReturn)
    {
        c.pushad();
        c.push(ds);
        c.push(es);
        c.push(fs);
        c.push(gs);
        c.push(ss);
        c.xor(ax, ax);
        c.mov(ds, ax);
        foreach (RecordField field in new[] { RecordField.Ss, RecordField.Gs, RecordField.Fs, RecordField.Es, RecordField.Ds })
            c.pop(__word_ptr[At(field)]);
        PopRegisters(c);
        c.pop(__word_ptr[At(RecordField.Vector)]);
        c.mov(__dword_ptr[At(RecordField.Rsp)], esp);
        SaveSystem32(c, 16);
        c.db(0x66);
        c.lgdt(__word_ptr[Layout.MonitorTables + MonitorGdtr]);
        c.mov(eax, Protection);
        c.mov(cr0, eax);
        c.FarJump32(Code32, monitorReturn);
    }

    private static void SaveProtected(Assembler c, uint monitorReturn)
    {
        c.pushad();
        // By way of EAX: what a 32-bit push of a segment register writes above its 16 bits is up to the processor (SDM 2B PUSH).
        foreach (AssemblerRegisterSegment segment in new[] { ds, es, fs, gs, ss })
        {
            c.mov(eax, segment);
            c.push(eax);
        }

        c.db(0x2E); // CS: DS may be anything
        c.lgdt(__[Layout.MonitorTables + MonitorGdtr]);
        c.mov(eax, Data32);
        c.mov(ds, ax);
        foreach (RecordField field in new[] { RecordField.Ss, RecordField.Gs, RecordField.Fs, RecordField.Es, RecordField.Ds })
            c.pop(__dword_ptr[At(field)]);
        PopRegisters(c);
        c.pop(__dword_ptr[At(RecordField.Vector)]);
        c.mov(__dword_ptr[At(RecordField.Rsp)], esp);
        c.mov(ss, ax);
        c.mov(esp, Layout.MonitorStack);
        c.xor(eax, eax);
        c.str(ax);
        c.mov(__dword_ptr[At(RecordField.Tr)], eax);
        c.sldt(ax);
        c.mov(__dword_ptr[At(RecordField.Ldtr)], eax);
        SaveSystem32(c, 32);
        Leave(c, monitorReturn);
    }

    /// <summary>Out of paging and IA-32e mode, and to the monitor.</summary>
    private static void Leave(Assembler c, uint monitorReturn)
    {
        c.mov(eax, Protection);
        c.mov(cr0, eax);
        c.FarJump(Code32, monitorReturn);
    }

    private static void PopRegisters(Assembler c)
    {
        foreach (RecordField field in new[] { RecordField.Rdi, RecordField.Rsi, RecordField.Rbp, RecordField.Rsp, RecordField.Rbx, RecordField.Rdx,
            RecordField.Rcx, RecordField.Rax })
            c.pop(__dword_ptr[At(field)]);
    }

    private static void SaveSystem32(Assembler c, int bits)
    {
        c.pushfd();
        c.pop(__dword_ptr[At(RecordField.Rflags)]);
        c.mov(__dword_ptr[At(RecordField.HandlerBits)], bits);
        (AssemblerRegisterCR, RecordField)[] control =
            [(cr0, RecordField.Cr0), (cr2, RecordField.Cr2), (cr3, RecordField.Cr3), (cr4, RecordField.Cr4)];
        foreach ((AssemblerRegisterCR register, RecordField field) in control)
        {
            c.mov(eax, register);
            c.mov(__dword_ptr[At(field)], eax);
        }

        foreach ((AssemblerRegisterDR register, RecordField field) in DebugRegisters())
        {
            c.mov(eax, register);
            c.mov(__dword_ptr[At(field)], eax);
        }

        SaveMsrs(c);
    }

    private static void SaveLong(Assembler c)
    {
        (AssemblerRegister64, RecordField)[] registers =
        [
            (rax, RecordField.Rax), (rcx, RecordField.Rcx), (rdx, RecordField.Rdx), (rbx, RecordField.Rbx), (rbp, RecordField.Rbp),
            (rsi, RecordField.Rsi), (rdi, RecordField.Rdi), (r8, RecordField.R8), (r9, RecordField.R9), (r10, RecordField.R10),
            (r11, RecordField.R11), (r12, RecordField.R12), (r13, RecordField.R13), (r14, RecordField.R14), (r15, RecordField.R15),
        ];
        foreach ((AssemblerRegister64 register, RecordField field) in registers)
            c.mov(__qword_ptr[At(field)], register);
        c.pop(rax);
        c.movzx(eax, al);
        c.mov(__qword_ptr[At(RecordField.Vector)], rax);
        c.mov(__qword_ptr[At(RecordField.Rsp)], rsp);
        c.mov(esp, Layout.MonitorStack);
        c.pushfq();
        c.pop(__qword_ptr[At(RecordField.Rflags)]);
        c.push(2);
        c.popfq();
        (AssemblerRegisterSegment, RecordField)[] segments = [(ss, RecordField.Ss), (ds, RecordField.Ds), (es, RecordField.Es), (fs, RecordField.Fs),
            (gs, RecordField.Gs)];
        foreach ((AssemblerRegisterSegment segment, RecordField field) in segments)
        {
            c.mov(eax, segment);
            c.mov(__qword_ptr[At(field)], rax);
        }

        c.mov(__dword_ptr[At(RecordField.HandlerBits)], 64);
        c.str(eax);
        c.mov(__qword_ptr[At(RecordField.Tr)], rax);
        c.sldt(eax);
        c.mov(__qword_ptr[At(RecordField.Ldtr)], rax);
        (AssemblerRegisterCR, RecordField)[] control = [(cr0, RecordField.Cr0), (cr2, RecordField.Cr2), (cr3, RecordField.Cr3), (cr4,
            RecordField.Cr4),
            (cr8, RecordField.Cr8)];
        foreach ((AssemblerRegisterCR register, RecordField field) in control)
        {
            c.mov(rax, register);
            c.mov(__qword_ptr[At(field)], rax);
        }

        foreach ((AssemblerRegisterDR register, RecordField field) in DebugRegisters())
        {
            c.mov(rax, register);
            c.mov(__qword_ptr[At(field)], rax);
        }

        SaveMsrs(c);
        c.mov(eax, Pae); // CR4.PCIDE must be off before paging is
        c.mov(cr4, rax);
        c.lgdt(__[Layout.MonitorTables + MonitorGdtr]);
        c.mov(eax, Data32);
        foreach (AssemblerRegisterSegment segment in new[] { ds, es, ss })
            c.mov(segment, ax);
        c.push(Code32);
        c.push((int)Layout.Low64Tail);
        c.db(0x48); // REX.W: RETF of two 8-byte words
        c.retf();
    }

    private static (AssemblerRegisterDR, RecordField)[] DebugRegisters() =>
        [(dr0, RecordField.Dr0), (dr1, RecordField.Dr1), (dr2, RecordField.Dr2), (dr3, RecordField.Dr3), (dr6, RecordField.Dr6), (dr7,
            RecordField.Dr7)];

    private static void SaveMsrs(Assembler c)
    {
        foreach ((uint number, RecordField field) in _msrs)
        {
            c.mov(ecx, number);
            c.rdmsr();
            c.mov(__dword_ptr[At(field)], eax);
            c.mov(__dword_ptr[At(field) + 4], edx);
        }
    }

    private static uint At(RecordField field) => Layout.Record + (uint)field * 8;

    private static byte[] Tables()
    {
        byte[] bytes = new byte[0x100];
        void Put(uint offset, ulong value, int size) => BitConverter.GetBytes(value).AsSpan(0, size).CopyTo(bytes.AsSpan((int)offset));
        void Register(uint offset, uint limit, uint @base)
        {
            Put(offset, limit, 2);
            Put(offset + 2, @base, 8);
        }

        Put(Code32, Descriptors.Segment(0, 0xFFFFF, 0x9B, Descriptors.G | Descriptors.D), 8);
        Put(Data32, Descriptors.Segment(0, 0xFFFFF, 0x93, Descriptors.G | Descriptors.D), 8);
        Put(Code16, Descriptors.Segment(0, 0xFFFF, 0x9B), 8);
        Put(Data16, Descriptors.Segment(0, 0xFFFF, 0x93), 8);
        Put(Task, Descriptors.Segment(Layout.MonitorTables + TaskSegment, 0x67, 0x89), 8);
        Register(MonitorGdtr, 0x2F, Layout.MonitorTables);
        Put(EmptyIdtr, 0, 6);
        Register(ArenaGdtr, Layout.GdtLimit, Layout.Gdt);
        Register(RealIdtr, 0x3FF, Layout.Idt);
        Register(ProtectedIdtr, 0x7FF, Layout.Idt);
        Register(LongIdtr, 0xFFF, Layout.Idt);
        Put(CodePointer, Layout.Code, 8);
        return bytes;
    }

    /// <summary>The pseudo-descriptor of the monitor's own GDT, and of an IDT without gates.</summary>
    public static uint MonitorGdtrAddress => Layout.MonitorTables + MonitorGdtr;

    /// <summary>Byte 5 of the monitor's TSS descriptor, and what it is while not busy.</summary>
    public const uint TaskAccessAddress = Layout.MonitorTables + Task + 5, TaskAccess = 0x89;

    public static uint EmptyIdtrAddress => Layout.MonitorTables + EmptyIdtr;
}
