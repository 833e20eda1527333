using System.Diagnostics;
using Xunit;

namespace Hv.Host.Tests.Program;

/// <summary>A person's mistakes get one line that says what, where and how to mend it, and the documented exit code.</summary>
public sealed class BadInputTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("hv-bad-input").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private string FileWith(params byte[] content)
    {
        string path = Path.Combine(_folder, "guest");
        File.WriteAllBytes(path, content);
        return path;
    }

    [Fact]
    public void Unknown_commands_and_options()
    {
        HvProcess.Run("fly").AssertOneLine(ExitCode.Usage, "'fly'", "demo, run, backends");
        HvProcess.Run("demo", "--bakend", "Svm").AssertOneLine(ExitCode.Usage, "--bakend", "did you mean --backend?");
        HvProcess.Run("run").AssertOneLine(ExitCode.Usage, "hv run GUEST");
    }

    [Fact]
    public void An_unknown_backend_lists_the_known_ones() =>
        HvProcess.Run("demo", "--backend", "z80").AssertOneLine(ExitCode.Usage, "--backend", "'z80'", "known:", "Kvm");

    [Theory]
    [InlineData("--memory", "64XB", "Hypervisor:Memory")]
    [InlineData("--memory", "1000", "multiple of 4KiB")]
    [InlineData("--memory", "99999TiB", "512GiB")]
    [InlineData("--vcpus", "0", "1 to 64")]
    [InlineData("--vcpus", "two", "Hypervisor:Vcpus")]
    [InlineData("--timeout", "10", "10s")]
    [InlineData("--max-instructions", "-5", "at least 1")]
    [InlineData("--max-instructions", "many", "Hypervisor:MaxInstructions")]
    [InlineData("--seed", "-5", "from 0 to 2^64 - 1")]
    [InlineData("--seed", "18446744073709551616", "from 0 to 2^64 - 1")]
    [InlineData("--seed", "many", "Hypervisor:RandomSeed")]
    [InlineData("--log-level", "loud", "Verbose")]
    [InlineData("--log-format", "xml", "text or json")]
    [InlineData("--bits", "8", "16, 32 or 64")]
    [InlineData("--Hypervisor:Colour", "red", "Hypervisor:Colour")]
    [InlineData("--Hypervisor:Clock", "Sundial", "Host or Instructions")]
    [InlineData("--Hypervisor:Clock", "7", "Host or Instructions")]
    [InlineData("--Serilog:Colour", "red", "Serilog:Colour")]
    [InlineData("--Serilog:MinimumLevel:Override", "Debug", "Serilog:MinimumLevel:Override")]
    [InlineData("--Hypervisor:ParaInterface", "perhaps", "true or false")]
    public void Values_that_cannot_be(string option, string value, string word) =>
        HvProcess.Run("demo", option, value).AssertOneLine(ExitCode.Usage, word);

    [Theory]
    [InlineData("--flat", "0x7c00")]
    [InlineData("--mode", "real")]
    public void Flat_and_mode_go_together(string option, string value) =>
        HvProcess.Run("run", FileWith(0xF4), option, value).AssertOneLine(ExitCode.Usage, "go together");

    [Fact]
    public void Guest_files_that_are_none()
    {
        HvProcess.Run("run", Path.Combine(_folder, "missing")).AssertOneLine(ExitCode.BadGuestFile, "no such file");
        HvProcess.Run("run", _folder).AssertOneLine(ExitCode.BadGuestFile, "directory");
        HvProcess.Run("run", FileWith()).AssertOneLine(ExitCode.BadGuestFile, "no content");
        HvProcess.Run("run", FileWith(1, 2, 3)).AssertOneLine(ExitCode.BadGuestFile, "not a guest image", "--flat");
        HvProcess.Run("run", FileWith(0x7F, (byte)'E', (byte)'L', (byte)'F')).AssertOneLine(ExitCode.BadGuestFile, "truncated");
        HvProcess.Run("run", typeof(BadInputTests).Assembly.Location).AssertOneLine(ExitCode.BadGuestFile, "PE");
        HvProcess.Run("run", FileWith(0xF4), "--flat", "1GiB", "--mode", "long").AssertOneLine(ExitCode.BadGuestFile, "--memory 1025MiB");
        HvProcess.Run("run", FileWith(0xF4), "--flat", "1MiB", "--mode", "real").AssertOneLine(ExitCode.BadGuestFile, "real mode");
    }

    [Fact]
    public void A_device_is_no_guest()
    {
        Assert.SkipUnless(File.Exists("/dev/zero"), "there is no /dev/zero here");
        Assert.Equal((int)ExitCode.BadGuestFile, HvProcess.Run("run", "/dev/zero").Code);
    }

    [Fact]
    public void A_pipe_that_nobody_writes_to_is_refused_and_not_waited_for()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "pipes in the file system are made with mkfifo");
        string path = Path.Combine(_folder, "pipe");
        using (Process make = Process.Start("mkfifo", path))
            make.WaitForExit();
        HvProcess.Run("run", path).AssertOneLine(ExitCode.BadGuestFile, "(no pipe");
    }

    [Fact]
    public void An_empty_path_is_said_to_be_empty()
    {
        HvProcess.Run("run", "").AssertOneLine(ExitCode.BadGuestFile, "path is empty");
        HvProcess.Run("run", FileWith(0xF4), "--initrd=").AssertOneLine(ExitCode.BadGuestFile, "path is empty");
    }

    [Fact]
    public void A_module_that_is_missing_is_named() =>
        HvProcess.Run("run", HvProcess.Guest("multiboot/kernel.elf"), "--initrd", Path.Combine(_folder, "ramdisk"))
            .AssertOneLine(ExitCode.BadGuestFile, "ramdisk", "no such file");

    [Theory]
    [InlineData("{ \"Hypervisor\": ", "not valid JSON")]
    [InlineData("{ \"Hypervisor\": { \"Vcpus\": \"x\" } }", "Hypervisor:Vcpus")]
    [InlineData("{ \"Hypervisor\": { \"Backand\": \"Svm\" } }", "Hypervisor:Backand")]
    [InlineData("{ \"Hypervisor\": 5 }", "Hypervisor: '5'")]
    [InlineData("{ \"Hypervisor\": { \"Backend\": { \"Name\": \"Svm\" } } }", "Hypervisor:Backend is one value")]
    [InlineData("{ \"Serilog\": { \"WriteTo\": [ \"File\" ] } }", "Serilog:WriteTo")]
    [InlineData("[]", "appsettings.json")]
    public void A_broken_settings_file_is_named(string settings, string word)
    {
        using var program = new ProgramFolder(settings);
        HvProcess.Run(program.Start, "demo").AssertOneLine(ExitCode.Usage, word);
    }
}
