using Hv.Core.Machine;

namespace Hv.Host.Running;

/// <summary>How a run ended: the process's exit code, and one line where it is not what a guest wishes for.</summary>
/// <param name="Code">The exit code; odd for the guest's own.</param>
/// <param name="Message">For stderr, or null when there is nothing to say.</param>
/// <param name="WantsDump">Whether a register dump helps.</param>
internal readonly record struct RunEnding(int Code, string? Message, bool WantsDump)
{
    /// <summary>Judges a stop.</summary>
    /// <param name="stop">Why the machine stopped.</param>
    /// <param name="exitPort">What the guest wrote to the exit port, or null.</param>
    public static RunEnding Of(in StopInfo stop, uint? exitPort) => stop.Reason switch
    {
        // The exit port cannot say "well": (0 << 1) | 1 is 1. The exit hypercall can: its 0 is 0.
        StopReason.Exited when exitPort is { } value => new(GuestCode((int)value), null, false),
        StopReason.Exited => new(stop.ExitCode == 0 ? (int)ExitCode.Success : GuestCode(stop.ExitCode), null, false),
        StopReason.AllHalted => Ours(ExitCode.GuestHalted, "the guest halted on every vCPU without an exit code, and nothing can wake it", dump: true),
        StopReason.GuestShutdown => Ours(ExitCode.GuestFault, $"the guest ended in a triple fault on vCPU {stop.VcpuIndex}", dump: true),
        StopReason.InstructionLimit => Ours(ExitCode.LimitReached, "the guest was stopped by --max-instructions; give more to let it go on",
            dump: true),
        StopReason.TimeLimit => Ours(ExitCode.LimitReached, "the guest was stopped by --timeout; give more to let it go on", dump: true),
        StopReason.Cancelled => Ours(ExitCode.Interrupted, "interrupted"),
        StopReason.UserExit =>
            Ours(ExitCode.UnservedExit, $"vCPU {stop.VcpuIndex} made a hypercall for user level, which hv does not serve by itself", dump: true),
        StopReason.EntryFailed => Ours(ExitCode.GuestFault, $"the processor refused the state of vCPU {stop.VcpuIndex}: {stop.Message}", dump: true),
        StopReason.UnhandledExit =>
            Ours(ExitCode.UnservedExit, $"vCPU {stop.VcpuIndex} stopped for a reason hv does not know: {stop.Message}", dump: true),
        _ => Ours(ExitCode.HostFailure, $"the backend could not go on with vCPU {stop.VcpuIndex}: {stop.Message}", dump: true),
    };

    private static int GuestCode(int value) => ((value << 1) | 1) & 0xFF;

    private static RunEnding Ours(ExitCode code, string message, bool dump = false) => new((int)code, message, dump);
}
