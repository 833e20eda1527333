using Hv.Host.Loading;

namespace Hv.Host.Running;

/// <summary>Which guest to run, as the command line says it; how to run it is configuration.</summary>
internal sealed record GuestRequest
{
    /// <summary>The guest's file, or null for the demo guest.</summary>
    public string? Path { get; init; }

    /// <summary>Which demo guest: 16, 32 or 64.</summary>
    public int DemoBits { get; init; } = 64;

    /// <summary>Where a flat binary goes; null for a file with headers.</summary>
    public FlatPlacement? Flat { get; init; }

    /// <summary>The guest's own arguments.</summary>
    public string Append { get; init; } = "";

    /// <summary>Files for multiboot modules.</summary>
    public IReadOnlyList<string> Modules { get; init; } = [];

    /// <summary>Whether the table at the end is wanted even if the guest ended by itself.</summary>
    public bool Summary { get; init; }
}
