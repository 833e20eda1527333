using System.Text.Json;
using Xunit;

namespace Hv.Host.Tests.Program;

/// <summary>Choosing a backend, and what <c>hv backends</c> says of each.</summary>
public sealed class BackendTests
{
    private const string NoDevice = "--Hypervisor:KvmDevice=/dev/hv-no-such-device";

    [Theory]
    [InlineData("/dev/hv-no-such-device", "does not exist; load the module")]
    [InlineData("/dev/null", "/dev/null is not KVM")]
    public void A_device_that_is_not_there_or_not_KVM_is_one_line(string device, string words) =>
        HvProcess.Run("demo", "--backend", "kvm", $"--Hypervisor:KvmDevice={device}").AssertOneLine(ExitCode.BackendUnavailable, "Kvm", words);

    [Fact]
    public void A_device_without_permission_names_the_group()
    {
        // A file of sysfs that nobody may write: opening it is refused to root too.
        const string NotWritable = "/sys/devices/system/cpu/online";
        Assert.SkipUnless(File.Exists(NotWritable), $"there is no {NotWritable} here");
        HvProcess.Run("demo", "--backend", "kvm", $"--Hypervisor:KvmDevice={NotWritable}")
            .AssertOneLine(ExitCode.BackendUnavailable, $"no permission to open {NotWritable}", "usermod -aG kvm");
    }

    [Fact]
    public void Auto_takes_software_where_there_is_no_device_and_says_why()
    {
        HvResult result = HvProcess.Run("demo", "--backend", "auto", NoDevice);
        Assert.Equal((int)ExitCode.Success, result.Code);
        Assert.StartsWith("hv: auto: backend Emulated; Kvm cannot run here: /dev/hv-no-such-device does not exist", result.Errors,
            StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("--max-instructions", "100000000")]
    [InlineData("--seed", "7")]
    public void Auto_takes_a_backend_whose_runs_repeat_where_instructions_are_limited_or_a_seed_is_chosen(string option, string value)
    {
        HvResult result = HvProcess.Run("demo", "--backend", "auto", option, value);
        Assert.Equal((int)ExitCode.Success, result.Code);
        Assert.StartsWith("hv: auto: backend Emulated; Kvm ", result.Errors, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("--max-instructions", "100")]
    [InlineData("--Hypervisor:Clock", "Instructions")]
    public void A_backend_that_does_not_count_instructions_is_not_asked_to(string option, string value)
    {
        Assert.SkipUnless(HvProcess.AvailableBackends.Contains("Kvm"), "Kvm cannot run here");
        HvProcess.Run("demo", "--backend", "kvm", option, value).AssertOneLine(ExitCode.Usage, "Kvm does not count", "--timeout");
    }

    [Theory]
    [InlineData("0")] // what the others have without the option
    [InlineData("7")]
    public void A_backend_that_leaves_random_numbers_to_the_processor_takes_no_seed(string seed)
    {
        Assert.SkipUnless(HvProcess.AvailableBackends.Contains("Kvm"), "Kvm cannot run here");
        HvProcess.Run("demo", "--backend", "kvm", "--seed", seed).AssertOneLine(ExitCode.Usage, "Hypervisor:RandomSeed (--seed)", "RDRAND");
    }

    [Fact]
    public void Auto_takes_Kvm_where_it_can_do_what_the_guest_needs_at_native_speed()
    {
        Assert.SkipUnless(HvProcess.AvailableBackends.Contains("Kvm"), "Kvm cannot run here");
        using JsonDocument backends = JsonDocument.Parse(HvProcess.Run("backends", "--json").Output);
        string[] can = [.. Kvm(backends).GetProperty("capabilities").EnumerateArray().Select(c => c.GetString()!)];
        bool able = can.Contains("Long64") && can.Contains("Long64Exceptions"), fast = can.Contains("NativeSpeed");
        HvResult result = HvProcess.Run("demo", "--backend", "auto");
        Assert.Equal((int)ExitCode.Success, result.Code);
        Assert.StartsWith($"hv: auto: backend {(able && fast ? "Kvm, which has" : "Emulated; Kvm")}", result.Errors, StringComparison.Ordinal);
        if (able && !fast)
            Assert.Contains("a kernel interprets the guest's ring 0", result.Errors, StringComparison.Ordinal);
    }

    [Fact]
    public void Backends_names_the_remedy_for_a_device_that_is_missing()
    {
        HvResult table = HvProcess.Run("backends", NoDevice);
        Assert.Equal((int)ExitCode.Success, table.Code);
        Assert.Contains("not available here: /dev/hv-no-such-device does not exist; load the module", table.Output, StringComparison.Ordinal);
        using JsonDocument json = JsonDocument.Parse(HvProcess.Run("backends", "--json", NoDevice).Output);
        JsonElement finding = Assert.Single(Kvm(json).GetProperty("findings").EnumerateArray());
        Assert.False(finding.GetProperty("works").GetBoolean());
        Assert.Contains("load the module", finding.GetProperty("remedy").GetString(), StringComparison.Ordinal);
    }

    [Fact]
    public void Backends_says_what_was_tried_where_there_is_a_device()
    {
        Assert.SkipUnless(HvProcess.AvailableBackends.Contains("Kvm"), "Kvm cannot run here");
        string output = HvProcess.Run("backends").Output;
        foreach (string word in (string[])["works  present: /dev/kvm", "works  permitted", "API version 12", "real mode", "cost of an exit",
            "speed in ring 0", "speed in ring 3"])
            Assert.Contains(word, output, StringComparison.Ordinal);
        // Every failure has its remedy on the next line.
        string[] lines = output.Split('\n');
        for (int i = 0; i < lines.Length; i++)
        {
            if (lines[i].Contains(" FAILS ", StringComparison.Ordinal))
                Assert.Contains("-> ", lines[i + 1], StringComparison.Ordinal);
        }
    }

    private static JsonElement Kvm(JsonDocument backends) =>
        backends.RootElement.EnumerateArray().Single(b => b.GetProperty("name").GetString() == "Kvm");
}
