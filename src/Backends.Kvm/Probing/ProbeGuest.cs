using Hv.Core;
using Hv.Core.Cpuid;

namespace Hv.Backends.Kvm.Probing;

/// <summary>The processor mode in which a probe's code starts.</summary>
internal enum ProbeMode : byte
{
    Real,
    Protected32,
    Paged32,
    Pae32,
    Long0,
    Long3,

    /// <summary>As <see cref="Long3"/>, with CR4.OSXSAVE set and AVX state enabled in XCR0.</summary>
    Vector3,
}

/// <summary>
/// A few instructions that show whether the host's KVM can do something: the code ends with 55h in AL and the exit instruction; anything else means
/// that it cannot.
/// </summary>
/// <param name="Name">What it tries.</param>
/// <param name="Mode">Where its code starts, at <see cref="ProbeMachine.CodeAddress"/>.</param>
/// <param name="Code">Machine code; <see cref="PortMark"/> stands for the exit instruction's port.</param>
/// <param name="Handler">Code of the handler of every vector and of SYSCALL, at CPL 0 in the same mode.</param>
/// <param name="Needs">The capability that is absent when it fails, or none when it is only reported.</param>
/// <param name="Remedy">What a person can do without it.</param>
internal sealed record ProbeGuest(string Name, ProbeMode Mode, byte[] Code, byte[] Handler, BackendCapabilities Needs, string Remedy)
{
    /// <summary>The byte in <see cref="Code"/> and <see cref="Handler"/> that is replaced by the port's number.</summary>
    public const byte PortMark = 0xE4;

    /// <summary>What CPUID is to answer.</summary>
    public CpuidTable Cpuid { get; init; } = CpuidTables.Default;

    private const string Emulate = "run guests that need it on a software backend (--backend emulated)";

    /// <summary>All of them, in the order in which they are reported.</summary>
    public static IReadOnlyList<ProbeGuest> All { get; } =
    [
        new("real mode", ProbeMode.Real, [.. Success], [], BackendCapabilities.RealMode, Emulate),
        // int 20h; the handler is iret
        new("INT n and IRET in real mode", ProbeMode.Real, [0xCD, 0x20, .. Success], [0xCF], BackendCapabilities.RealExceptions, Emulate),
        new("32-bit protected mode", ProbeMode.Protected32, [.. Success], [], BackendCapabilities.Protected32, Emulate),
        // ud2; the handler moves the saved EIP past it: add dword [esp], 2; iretd
        new("faults and IRET in 32-bit mode", ProbeMode.Protected32, [0x0F, 0x0B, .. Success], [0x83, 0x04, 0x24, 0x02, 0xCF],
            BackendCapabilities.Protected32Exceptions, Emulate),
        new("INT n in 32-bit mode", ProbeMode.Protected32, [0xCD, 0x20, .. Success], [.. Success], BackendCapabilities.SoftwareInterrupts, Emulate),
        new("32-bit paging", ProbeMode.Paged32, [.. Success], [], BackendCapabilities.Paging32, Emulate),
        new("PAE paging", ProbeMode.Pae32, [.. Success], [], BackendCapabilities.Paging32, Emulate),
        new("long mode, CPL 0", ProbeMode.Long0, [.. Success], [], BackendCapabilities.Long64, Emulate),
        // ud2; the handler moves the saved RIP past it: add qword [rsp], 2; iretq
        new("faults and IRETQ at CPL 0", ProbeMode.Long0, [0x0F, 0x0B, .. Success], [0x48, 0x83, 0x04, 0x24, 0x02, 0x48, 0xCF],
            BackendCapabilities.Long64Exceptions, Emulate),
        new("INT n in long mode at CPL 0", ProbeMode.Long0, [0xCD, 0x20, .. Success], [0x48, 0xCF], BackendCapabilities.SoftwareInterrupts, Emulate),
        // hlt at CPL 3 is #GP; the handler reports
        new("user mode", ProbeMode.Long3, [0xF4], [.. Success], BackendCapabilities.UserMode, Emulate),
        // syscall; the handler reports only when it came by SYSCALL (RCX is the next RIP, 1002h) and at CPL 0: mov eax, cs; test al, 3; jnz fail;
        // cmp ecx, 1002h; jne fail; report; fail: xor ecx, ecx; hlt. At CPL 3 the HLT faults into the same handler, which then fails for good.
        new("SYSCALL", ProbeMode.Long3, [0x0F, 0x05],
            [0x8C, 0xC8, 0xA8, 0x03, 0x75, 0x0C, 0x81, 0xF9, 0x02, 0x10, 0, 0, 0x75, 0x04, .. Success, 0x31, 0xC9, 0xF4],
            BackendCapabilities.None, Emulate),
        // mov eax, 2Ah; cvtsi2ss xmm0, eax; addss xmm0, xmm0; cvttss2si eax, xmm0; inc eax
        new("SSE at CPL 0", ProbeMode.Long0,
            [0xB8, 0x2A, 0, 0, 0, 0xF3, 0x0F, 0x2A, 0xC0, 0xF3, 0x0F, 0x58, 0xC0, 0xF3, 0x0F, 0x2C, 0xC0, 0xFF, 0xC0, 0xE6, PortMark],
            [], BackendCapabilities.FloatingPoint, Emulate),
        // fninit, because RESET leaves no register empty; fld1; fadd st, st twice; fistp dword [rsp-8]; mov eax, [rsp-8]; add al, 51h
        new("x87 at CPL 0", ProbeMode.Long0,
            [0xDB, 0xE3, 0xD9, 0xE8, 0xD8, 0xC0, 0xD8, 0xC0, 0xDB, 0x5C, 0x24, 0xF8, 0x8B, 0x44, 0x24, 0xF8, 0x04, 0x51, 0xE6, PortMark],
            [], BackendCapabilities.FloatingPoint, Emulate),
        // popcnt eax, ecx with ecx = 0; add al, 55h
        new("POPCNT at CPL 0", ProbeMode.Long0, [0x31, 0xC9, 0xF3, 0x0F, 0xB8, 0xC1, 0x04, 0x55, 0xE6, PortMark], [], BackendCapabilities.None,
            Emulate),
        new("OUT from user mode", ProbeMode.Long3, [.. Success], [0xF4], BackendCapabilities.UserHypercalls,
            "make hypercalls at CPL 0, or allow the port in the TSS's I/O map"),
        // push 0 for GS, FS, DS, ES, SS; push 8000h; push EFLAGS with VM and IOPL 3; push 0; push 101Ch; iretd; there int 20h. The handler reports
        // when the saved EFLAGS have VM: test dword [esp+8], 20000h; jz fail; report; fail: hlt.
        new("virtual-8086 mode, there and back", ProbeMode.Protected32,
            [
                0x6A, 0, 0x6A, 0, 0x6A, 0, 0x6A, 0, 0x6A, 0, 0x68, 0, 0x80, 0, 0, 0x68, 2, 0x30, 2, 0, 0x6A, 0, 0x68, 0x1C, 0x10, 0, 0, 0xCF,
                0xCD, 0x20,
            ],
            [0xF7, 0x44, 0x24, 0x08, 0, 0, 2, 0, 0x74, 0x04, .. Success, 0xF4], BackendCapabilities.LegacyTasks, Emulate),
        // jmp 38h:0; the new task begins at the handler
        new("hardware task switch", ProbeMode.Protected32, [0xEA, 0, 0, 0, 0, 0x38, 0, 0xF4], [.. Success], BackendCapabilities.LegacyTasks, Emulate),
        // mov eax, 2Ah; cvtsi2ss xmm0, eax; addss xmm0, xmm0; cvttss2si eax, xmm0; hlt. The handler: cmp eax, 54h; jne fail; report; fail: hlt.
        new("SSE in user mode", ProbeMode.Long3,
            [0xB8, 0x2A, 0, 0, 0, 0xF3, 0x0F, 0x2A, 0xC0, 0xF3, 0x0F, 0x58, 0xC0, 0xF3, 0x0F, 0x2C, 0xC0, 0xF4], [.. WhenDoubled],
            BackendCapabilities.None, Emulate),
        // mov eax, 2Ah; vcvtsi2ss xmm0, xmm0, eax; vaddps ymm0, ymm0, ymm0; vcvttss2si eax, xmm0; hlt
        new("AVX in user mode", ProbeMode.Vector3,
            [0xB8, 0x2A, 0, 0, 0, 0xC5, 0xFA, 0x2A, 0xC0, 0xC5, 0xFC, 0x58, 0xC0, 0xC5, 0xFA, 0x2C, 0xC0, 0xF4], [.. WhenDoubled],
            BackendCapabilities.None, "choose --cpu x86-64-v2, or a software backend"),
        // mov eax, 1; cpuid; and ecx, all but OSXSAVE and the hypervisor's bit, of which x86-64-v1 has none; jnz fail; report; fail: hlt
        new("CPUID as the guest's model says", ProbeMode.Long0,
            [0xB8, 1, 0, 0, 0, 0x0F, 0xA2, 0x81, 0xE1, 0xFF, 0xFF, 0xFF, 0x77, 0x75, 0x04, .. Success, 0xF4], [], BackendCapabilities.None,
            "guests see the host processor's own features whatever --cpu says: use a software backend where that matters")
        {
            Cpuid = CpuidTables.Level1,
        },
    ];

    /// <summary>mov al, 55h; out port, al</summary>
    private static ReadOnlySpan<byte> Success => [0xB0, 0x55, 0xE6, PortMark];

    private static ReadOnlySpan<byte> WhenDoubled => [0x3D, 0x54, 0, 0, 0, 0x75, 0x04, 0xB0, 0x55, 0xE6, PortMark, 0xF4];

    /// <summary>The bytes with the port in place.</summary>
    public static byte[] WithPort(byte[] code, byte port)
    {
        byte[] copy = [.. code];
        for (int i = 1; i < copy.Length; i++)
        {
            if (copy[i] == PortMark && copy[i - 1] == 0xE6)
                copy[i] = port;
        }

        return copy;
    }
}
