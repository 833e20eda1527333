using Hv.Core.Exits;

namespace Hv.Cpu.Virtualization;

/// <summary>
/// What happened inside the processor that a virtualization layer may want to see before (or instead of) its ordinary effect. Checks that come before
/// an exit in both manuals (undefined opcode; CPL for RDMSR, WRMSR, HLT; IOPL and I/O map for IN and OUT) are done when an event is raised.
/// </summary>
public enum CpuEventKind : byte
{
    None,

    /// <summary>CPUID: EAX and ECX hold the query.</summary>
    Cpuid,
    Hlt,

    /// <summary><see cref="CpuEvent.Index"/> is ECX.</summary>
    Rdmsr,

    /// <summary><see cref="CpuEvent.Index"/> is ECX, <see cref="CpuEvent.Value"/> is EDX:EAX.</summary>
    Wrmsr,

    /// <summary>IN and OUT: <see cref="CpuEvent.Port"/>, <see cref="CpuEvent.IsImmediate"/>.</summary>
    PortIo,

    /// <summary>One element of INS or OUTS; as <see cref="PortIo"/>, with <see cref="CpuEvent.IsRep"/>, <see cref="CpuEvent.AddressSize"/> and
    /// <see cref="CpuEvent.Segment"/>. <see cref="CpuEvent.Address"/> is the linear address of the element, <see cref="CpuEvent.Value"/> the one that OUTS
    /// has read.</summary>
    StringIo,

    /// <summary>A vendor's or hv's own instruction, undefined unless the layer knows it; <see cref="CpuEvent.Instruction"/> says which.</summary>
    VendorInstruction,

    /// <summary>MOV from CR: <see cref="CpuEvent.Index"/> is the control register, <see cref="CpuEvent.Register"/> the general one's number,
    /// <see cref="CpuEvent.Value"/> what the instruction reads.</summary>
    CrRead,

    /// <summary>MOV to CR: as <see cref="CrRead"/>, with <see cref="CpuEvent.Value"/>.</summary>
    CrWrite,
    Clts,

    /// <summary><see cref="CpuEvent.Value"/> is the source operand.</summary>
    Lmsw,

    /// <summary><see cref="CpuEvent.Value"/> is what the instruction stores.</summary>
    Smsw,

    /// <summary>MOV from DR: <see cref="CpuEvent.Index"/>, <see cref="CpuEvent.Register"/>.</summary>
    DrRead,

    /// <summary>MOV to DR: as <see cref="DrRead"/>, with <see cref="CpuEvent.Value"/>.</summary>
    DrWrite,

    /// <summary><see cref="CpuEvent.Address"/> is the linear address.</summary>
    Invlpg,
    Invd,
    Wbinvd,

    /// <summary><see cref="CpuEvent.Value"/> is the time stamp that the instruction reads.</summary>
    Rdtsc,

    /// <summary>As <see cref="Rdtsc"/>.</summary>
    Rdtscp,
    Rdpmc,
    Pause,
    Monitor,
    Mwait,
    Xsetbv,

    /// <summary>LGDT, LIDT, SGDT, SIDT: <see cref="CpuEvent.Index"/> 0..3 in the order SGDT SIDT LGDT LIDT.</summary>
    GdtrIdtr,

    /// <summary>LLDT, LTR, SLDT, STR: <see cref="CpuEvent.Index"/> 0..3 in the order SLDT STR LLDT LTR.</summary>
    LdtrTr,
    Rsm,

    /// <summary>An exception about to be delivered: <see cref="CpuEvent.Index"/> is the vector, <see cref="CpuEvent.HasErrorCode"/>,
    /// <see cref="CpuEvent.Value"/> the error code, <see cref="CpuEvent.Address"/> the #PF address or #DB bits.</summary>
    Exception,

    /// <summary>INT n about to be delivered (INT3 and INTO are <see cref="Exception"/> 3 and 4): <see cref="CpuEvent.Index"/> is the
    /// vector.</summary>
    SoftwareInterrupt,

    /// <summary>IRET.</summary>
    Iret,

    /// <summary>A third fault while delivering a double fault.</summary>
    TripleFault,

    /// <summary>A hardware task switch: <see cref="CpuEvent.Index"/> is the selector, <see cref="CpuEvent.Value"/> its source (0 CALL, 1 IRET, 2 JMP,
    /// 3 gate).</summary>
    TaskSwitch,

    /// <summary>A guest-physical access that the layer's nested translation or the memory slots refuse: <see cref="CpuEvent.Address"/> is the gpa,
    /// <see cref="CpuEvent.LinearAddress"/>, <see cref="CpuEvent.Access"/>; <see cref="CpuEvent.Size"/> and <see cref="CpuEvent.Value"/> for a data
    /// access.</summary>
    GuestPhysicalAccess,

    /// <summary>An external interrupt is pending and deliverable: <see cref="CpuEvent.Index"/> is the vector.</summary>
    ExternalInterrupt,
    InterruptWindow,
}

/// <summary>Instructions that only some processor, or only a hypervisor, defines.</summary>
public enum VendorInstruction : byte
{
    None,
    Vmcall, Vmlaunch, Vmresume, Vmxoff, Vmxon, Vmclear, Vmptrld, Vmptrst, Vmread, Vmwrite, Vmfunc, Invept, Invvpid,
    Vmrun, Vmmcall, Vmload, Vmsave, Stgi, Clgi, Skinit, Invlpga,

    /// <summary>The exit instruction of the plain emulated backend (docs/adr/0004-emulated-exit-instruction.md).</summary>
    HvExit,
}

/// <summary>How a guest-physical address was used.</summary>
[Flags]
public enum GuestAccess : byte
{
    Read = 1,
    Write = 2,
    Execute = 4,

    /// <summary>At CPL 3 semantics (not an implicit supervisor access).</summary>
    User = 8,

    /// <summary>The access is to a guest page-table entry, not to the final address.</summary>
    PageWalk = 16,
}

/// <summary>One event; see <see cref="CpuEventKind"/> for which fields count.</summary>
public struct CpuEvent
{
    public CpuEventKind Kind;
    public VendorInstruction Instruction;
    public GuestAccess Access;
    public byte Length, Size, Register, AddressSize, Segment;
    public bool IsWrite, IsImmediate, IsRep, HasErrorCode;
    public uint Index;
    public ulong Value, Address, LinearAddress;
    public PortIoExit Port;
}
