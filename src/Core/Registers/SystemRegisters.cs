namespace Hv.Core.Registers;

/// <summary>What a vCPU does between two instructions (SDM 3C 25.4.2 names the same states).</summary>
public enum ActivityState : byte
{
    Running,
    Halted,
    Shutdown,

    /// <summary>Created, but not yet started by another vCPU.</summary>
    WaitForStart,
}

/// <summary>Event delivery held off for one instruction (SDM 3A 6.8.3).</summary>
[Flags]
public enum InterruptShadow : byte
{
    None = 0,
    Sti = 1,
    MovSs = 2,
    NmiBlocked = 4,
}

/// <summary>Segment, control, debug and architectural model-specific registers of one vCPU, in no vendor's layout.</summary>
public struct SystemRegisters
{
    public SegmentRegister Es, Cs, Ss, Ds, Fs, Gs, Ldtr, Tr;
    public TableRegister Gdtr, Idtr;
    public ulong Cr0, Cr2, Cr3, Cr4, Cr8, Xcr0;
    public ulong Dr0, Dr1, Dr2, Dr3, Dr6, Dr7;
    public ulong Efer, Star, Lstar, Cstar, Sfmask, KernelGsBase;
    public ulong SysenterCs, SysenterEsp, SysenterEip;
    public ulong Pat, ApicBase, TscAux;

    /// <summary>What RDTSC reads, in ticks.</summary>
    public ulong Tsc;

    /// <summary>The current privilege level, 0..3.</summary>
    public byte Cpl;
    public ActivityState Activity;
    public InterruptShadow Shadow;
}
