using Hv.Core;

namespace Hv.Contracts;

/// <summary>What a backend's test project gives to the contracts.</summary>
/// <param name="Create">Makes the backend.</param>
public sealed record BackendUnderTest(Func<IBackend> Create)
{
    /// <summary>Makes another backend, for guests that move between two. Null: those tests are skipped, with that reason.</summary>
    public Func<IBackend>? CreateOther { get; init; }

    /// <summary>The rules that it does not keep.</summary>
    public IReadOnlyList<Deviation> Deviations { get; init; } = [];
}
