using Hv.Core.Exits;

namespace Hv.Core.Machine;

/// <summary>Why a machine stopped running.</summary>
public enum StopReason : byte
{
    /// <summary>The guest, or a device for it, ended the run with <see cref="StopInfo.ExitCode"/>.</summary>
    Exited,

    /// <summary>Every vCPU is halted or waits for its start, and nothing can wake one.</summary>
    AllHalted,

    /// <summary>A vCPU shut down (a triple fault).</summary>
    GuestShutdown,

    /// <summary><see cref="RunLimits.MaxInstructions"/> are retired.</summary>
    InstructionLimit,

    /// <summary><see cref="RunLimits.Timeout"/> is over.</summary>
    TimeLimit,

    /// <summary>The caller's token was cancelled.</summary>
    Cancelled,

    /// <summary>A hypercall waits for user level: see <see cref="VirtualCpu.Pending"/> of the vCPU.</summary>
    UserExit,

    /// <summary>The processor refused the guest's state; <see cref="StopInfo.Message"/> names the field and the rule.</summary>
    EntryFailed,

    /// <summary>The backend could not go on; <see cref="StopInfo.Message"/> says why.</summary>
    InternalError,

    /// <summary>The backend reported an exit that nobody here knows; <see cref="StopInfo.Message"/> is its description.</summary>
    UnhandledExit,
}

/// <summary>Why and where a machine stopped.</summary>
public readonly struct StopInfo
{
    /// <summary>Why.</summary>
    public StopReason Reason { get; init; }

    /// <summary>The vCPU that caused it, or −1 where none did (limits, cancellation, all halted).</summary>
    public int VcpuIndex { get; init; }

    /// <summary>The guest's exit code for <see cref="StopReason.Exited"/>, else 0.</summary>
    public int ExitCode { get; init; }

    /// <summary>What the backend said, for the reasons that say so; else null.</summary>
    public string? Message { get; init; }

    /// <summary>The exit that led here, where one did; else <c>default</c>.</summary>
    public VmExit Exit { get; init; }

    /// <inheritdoc/>
    public override string ToString() => $"{Reason} (vCPU {VcpuIndex}, code {ExitCode}){(Message is null ? "" : ": " + Message)}";
}
