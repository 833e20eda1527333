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

/// <summary>The host's answer to one exit, given to <see cref="IVcpu.Complete"/>: two words, so that it is passed in registers. Made by its factory
/// methods.</summary>
public readonly record struct ExitCompletion
{
    private const int VectorShift = 8, ErrorCodeShift = 32;
    private const ulong HasErrorCodeBit = 1 << 16;

    // Kind 7:0, vector 15:8, whether there is an error code 16, the error code 63:32.
    private readonly ulong _head;

    // The result or, for a fault, the address.
    private readonly ulong _value;

    private ExitCompletion(ulong head, ulong value)
    {
        _head = head;
        _value = value;
    }

    /// <summary>The instruction is done.</summary>
    public static ExitCompletion Retire => default;

    /// <summary>#GP(0).</summary>
    public static ExitCompletion GeneralProtection => Fault(13, true, 0);

    /// <summary>#UD.</summary>
    public static ExitCompletion InvalidOpcode => Fault(6, false, 0);

    /// <summary>What to do.</summary>
    public CompletionKind Kind => (CompletionKind)(byte)_head;

    /// <summary>The result for <see cref="CompletionKind.RetireWith"/>, zero-extended; 0 for <see cref="CompletionKind.Retire"/>; else without
    /// meaning.</summary>
    public ulong Value => _value;

    /// <summary>The exception for <see cref="CompletionKind.Fault"/>, 0..31.</summary>
    public byte Vector => (byte)(_head >> VectorShift);

    /// <summary>Whether the exception pushes an error code.</summary>
    public bool HasErrorCode => (_head & HasErrorCodeBit) != 0;

    /// <summary>The error code.</summary>
    public uint ErrorCode => (uint)(_head >> ErrorCodeShift);

    /// <summary>For #PF the linear address for CR2. Only for <see cref="CompletionKind.Fault"/>.</summary>
    public ulong Address => _value;

    /// <summary>The instruction is done and this is its result.</summary>
    public static ExitCompletion RetireWith(ulong value) => new((ulong)CompletionKind.RetireWith, value);

    /// <summary>The instruction faults.</summary>
    /// <param name="vector">The exception, 0..31.</param>
    /// <param name="hasErrorCode">Whether it pushes an error code.</param>
    /// <param name="errorCode">The error code.</param>
    /// <param name="address">For #PF the linear address for CR2.</param>
    public static ExitCompletion Fault(byte vector, bool hasErrorCode, uint errorCode, ulong address = 0) => new(
        (ulong)CompletionKind.Fault | (ulong)vector << VectorShift | (hasErrorCode ? HasErrorCodeBit : 0) | (ulong)errorCode << ErrorCodeShift,
        address);
}
