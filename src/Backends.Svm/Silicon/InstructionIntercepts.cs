using Hv.Cpu.Virtualization;

namespace Hv.Backends.Svm.Silicon;

/// <summary>An instruction whose intercept is one bit and whose exit has no conditions: the bit is in one of two words, the other one is 0.</summary>
/// <param name="Kind">The processor's event.</param>
/// <param name="Selector">Which of the kind's instructions: <see cref="CpuEvent.Index"/> or <see cref="CpuEvent.Instruction"/>; 0 where the kind
/// is one instruction.</param>
/// <param name="First">The bit at 00CH.</param>
/// <param name="Second">The bit at 010H.</param>
/// <param name="Code">The exit code.</param>
public readonly record struct InstructionIntercept(CpuEventKind Kind, int Selector, Intercepts1 First, Intercepts2 Second, SvmExitCode Code)
{
    /// <summary>Whether the VMCB asks for the exit.</summary>
    public bool IsSet(in VmcbControl control) => (control.Intercepts1 & First) != 0 || (control.Intercepts2 & Second) != 0;
}

/// <summary>The instruction intercepts of APM 2 15.9, table 15-7, and appendix C, that are one bit and one code.</summary>
public static class InstructionIntercepts
{
    private const int SelectorBits = 5;

    /// <summary>The table.</summary>
    public static IReadOnlyList<InstructionIntercept> All { get; } =
    [
        new(CpuEventKind.Cpuid, 0, Intercepts1.Cpuid, 0, SvmExitCode.CPUID),
        new(CpuEventKind.Hlt, 0, Intercepts1.Hlt, 0, SvmExitCode.HLT),
        new(CpuEventKind.Invlpg, 0, Intercepts1.Invlpg, 0, SvmExitCode.INVLPG),
        new(CpuEventKind.Invd, 0, Intercepts1.Invd, 0, SvmExitCode.INVD),
        new(CpuEventKind.Wbinvd, 0, 0, Intercepts2.Wbinvd, SvmExitCode.WBINVD),
        new(CpuEventKind.Rdtsc, 0, Intercepts1.Rdtsc, 0, SvmExitCode.RDTSC),
        new(CpuEventKind.Rdtscp, 0, 0, Intercepts2.Rdtscp, SvmExitCode.RDTSCP),
        new(CpuEventKind.Rdpmc, 0, Intercepts1.Rdpmc, 0, SvmExitCode.RDPMC),
        new(CpuEventKind.Monitor, 0, 0, Intercepts2.Monitor, SvmExitCode.MONITOR),
        new(CpuEventKind.Mwait, 0, 0, Intercepts2.Mwait, SvmExitCode.MWAIT),
        new(CpuEventKind.Xsetbv, 0, 0, Intercepts2.Xsetbv, SvmExitCode.XSETBV),
        new(CpuEventKind.Rsm, 0, Intercepts1.Rsm, 0, SvmExitCode.RSM),
        new(CpuEventKind.Iret, 0, Intercepts1.Iret, 0, SvmExitCode.IRET),
        new(CpuEventKind.SoftwareInterrupt, 0, Intercepts1.IntN, 0, SvmExitCode.SWINT),
        new(CpuEventKind.GdtrIdtr, 0, Intercepts1.GdtrRead, 0, SvmExitCode.GDTR_READ),
        new(CpuEventKind.GdtrIdtr, 1, Intercepts1.IdtrRead, 0, SvmExitCode.IDTR_READ),
        new(CpuEventKind.GdtrIdtr, 2, Intercepts1.GdtrWrite, 0, SvmExitCode.GDTR_WRITE),
        new(CpuEventKind.GdtrIdtr, 3, Intercepts1.IdtrWrite, 0, SvmExitCode.IDTR_WRITE),
        new(CpuEventKind.LdtrTr, 0, Intercepts1.LdtrRead, 0, SvmExitCode.LDTR_READ),
        new(CpuEventKind.LdtrTr, 1, Intercepts1.TrRead, 0, SvmExitCode.TR_READ),
        new(CpuEventKind.LdtrTr, 2, Intercepts1.LdtrWrite, 0, SvmExitCode.LDTR_WRITE),
        new(CpuEventKind.LdtrTr, 3, Intercepts1.TrWrite, 0, SvmExitCode.TR_WRITE),
        Vendor(VendorInstruction.Vmrun, Intercepts2.Vmrun, SvmExitCode.VMRUN),
        Vendor(VendorInstruction.Vmmcall, Intercepts2.Vmmcall, SvmExitCode.VMMCALL),
        Vendor(VendorInstruction.Vmload, Intercepts2.Vmload, SvmExitCode.VMLOAD),
        Vendor(VendorInstruction.Vmsave, Intercepts2.Vmsave, SvmExitCode.VMSAVE),
        Vendor(VendorInstruction.Stgi, Intercepts2.Stgi, SvmExitCode.STGI),
        Vendor(VendorInstruction.Clgi, Intercepts2.Clgi, SvmExitCode.CLGI),
        Vendor(VendorInstruction.Skinit, Intercepts2.Skinit, SvmExitCode.SKINIT),
        new(CpuEventKind.VendorInstruction, (int)VendorInstruction.Invlpga, Intercepts1.Invlpga, 0, SvmExitCode.INVLPGA),
    ];

    private static readonly InstructionIntercept[] s_bySelector = Index();

    /// <summary>The row of an event; one whose bits are 0 when the event is not in the table.</summary>
    public static ref readonly InstructionIntercept Of(in CpuEvent e) => ref s_bySelector[Key(e.Kind, SelectorOf(e))];

    private static int SelectorOf(in CpuEvent e) => e.Kind switch
    {
        CpuEventKind.VendorInstruction => (int)e.Instruction,
        CpuEventKind.GdtrIdtr or CpuEventKind.LdtrTr => (int)e.Index & 3,
        _ => 0,
    };

    private static int Key(CpuEventKind kind, int selector) => (int)kind << SelectorBits | selector;

    private static InstructionIntercept Vendor(VendorInstruction instruction, Intercepts2 bit, SvmExitCode code) =>
        new(CpuEventKind.VendorInstruction, (int)instruction, 0, bit, code);

    private static InstructionIntercept[] Index()
    {
        var rows = new InstructionIntercept[((int)CpuEventKind.InterruptWindow + 1) << SelectorBits];
        foreach (InstructionIntercept row in All)
            rows[Key(row.Kind, row.Selector)] = row;
        return rows;
    }
}
