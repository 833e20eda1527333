namespace Hv.Contracts.Guests;

/// <summary>Where a contract guest keeps what: guest-physical addresses, mapped to the same linear ones. All below 64 KiB except page tables and
/// what a test
/// adds, so that the same addresses serve a real-mode guest with segment bases of 0.</summary>
public static class GuestLayout
{
    /// <summary>Bytes of RAM that a guest has unless its test says otherwise; the first hole begins here.</summary>
    public const ulong RamSize = 0x10_0000;

    /// <summary>Stack of CPL-3 code; grows down from here.</summary>
    public const ulong UserStackTop = 0x1000;

    public const ulong Gdt = 0x1000;
    public const ulong Idt = 0x2000;

    /// <summary>The task-state segment, with an I/O permission map behind it.</summary>
    public const ulong Tss = 0x3000;

    /// <summary>The second task-state segment, for task switches.</summary>
    public const ulong SecondTss = 0x5400;

    /// <summary>The exception log: see <see cref="ExceptionHandlers"/>.</summary>
    public const ulong Log = 0x6000;

    /// <summary>64-bit slots into which a guest stores what its test looks at.</summary>
    public const ulong Results = 0x7000;

    /// <summary>The paravirtual state record of vCPU 0.</summary>
    public const ulong ParaState = 0x8000;

    /// <summary>The hypercall stub.</summary>
    public const ulong Stub = 0x9000;

    /// <summary>The stack that the task-state segment names for CPL 0.</summary>
    public const ulong InterruptStackTop = 0xA800;

    /// <summary>The stack at start.</summary>
    public const ulong StackTop = 0xB000;

    /// <summary>The exception handlers' code.</summary>
    public const ulong Handlers = 0xB000;

    /// <summary>The test's code; entry.</summary>
    public const ulong Code = 0xC000;

    /// <summary>Code in another mode or at another privilege than the test's.</summary>
    public const ulong SecondCode = 0xE000;

    /// <summary>Page tables, as many pages as they need.</summary>
    public const ulong PageTables = 0x1_0000;

    /// <summary>From here to <see cref="RamSize"/> is the test's own.</summary>
    public const ulong Free = 0x4_0000;

    /// <summary>Gate descriptors exist for vectors below this.</summary>
    public const int Vectors = 64;
}
