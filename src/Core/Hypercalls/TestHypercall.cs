using Hv.Core.Machine;

namespace Hv.Core.Hypercalls;

/// <summary>The test call of 2007: a guest makes it after registering, to see that its stub works.</summary>
public sealed class TestHypercall : IHypercallHandler
{
    /// <inheritdoc/>
    public ulong Number => HypercallNumbers.Test;

    /// <inheritdoc/>
    public HypercallOutcome Invoke(VirtualCpu vcpu, in HypercallArguments arguments) => HypercallOutcome.Return(HypercallNumbers.TestResult);
}
