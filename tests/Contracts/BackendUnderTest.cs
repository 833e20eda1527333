using Hv.Core;

namespace Hv.Contracts;

/// <summary>What a backend's test project gives to the contracts.</summary>
/// <param name="Create">Makes the backend.</param>
public sealed record BackendUnderTest(Func<IBackend> Create)
{
    /// <summary>Makes another backend, for guests that move between two. Null: those tests are skipped, with that reason.</summary>
    public Func<IBackend>? CreateOther { get; init; }

    /// <summary>From what a vCPU says of its failure (<see cref="IVcpu.LastFailure"/>): the reason to skip a test whose guest this host cannot
    /// run, or null where the failure is the backend's. Null: every failure is.</summary>
    public Func<string, string?>? HostCannot { get; init; }

    /// <summary>The rules that it does not keep.</summary>
    public IReadOnlyList<Deviation> Deviations { get; init; } = [];

    /// <summary>How its tests have ended so far.</summary>
    public ContractTally Tally { get; init; } = new();
}
