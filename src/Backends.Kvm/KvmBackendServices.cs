using Hv.Core;
using Microsoft.Extensions.DependencyInjection;

namespace Hv.Backends.Kvm;

/// <summary>Composition.</summary>
public static class KvmBackendServices
{
    /// <summary>Adds the backend <c>Kvm</c>. It opens its device when first used, so that adding it is harmless where there is none.</summary>
    public static IServiceCollection AddKvmBackend(this IServiceCollection services, KvmOptions? options = null) =>
        services.AddSingleton<IBackend>(_ => new KvmBackend(options));
}
