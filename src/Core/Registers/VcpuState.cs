namespace Hv.Core.Registers;

/// <summary>
/// All architectural state of one vCPU, in no vendor's layout: what a snapshot holds, and what moves a guest from one backend to another.
/// A class, because it is 4 KiB large and is reused.
/// </summary>
public sealed class VcpuState
{
    /// <summary>Bytes of <see cref="Extended"/>: one XSAVE area (SDM 1 13.4) with room to spare.</summary>
    public const int ExtendedSize = 4096;

    public GeneralRegisters General;
    public SystemRegisters System;

    /// <summary>x87, SSE and AVX state in the standard (non-compacted) XSAVE format; XSTATE_BV says which parts are present.</summary>
    public byte[] Extended { get; } = new byte[ExtendedSize];

    /// <summary>An event whose delivery was cut off by an exit and that must be delivered at the next run.</summary>
    public PendingEvent Pending;

    /// <summary>Model-specific registers beyond <see cref="SystemRegisters"/> that the backend keeps itself, by index.</summary>
    public SortedList<uint, ulong> Msrs { get; } = [];

    /// <summary>Where the seeded sequence behind RDRAND and RDSEED stands, on backends that have one; 0 where nothing is known of it.</summary>
    public ulong Random;
}

/// <summary>What kind of event waits for delivery.</summary>
public enum PendingEventKind : byte
{
    None,
    Interrupt,
    Nmi,
    Exception,
    SoftwareInterrupt,
}

/// <summary>An interrupt or exception that waits for delivery through the guest's IDT.</summary>
/// <param name="Kind">What it is; <see cref="PendingEventKind.None"/> when nothing waits.</param>
/// <param name="Vector">Its vector.</param>
/// <param name="HasErrorCode">Whether an error code is pushed.</param>
/// <param name="ErrorCode">The error code.</param>
/// <param name="Address">For #PF the address that goes to CR2.</param>
public readonly record struct PendingEvent(PendingEventKind Kind, byte Vector, bool HasErrorCode, uint ErrorCode, ulong Address);
