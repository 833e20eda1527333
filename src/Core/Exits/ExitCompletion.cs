namespace Hv.Core.Exits;

/// <summary>What the host does about an exit.</summary>
public enum CompletionKind : byte
{
    /// <summary>The instruction is done; RIP moves past it. Registers that the host wrote stay.</summary>
    Retire,

    /// <summary>As <see cref="Retire"/>, with the instruction's result: RAX for a hypercall, EDX:EAX for RDMSR, AL/AX/EAX for IN,
    /// the datum for INS and for a memory read.</summary>
    RetireWith,

    /// <summary>The instruction faults: the exception is delivered with RIP on the instruction, which leaves no other trace.</summary>
    Fault,
}

/// <summary>The host's answer to one exit, given to <see cref="IVcpu.Complete"/>.</summary>
/// <param name="Kind">What to do.</param>
/// <param name="Value">The result for <see cref="CompletionKind.RetireWith"/>, zero-extended.</param>
/// <param name="Vector">The exception for <see cref="CompletionKind.Fault"/>, 0..31.</param>
/// <param name="HasErrorCode">Whether the exception pushes an error code.</param>
/// <param name="ErrorCode">The error code.</param>
/// <param name="Address">For #PF the linear address for CR2.</param>
public readonly record struct ExitCompletion(CompletionKind Kind, ulong Value, byte Vector, bool HasErrorCode, uint ErrorCode, ulong Address)
{
    /// <summary>The instruction is done.</summary>
    public static ExitCompletion Retire => default;

    /// <summary>#GP(0).</summary>
    public static ExitCompletion GeneralProtection => Fault(13, true, 0);

    /// <summary>#UD.</summary>
    public static ExitCompletion InvalidOpcode => Fault(6, false, 0);

    /// <summary>The instruction is done and this is its result.</summary>
    public static ExitCompletion RetireWith(ulong value) => new(CompletionKind.RetireWith, value, 0, false, 0, 0);

    /// <summary>The instruction faults.</summary>
    public static ExitCompletion Fault(byte vector, bool hasErrorCode, uint errorCode, ulong address = 0) =>
        new(CompletionKind.Fault, 0, vector, hasErrorCode, errorCode, address);
}
