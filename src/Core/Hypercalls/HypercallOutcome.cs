using Hv.Core.Paravirt;

namespace Hv.Core.Hypercalls;

/// <summary>What a hypercall handler decided.</summary>
public enum HypercallOutcomeKind : byte
{
    /// <summary>The call is done; the guest sees a result.</summary>
    Return,

    /// <summary>Whoever runs the machine answers it: the run stops, and the vCPU waits for
    /// <see cref="Machine.VirtualCpu.CompleteHypercall(ulong)"/>.</summary>
    ExitToUser,

    /// <summary>The guest is done; the machine stops with an exit code.</summary>
    StopGuest,

    /// <summary>The exit instruction faults.</summary>
    Fault,
}

/// <summary>A handler's answer to one hypercall. Made by its factory methods.</summary>
public readonly struct HypercallOutcome
{
    private const uint HasErrorCode = 1u << 8;

    private readonly uint _detail;

    private HypercallOutcome(HypercallOutcomeKind kind, uint detail, ulong value)
    {
        Kind = kind;
        _detail = detail;
        Value = value;
    }

    /// <summary>What was decided.</summary>
    public HypercallOutcomeKind Kind { get; }

    /// <summary>The result for <see cref="HypercallOutcomeKind.Return"/>, the exit code for <see cref="HypercallOutcomeKind.StopGuest"/>, the error
    /// code for <see cref="HypercallOutcomeKind.Fault"/>.</summary>
    public ulong Value { get; }

    /// <summary>−KVM_EINVAL: what an unknown or malformed call returns.</summary>
    public static HypercallOutcome Invalid => Return(unchecked((ulong)-ParaAbi.KVM_EINVAL));

    /// <summary>See <see cref="HypercallOutcomeKind.ExitToUser"/>.</summary>
    public static HypercallOutcome ExitToUser => new(HypercallOutcomeKind.ExitToUser, 0, 0);

    /// <summary>The call is done with this result.</summary>
    public static HypercallOutcome Return(ulong result) => new(HypercallOutcomeKind.Return, 0, result);

    /// <summary>The machine stops with this exit code.</summary>
    public static HypercallOutcome StopGuest(int code) => new(HypercallOutcomeKind.StopGuest, 0, (uint)code);

    /// <summary>The exit instruction raises exception <paramref name="vector"/> (0..31).</summary>
    public static HypercallOutcome Fault(byte vector, uint? errorCode = null) =>
        new(HypercallOutcomeKind.Fault, vector | (errorCode is null ? 0 : HasErrorCode), errorCode ?? 0);

    internal Exits.ExitCompletion ToFault() => Exits.ExitCompletion.Fault((byte)_detail, (_detail & HasErrorCode) != 0, (uint)Value);
}
