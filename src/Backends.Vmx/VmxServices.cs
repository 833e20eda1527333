using Hv.Core;
using Microsoft.Extensions.DependencyInjection;

namespace Hv.Backends.Vmx;

/// <summary>Registers the backend.</summary>
public static class VmxServices
{
    /// <summary>Adds <see cref="VmxBackend"/>.</summary>
    public static IServiceCollection AddVmxBackend(this IServiceCollection services) => services.AddSingleton<IBackend, VmxBackend>();
}
