namespace Hv.Host;

/// <summary>
/// The process's exit codes. Odd codes are the guest's own, <c>(value &lt;&lt; 1) | 1</c>; 0 and the even ones are hv's. The operating system keeps
/// the low 8 bits of any of them.
/// </summary>
internal enum ExitCode
{
    /// <summary>The guest ended well, or the command did its work.</summary>
    Success = 0,

    /// <summary>A wrong command line or configuration.</summary>
    Usage = 2,

    /// <summary>The guest file cannot be read or is not an image that hv loads.</summary>
    BadGuestFile = 4,

    /// <summary>The guest failed: a triple fault, or a state that the processor refuses to run.</summary>
    GuestFault = 6,

    /// <summary><c>--max-instructions</c> or <c>--timeout</c> ended the guest.</summary>
    LimitReached = 8,

    /// <summary>The host failed: no memory, a device of the host, or a bug of hv.</summary>
    HostFailure = 10,

    /// <summary>The chosen backend cannot run on this machine.</summary>
    BackendUnavailable = 12,

    /// <summary>Ctrl-C or SIGTERM ended the run.</summary>
    Interrupted = 14,

    /// <summary>Every vCPU halted, so nothing can wake the guest, and it has not said how it ended.</summary>
    GuestHalted = 16,

    /// <summary>The guest asked for something that needs an answer nobody here gives, for example a hypercall for user-level handling.</summary>
    UnservedExit = 18,
}
