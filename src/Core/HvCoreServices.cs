using Hv.Core.Hypercalls;
using Hv.Core.Machine;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace Hv.Core;

/// <summary>Registers the core.</summary>
public static class HvCoreServices
{
    /// <summary>
    /// Adds <see cref="VirtualMachineFactory"/>, <see cref="BackendCatalog"/> and hv's hypercalls. The host adds backends, its <see cref="IConsole"/>
    /// (otherwise output is dropped), and handlers of its own; logging is optional.
    /// </summary>
    public static IServiceCollection AddHvCore(this IServiceCollection services)
    {
        services.TryAddSingleton<BackendCatalog>();
        services.TryAddSingleton<VirtualMachineFactory>();
        services.TryAddSingleton<IConsole, NullConsole>();
        services.TryAdd(ServiceDescriptor.Singleton(typeof(ILogger<>), typeof(NullLogger<>)));
        services.TryAddEnumerable(
        [
            ServiceDescriptor.Singleton<IHypercallHandler, TestHypercall>(),
            ServiceDescriptor.Singleton<IHypercallHandler, ConsoleWriteHypercall>(),
            ServiceDescriptor.Singleton<IHypercallHandler, ExitHypercall>(),
            ServiceDescriptor.Singleton<IHypercallHandler, ClockHypercall>(),
            ServiceDescriptor.Singleton<IHypercallHandler, StartVcpuHypercall>(),
        ]);
        return services;
    }
}
