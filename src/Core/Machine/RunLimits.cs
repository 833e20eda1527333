namespace Hv.Core.Machine;

/// <summary>How long one <see cref="VirtualMachine.Run"/> may take. <c>default</c> has no limits.</summary>
/// <param name="MaxInstructions">The most instructions that all vCPUs together may retire; 0 and <see cref="long.MaxValue"/> mean no limit.
/// Exact on deterministic backends.</param>
/// <param name="Timeout">The longest time; zero and <see cref="System.Threading.Timeout.InfiniteTimeSpan"/> mean no limit.</param>
public readonly record struct RunLimits(long MaxInstructions = 0, TimeSpan Timeout = default)
{
    /// <summary>No limits.</summary>
    public static RunLimits None => default;

    internal long InstructionBudget => MaxInstructions > 0 ? MaxInstructions : long.MaxValue;

    internal bool HasTimeout => Timeout > TimeSpan.Zero;
}
