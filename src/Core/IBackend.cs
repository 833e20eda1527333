using Hv.Core.Exits;
using Hv.Core.Memory;

namespace Hv.Core;

/// <summary>What a backend can do beyond running a vCPU. Asked before use; the absence of an ability is an answer, not an error.</summary>
[Flags]
public enum BackendCapabilities
{
    None = 0,

    /// <summary>Real-address mode.</summary>
    RealMode = 1 << 0,

    /// <summary>32-bit protected mode without paging.</summary>
    Protected32 = 1 << 1,

    /// <summary>32-bit and PAE paging.</summary>
    Paging32 = 1 << 2,

    /// <summary>64-bit mode.</summary>
    Long64 = 1 << 3,

    /// <summary>Guest code at CPL 3.</summary>
    UserMode = 1 << 4,

    /// <summary>Interrupts, exceptions and IRET through the guest's table in real-address mode.</summary>
    RealExceptions = 1 << 5,

    /// <summary>The budget of <see cref="IVcpu.Run"/> is exact, and the same guest and input give the same run.</summary>
    Deterministic = 1 << 6,

    /// <summary>Each vCPU must run on a thread of its own; they run at the same time.</summary>
    ThreadPerVcpu = 1 << 7,

    /// <summary>Exceptions named by <see cref="IVcpu.InterceptExceptions"/> exit.</summary>
    ExceptionIntercept = 1 << 8,

    /// <summary>A hypercall made above CPL 0 reaches the host (where not, the guest faults).</summary>
    UserHypercalls = 1 << 9,

    /// <summary>Virtual-8086 mode and hardware task switches.</summary>
    LegacyTasks = 1 << 10,

    /// <summary>x87, SSE and later arithmetic.</summary>
    FloatingPoint = 1 << 11,

    /// <summary>Interrupts, exceptions and IRET through the guest's IDT in 32-bit protected mode.</summary>
    Protected32Exceptions = 1 << 12,

    /// <summary>Interrupts, exceptions and IRETQ through the guest's IDT in 64-bit mode.</summary>
    Long64Exceptions = 1 << 13,

    /// <summary>INT n and INT3 in protected and 64-bit mode.</summary>
    SoftwareInterrupts = 1 << 14,

    /// <summary>The processor itself executes the guest at every privilege; nothing between interprets its instructions.</summary>
    NativeSpeed = 1 << 15,

    /// <summary>Interrupts, exceptions and IRET in every mode.</summary>
    GuestExceptions = RealExceptions | Protected32Exceptions | Long64Exceptions | SoftwareInterrupts,
}

/// <summary>
/// A way to run guests: its name, its exit instruction, and a factory of partitions. Everything a vendor does differently is behind this
/// interface or is data in it.
/// </summary>
public interface IBackend
{
    /// <summary>The name by which configuration selects it, compared without case; also its tag in logs. Core never compares it.</summary>
    string Name { get; }

    /// <summary>One line for a person: what it is.</summary>
    string Description { get; }

    /// <summary>The instruction that a hypercall stub must hold to leave the guest.</summary>
    ExitEncoding Encoding { get; }

    /// <summary>What it can do here.</summary>
    BackendCapabilities Capabilities { get; }

    /// <summary>Whether it can run on this machine now; where not, one line with the cause and the remedy.</summary>
    BackendAvailability Availability { get; }

    /// <summary>Makes a partition over guest memory. The partition does not own the memory.</summary>
    /// <exception cref="HvException">The host refused; the message names the call.</exception>
    IPartition CreatePartition(GuestMemory memory, PartitionOptions options);

    /// <summary>The backend's own words for a raw exit, for a trace, for example its exit number's name in its manual.</summary>
    string Describe(in RawExit raw);
}

/// <summary>Whether a backend can run here.</summary>
/// <param name="IsAvailable">It can.</param>
/// <param name="Reason">Where not: the cause and the remedy, in one line. Else empty.</param>
public readonly record struct BackendAvailability(bool IsAvailable, string Reason)
{
    /// <summary>It can run.</summary>
    public static BackendAvailability Yes => new(true, "");
}

/// <summary>What a partition is made with, beside its memory.</summary>
public sealed record PartitionOptions
{
    /// <summary>The CPUID table that every vCPU of the partition answers with.</summary>
    public required Cpuid.CpuidTable Cpuid { get; init; }

    /// <summary>The frequency that the guest's time-stamp counter claims, in Hz.</summary>
    public ulong TscFrequency { get; init; } = 1_000_000_000;

    /// <summary>What RDRAND and RDSEED start from, with the vCPU's index: any number. A backend without
    /// <see cref="BackendCapabilities.Deterministic"/> may leave them to the real processor.</summary>
    public ulong RandomSeed { get; init; }
}

/// <summary>One virtual machine of a backend: memory and vCPUs.</summary>
public interface IPartition : IDisposable
{
    /// <summary>The guest's memory.</summary>
    GuestMemory Memory { get; }

    /// <summary>Makes the vCPU with this index, at its reset state.</summary>
    /// <param name="index">0 for the first one; each index once.</param>
    /// <exception cref="HvException">The host refused; the message names the call.</exception>
    IVcpu CreateVcpu(int index);
}
