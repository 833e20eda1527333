namespace Hv.Core.Exits;

/// <summary>Why a vCPU stopped running its guest, in no vendor's words.</summary>
public enum ExitReason : byte
{
    /// <summary>The backend did not recognise the raw exit; <see cref="VmExit.Raw"/> holds it.</summary>
    Unknown,

    /// <summary>The instruction budget given to <see cref="IVcpu.Run"/> is used up; nothing needs completion.</summary>
    BudgetExpired,

    /// <summary><see cref="IVcpu.RequestExit"/> was called; nothing needs completion.</summary>
    Cancelled,

    /// <summary>The backend's exit instruction was executed.</summary>
    Hypercall,

    /// <summary>IN, OUT, INS or OUTS; <see cref="VmExit.PortIo"/>.</summary>
    PortIo,

    /// <summary>An access to guest-physical memory that no writable or readable slot serves; <see cref="VmExit.Memory"/>.</summary>
    MemoryAccess,

    /// <summary>RDMSR of a register the backend does not keep itself; <see cref="VmExit.Msr"/>.</summary>
    MsrRead,

    /// <summary>WRMSR of a register the backend does not keep itself; <see cref="VmExit.Msr"/>.</summary>
    MsrWrite,

    /// <summary>CPUID; <see cref="VmExit.Cpuid"/>.</summary>
    Cpuid,

    /// <summary>HLT was executed; RIP is past it.</summary>
    Halt,

    /// <summary>A triple fault: the vCPU cannot go on without a reset.</summary>
    Shutdown,

    /// <summary>An exception that the backend was told to intercept; <see cref="VmExit.Exception"/>.</summary>
    Exception,

    /// <summary>The guest can take an interrupt now, as <see cref="IVcpu.RequestInterruptWindow"/> asked.</summary>
    InterruptWindow,

    /// <summary>The processor refused to enter the guest: its state breaks a rule; <see cref="IVcpu.LastFailure"/> names it.</summary>
    EntryFailed,

    /// <summary>The backend could not go on; <see cref="IVcpu.LastFailure"/> says why.</summary>
    InternalError,

    /// <summary>The last exit was answered through <see cref="IVcpu.Sink"/>, which ended the run; nothing needs completion.</summary>
    Answered,
}

/// <summary>The processor mode in which an exit happened.</summary>
[Flags]
public enum GuestMode : byte
{
    Real = 0,

    /// <summary>CR0.PE is set.</summary>
    Protected = 1,

    /// <summary>EFER.LMA is set: 64-bit or compatibility mode.</summary>
    LongModeActive = 2,

    /// <summary>CS.L is set in long mode: 64-bit code.</summary>
    Code64 = 4,

    /// <summary>CS.D is set: 32-bit default operands.</summary>
    Code32 = 8,

    /// <summary>RFLAGS.VM is set: virtual-8086 mode.</summary>
    Virtual8086 = 16,
}
