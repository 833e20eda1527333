namespace Hv.Conformance.Ring0.Guest;

/// <summary>
/// Where everything lies in the guest's memory. The monitor runs at 1 MiB; what must be reachable from real mode and under every case's page tables
/// lies below the arena; the arena is made anew for each case and compared with its own first state after it.
/// </summary>
public static class Layout
{
    /// <summary>The image: a jump, the multiboot header, parameters, the monitor, data.</summary>
    public const uint Image = 0x10_0000, Parameters = Image + 0x24, MonitorCode = Image + 0x40;

    /// <summary>Handlers and entries by code size: 256 stubs of 8 bytes each, then code.</summary>
    public const uint Low = 0x8000, Low16 = 0x8000, Low32 = 0x9000, Low64 = 0xA000, LowEnd = 0xC000, StubSize = 8, StubsSize = 256 * StubSize;

    /// <summary>Code of the 32-bit tail of the 64-bit handler.</summary>
    public const uint Low64Tail = 0xAE00;

    /// <summary>What a handler saved: see <see cref="RecordField"/>.</summary>
    public const uint Record = 0xB000;

    /// <summary>The monitor's own tables and stack.</summary>
    public const uint MonitorTables = 0xBC00, MonitorStack = 0x7C00;

    /// <summary>The arena and the copy of its first state.</summary>
    public const uint Arena = 0x1_0000, ArenaSize = 0x1E000, Shadow = 0x4_0000;

    public const uint Idt = 0x1_0000, Gdt = 0x1_1000, GdtLimit = 0x1FF, Ldt = 0x1_2000, LdtLimit = 0x7F, Tss = 0x1_3000, TssLimit = 0x68 + 0x81,
        Task2 = 0x1_2800, Task16 = 0x1_2A00;

    /// <summary>Code that begins at CPL 0, and code and data that CPL 3 may use.</summary>
    public const uint Code = 0x1_4000, UserCode = 0x1_5000, Data = 0x1_6000, UserData = 0x1_7000;

    /// <summary>Where a case begins on its stack, and the stacks of the TSS (their tops).</summary>
    public const uint Stack = 0x1_8800, Stack0 = 0x1_9000, Stack1 = 0x1_A000, Stack2 = 0x1_B000, Stack3 = 0x1_C000, Ist1 = 0x1_D000, Ist2 = 0x1_E000;

    /// <summary>Four-level tables (PAE uses the directory), 32-bit tables, and the frames that paging cases map at <see cref="Window"/>.</summary>
    public const uint Pml4 = 0x2_0000, Pdpt = 0x2_1000, Directory = 0x2_2000, LowTable = 0x2_3000, WindowDirectory = 0x2_4000, WindowTable = 0x2_5000,
        Directory32 = 0x2_6000, WindowPdpt = 0x2_8000, PaePointers = 0x2_7000, LowTable32 = 0x2_9000, WindowTable32 = 0x2_B000, Frame = 0x2_C000;

    /// <summary>A linear address that nothing else uses: entry 1 of a PDPT, entry 256 of a 32-bit directory.</summary>
    public const uint Window = 0x4000_0000;

    /// <summary>The arena's bytes in real-mode segments of this selector.</summary>
    public const ushort RealSegment = (ushort)(Arena >> 4);

    /// <summary>Output, and the port whose write ends the run.</summary>
    public const byte OutputPort = 0xE9, EndPort = 0xF4;
}

/// <summary>Selectors of the base GDT.</summary>
public static class Selectors
{
    public const ushort Code32 = 0x08, Data = 0x10, Code64 = 0x18, UserCode32 = 0x23, UserData = 0x2B, UserCode64 = 0x33, Tss = 0x38, Ldt = 0x48,
        Code16 = 0x58, Data16 = 0x60, Ring1Code = 0x69, Ring1Data = 0x71, Ring2Code = 0x7A, Ring2Data = 0x82, Conforming = 0x88, Task2 = 0x90,
        Task16 = 0x98, TaskGate = 0xA0, UserCode16 = 0xAB;

    /// <summary>The first of the slots that cases fill, 16 bytes apart.</summary>
    public const ushort Test = 0x100, Test2 = 0x110, Test3 = 0x120, Test4 = 0x130;

    /// <summary>The LDT's slot that cases fill, with TI set.</summary>
    public const ushort LdtTest = 0x14;
}

/// <summary>The words of a record, 8 bytes each, in the order that the monitor prints them.</summary>
public enum RecordField
{
    Rax, Rcx, Rdx, Rbx, Rsp, Rbp, Rsi, Rdi, R8, R9, R10, R11, R12, R13, R14, R15,
    Rflags, Cr0, Cr2, Cr3, Cr4, Cr8, Dr0, Dr1, Dr2, Dr3, Dr6, Dr7, Efer, FsBase, GsBase, KernelGsBase,
    Vector, Ss, Ds, Es, Fs, Gs, Tr, Ldtr,

    /// <summary>The code size of the handler that ran: 16, 32 or 64.</summary>
    HandlerBits,
}
