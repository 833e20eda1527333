using Hv.Backends.Svm.Hypervisor;
using Hv.Core;
using Microsoft.Extensions.DependencyInjection;

namespace Hv.Backends.Svm;

/// <summary>Composition of the SVM backend.</summary>
public static class SvmBackendServices
{
    /// <summary>Makes the backend selectable by the name <c>Svm</c>.</summary>
    public static IServiceCollection AddSvmBackend(this IServiceCollection services) => services.AddSingleton<IBackend, SvmBackend>();
}
