namespace Hv.Cpu.Decode;

/// <summary>Which instruction an operation is: the manuals' mnemonics, one per behaviour; operand shapes are in <see cref="Op"/>.</summary>
public enum OpKind : ushort
{
    /// <summary>Undefined: #UD.</summary>
    Invalid,

    // System instructions; Hv.Cpu.System holds their handlers.
    Arpl, Clac, Cli, Clts, Cpuid, Hlt, Int, Int1, Int3, Into, Invd, Invlpg, Iret, Lar, Lgdt, Lidt, Lldt, Lmsw, Lsl, Ltr, Monitor,
    MovFromCr, MovFromDr, MovFromSeg, MovToCr, MovToDr, MovToSeg, Mwait, Pause, Popf, PopSeg, Pushf, PushSeg, RdFsGsBase, Rdmsr, Rdpmc, Rdtsc, Rdtscp, Rsm,
    Sgdt, Sidt, Sldt, Smsw, Stac, Sti, Str, Swapgs, Syscall, Sysenter, Sysexit, Sysret, Vendor, Verr, Verw, Wbinvd, WrFsGsBase, Wrmsr, Xgetbv, Xsetbv,
    CallFar, JmpFar, RetFar, LoadFarPointer, In, Out, Ins, Outs, Fxsave, Fxrstor, Ldmxcsr, Stmxcsr, Fninit, Fnstcw, Fldcw, Fnstsw, Fnclex, Fwait, Emms,
}
