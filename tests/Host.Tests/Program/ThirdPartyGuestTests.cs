using System.IO.Compression;
using Xunit;

namespace Hv.Host.Tests.Program;

/// <summary>Kernels that others wrote and built, unmodified, where this machine has them.</summary>
public sealed class ThirdPartyGuestTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("hv-third-party").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    public static TheoryData<string> SoftwareBackends => ["Emulated", "Vmx", "Svm"];

    /// <summary>The Xen hypervisor is a multiboot-1 kernel: 32-bit entry, its own relocation, PAE to long mode, paging, IDT, timers by TSC, COM1.
    /// Without a domain-0 kernel it says so on its console and reboots by a triple fault.</summary>
    [Theory]
    [MemberData(nameof(SoftwareBackends))]
    public void Xen_comes_up_to_its_missing_domain_0(string backend)
    {
        string? image = Directory.Exists("/boot") ? Directory.GetFiles("/boot", "xen-*-amd64.gz").FirstOrDefault() : null;
        Assert.SkipUnless(image is not null, "no /boot/xen-*-amd64.gz: apt-get install xen-hypervisor-4.17-amd64");
        string kernel = Path.Combine(_folder, "xen");
        using (var packed = new GZipStream(File.OpenRead(image!), CompressionMode.Decompress))
        using (FileStream file = File.Create(kernel))
            packed.CopyTo(file);

        HvResult result = HvProcess.Run("run", kernel, "--backend", backend, "--memory", "256MiB", "--timeout", "120s",
            "--append", "no-real-mode console=com1 com1=115200,8n1 loglvl=all");

        Assert.Contains("(XEN) Bootloader: hv", result.Output, StringComparison.Ordinal);
        Assert.Contains("dom0 kernel not specified", result.Output, StringComparison.Ordinal);
        Assert.Equal((int)ExitCode.GuestFault, result.Code);
    }
}
