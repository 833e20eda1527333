using Hv.Core;
using Xunit;

namespace Hv.Backends.Kvm.Tests;

/// <summary>A device that is not there, not KVM or not ours to open: one line with the cause and the remedy, no exception.</summary>
public class UnavailableTests
{
    private const string NotWritable = "/sys/devices/system/cpu/online";

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

    /// <summary>A file of sysfs that nobody may write: opening it is refused to root too.</summary>
    [Fact]
    public void A_device_without_permission_names_the_group()
    {
        Assert.SkipUnless(File.Exists(NotWritable), $"there is no {NotWritable} here, which even root may not open for writing");
        using var backend = new KvmBackend(new KvmOptions { DevicePath = NotWritable });
        Assert.Contains($"no permission to open {NotWritable}; join its group (usually: usermod -aG kvm", backend.Availability.Reason,
            StringComparison.Ordinal);
        BackendFinding[] findings = [.. backend.Diagnose()];
        Assert.Equal([("present", true), ("permitted", false)], findings.Select(f => (f.Name, f.Works)));
        Assert.Contains("usermod -aG kvm", findings[1].Remedy, StringComparison.Ordinal);
    }

    [Fact]
    public void Diagnosis_of_a_file_that_is_not_KVM_says_that_it_is_there_and_open()
    {
        using var backend = new KvmBackend(new KvmOptions { DevicePath = "/dev/null" });
        BackendFinding[] findings = [.. backend.Diagnose()];
        Assert.Equal([("present", true), ("permitted", true), ("KVM", false)], findings.Select(f => (f.Name, f.Works)));
        Assert.Equal("name the right device", findings[2].Remedy);
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
    [InlineData(0.0)]
    [InlineData(0.0001)]
    [InlineData(100_000.0)]
    public void A_watchdog_that_would_kick_without_pause_or_never_is_refused(double seconds) =>
        Assert.Throws<ArgumentOutOfRangeException>(() => new KvmOptions { Watchdog = TimeSpan.FromSeconds(seconds) });

    [Theory]
    [InlineData(0x80)]
    [InlineData(0xE9)]
    [InlineData(0x64)]
    public void A_port_that_PCs_use_is_refused(byte port) =>
        Assert.Throws<ArgumentOutOfRangeException>(() => new KvmOptions { HypercallPort = port });
}
