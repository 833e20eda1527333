using Hv.Core.Machine;

namespace Hv.Core.Hypercalls;

/// <summary>(code): stops the machine; the low 32 bits of the argument are the exit code.</summary>
public sealed class ExitHypercall : IHypercallHandler
{
    /// <inheritdoc/>
    public ulong Number => HypercallNumbers.Exit;

    /// <inheritdoc/>
    public HypercallOutcome Invoke(VirtualCpu vcpu, in HypercallArguments arguments) => HypercallOutcome.StopGuest((int)arguments.A0);
}
