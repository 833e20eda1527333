using Hv.Core;
using Xunit;

namespace Hv.Backends.Kvm.Tests;

/// <summary>A device that is not there, not KVM or not ours to open: one line with the cause and the remedy, no exception.</summary>
public class UnavailableTests
{
    [Fact]
    public void A_missing_device_names_the_module()
    {
        using var backend = new KvmBackend(new KvmOptions { DevicePath = "/dev/hv-no-such-device" });
        Assert.False(backend.Availability.IsAvailable);
        Assert.Contains("/dev/hv-no-such-device does not exist; load the module", backend.Availability.Reason, StringComparison.Ordinal);
        Assert.Equal(BackendCapabilities.None, backend.Capabilities);
    }

    [Fact]
    public void A_file_that_is_not_KVM_is_said_to_be_none()
    {
        using var backend = new KvmBackend(new KvmOptions { DevicePath = "/dev/null" });
        Assert.Contains("/dev/null is not KVM", backend.Availability.Reason, StringComparison.Ordinal);
    }

    [Fact]
    public void A_device_without_permission_names_the_group()
    {
        Assert.SkipWhen(Environment.UserName == "root", "root may open every file: permission cannot be refused here");
        if (OperatingSystem.IsWindows())
        {
            Assert.Skip("file modes are Unix's");
            return;
        }

        string file = Path.GetTempFileName();
        File.SetUnixFileMode(file, UnixFileMode.None);
        using var backend = new KvmBackend(new KvmOptions { DevicePath = file });
        Assert.Contains("usermod -aG kvm", backend.Availability.Reason, StringComparison.Ordinal);
        File.Delete(file);
    }

    [Fact]
    public void Diagnosis_of_a_missing_device_is_one_finding_with_the_remedy()
    {
        using var backend = new KvmBackend(new KvmOptions { DevicePath = "/dev/hv-no-such-device" });
        BackendFinding finding = Assert.Single(backend.Diagnose());
        Assert.False(finding.Works);
        Assert.Contains("load the module", finding.Remedy, StringComparison.Ordinal);
    }

    [Fact]
    public void Making_a_partition_says_why_it_cannot()
    {
        using var backend = new KvmBackend(new KvmOptions { DevicePath = "/dev/hv-no-such-device" });
        using var memory = Hv.Core.Memory.GuestMemory.OfSize(4096);
        HvException e = Assert.Throws<HvException>(() =>
            backend.CreatePartition(memory, new PartitionOptions { Cpuid = Hv.Core.Cpuid.CpuidTables.Default }));
        Assert.Contains("does not exist", e.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(0x80)]
    [InlineData(0xE9)]
    [InlineData(0x64)]
    public void A_port_that_PCs_use_is_refused(byte port) =>
        Assert.Throws<ArgumentOutOfRangeException>(() => new KvmOptions { HypercallPort = port });
}
