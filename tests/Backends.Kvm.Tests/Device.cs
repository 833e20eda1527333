using Hv.Core;
using Xunit;

namespace Hv.Backends.Kvm.Tests;

/// <summary>The machine's /dev/kvm for tests that need it; where it cannot be used they skip with the backend's own reason.</summary>
internal static class Device
{
    /// <summary>The environment variable that names another device, for example one that does not exist: what a machine without KVM sees.</summary>
    public const string Variable = "HV_TEST_KVM_DEVICE";

    private static readonly Lazy<KvmBackend> s_backend = new(() => new KvmBackend(new KvmOptions { DevicePath = Path }));

    public static string Path => Environment.GetEnvironmentVariable(Variable) ?? "/dev/kvm";

    /// <summary>The backend, with these abilities; else the test skips.</summary>
    public static KvmBackend Require(BackendCapabilities capabilities = BackendCapabilities.None)
    {
        KvmBackend backend = s_backend.Value;
        BackendAvailability availability = backend.Availability;
        Assert.SkipUnless(availability.IsAvailable, availability.Reason);
        BackendCapabilities missing = capabilities & ~backend.Capabilities;
        Assert.SkipUnless(missing == 0, $"this host's KVM was tried and cannot do: {missing}");
        return backend;
    }
}
