using System.Diagnostics.CodeAnalysis;

namespace Hv.Core;

/// <summary>The backends that a host was composed with, by name.</summary>
public sealed class BackendCatalog
{
    private readonly IBackend[] _backends;

    /// <summary>Takes the backends of DI.</summary>
    /// <exception cref="ArgumentException">Two have the same name.</exception>
    public BackendCatalog(IEnumerable<IBackend> backends)
    {
        _backends = [.. backends.OrderBy(b => b.Name, StringComparer.OrdinalIgnoreCase)];
        for (int i = 1; i < _backends.Length; i++)
        {
            if (string.Equals(_backends[i - 1].Name, _backends[i].Name, StringComparison.OrdinalIgnoreCase))
                throw new ArgumentException($"two backends are named {_backends[i].Name}", nameof(backends));
        }
    }

    /// <summary>All of them, by name.</summary>
    public IReadOnlyList<IBackend> All => _backends;

    /// <summary>Finds a backend.</summary>
    /// <param name="name">Its name, compared without case.</param>
    /// <param name="backend">The backend.</param>
    /// <param name="problem">Where there is none: one line that lists the known ones. Else empty.</param>
    public bool TryFind(string? name, [NotNullWhen(true)] out IBackend? backend, out string problem)
    {
        backend = _backends.FirstOrDefault(b => string.Equals(b.Name, name, StringComparison.OrdinalIgnoreCase));
        string known = _backends.Length == 0 ? "none" : string.Join(", ", _backends.Select(b => b.Name));
        problem = backend is null ? $"unknown backend '{name}'; known: {known}" : "";
        return backend is not null;
    }
}
