using Hv.Core;
using Microsoft.Extensions.DependencyInjection;

namespace Hv.Backends.Emulated;

/// <summary>Registers the backend.</summary>
public static class EmulatedServices
{
    /// <summary>Adds <see cref="EmulatedBackend"/>.</summary>
    public static IServiceCollection AddEmulatedBackend(this IServiceCollection services) => services.AddSingleton<IBackend, EmulatedBackend>();
}
