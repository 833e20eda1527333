using System.Diagnostics;
using System.Runtime.InteropServices;
using System.Text.RegularExpressions;
using Xunit;

namespace Hv.Host.Tests.Program;

/// <summary>Guests in the built program, on every backend that can run here.</summary>
public sealed partial class GuestTests : IDisposable
{
    private const int InterruptSignal = 2, TerminateSignal = 15;

    private readonly string _folder = Directory.CreateTempSubdirectory("hv-guests").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    public static TheoryData<string> Backends => [.. HvProcess.AvailableBackends];

    public static TheoryData<string, int> BackendsAndBits =>
        [.. HvProcess.AvailableBackends.SelectMany(b => (int[])[16, 32, 64], (b, bits) => (b, bits))];

    private string FileWith(params byte[] content)
    {
        string path = Path.Combine(_folder, "guest");
        File.WriteAllBytes(path, content);
        return path;
    }

    [Theory]
    [MemberData(nameof(BackendsAndBits))]
    public void The_demo_registers_calls_and_prints(string backend, int bits)
    {
        HvResult result = HvProcess.Run("demo", "--backend", backend, "--bits", $"{bits}");
        Assert.Equal((int)ExitCode.Success, result.Code);
        string[] lines = result.Output.Split('\n');
        Assert.Equal($"Hello from a {bits}-bit guest.", lines[0]);
        Assert.EndsWith(": 00000000", lines[1], StringComparison.Ordinal);
        Assert.EndsWith(": 00000001", lines[2].Replace(" ", "", StringComparison.Ordinal).Replace(":", ": ", StringComparison.Ordinal),
            StringComparison.Ordinal);
        Assert.EndsWith(" 00005A5A", lines[4], StringComparison.Ordinal);
        Assert.Equal("  the clock moves forward", lines[5]);
        Assert.Matches($@"(?m)^  backend +{backend} ", result.Errors);
        Assert.Matches(@"(?m)^  vCPU 0 +registered: ", result.Errors);
        Assert.Matches(@"(?m)^  exits +Hypercall 10, MsrRead 1, MsrWrite 1$", result.Errors);

        // The guest has read its own stub: it begins with the exit instruction that the table names, and RET follows.
        Match instruction = Regex.Match(result.Errors, @"exit instruction +([0-9A-F ]+)");
        string encoding = instruction.Groups[1].Value.Replace(" ", "", StringComparison.Ordinal);
        Assert.StartsWith((encoding + "C3")[..Math.Min(8, encoding.Length + 2)], lines[3][^8..], StringComparison.Ordinal);
    }

    [Fact]
    public void The_demo_runs_with_page_tables_that_low_memory_cannot_hold()
    {
        // 16 GiB take 18 pages of tables, more than the 64 KiB of hv's own area.
        HvResult result = HvProcess.Run("demo", "--memory", "16GiB");
        Assert.Equal(((int)ExitCode.Success, ""), (result.Code, result.Errors.StartsWith("hv: ", StringComparison.Ordinal) ? result.Errors : ""));
    }

    [Theory]
    [MemberData(nameof(Backends))]
    public void A_multiboot_kernel_finds_its_information_and_talks_through_COM1(string backend)
    {
        string module = FileWith("contents of the module"u8.ToArray()), kernel = HvProcess.Guest("multiboot/kernel.elf");
        HvResult result = HvProcess.Run(
            new HvStart { Input = "hello\n" }, "run", kernel, "--backend", backend, "--append", "first second", "--initrd", module, "--memory",
                "32MiB");
        Assert.Equal((21 << 1) | 1, result.Code);
        Assert.Equal("", result.Errors);
        Assert.Equal(
            [
                "loader hv", "lower 240 upper 7c00", $"command line {kernel} first second", "map 0 90000 1", "map 90000 70000 2",
                "map 100000 1f00000 1",
                "module 16: contents of the module", "type: HELLO", "",
            ],
            result.Output.Split('\n'));
    }

    [Theory]
    [MemberData(nameof(Backends))]
    public void A_C_guest_uses_the_interface_through_the_printed_header(string backend)
    {
        HvResult result = HvProcess.Run("run", HvProcess.Guest("long64/kernel.elf"), "--backend", backend, "--vcpus", "2", "--timeout", "30s",
            "--append", "x");
        Assert.Equal((5 << 1) | 1, result.Code);
        Assert.Equal(["first vCPU", HvProcess.Guest("long64/kernel.elf") + " x", "second vCPU", ""], result.Output.Split('\n'));
    }

    [Theory]
    [MemberData(nameof(Backends))]
    public void Flat_guests_start_in_each_mode(string backend)
    {
        // mov dx, 0x3f8; mov al, '!'; out dx, al; mov al, 3; out 0xf4, al. The same bytes but for MOV DX, imm16's operand-size prefix.
        byte[] code16 = [0xBA, 0xF8, 0x03, 0xB0, 0x21, 0xEE, 0xB0, 0x03, 0xE6, 0xF4, 0xF4], code = [0x66, .. code16];
        foreach ((string mode, string address, byte[] image) in ((string, string, byte[])[])
            [("real", "0x7c00", code16), ("real", "0x20004", code16), ("protected", "1MiB", code), ("long", "0x200000", code)])
        {
            HvResult result = HvProcess.Run("run", FileWith(image), "--backend", backend, "--flat", address, "--mode", mode);
            Assert.Equal(("!", 7), (result.Output, result.Code));
        }
    }

    [Theory]
    [MemberData(nameof(Backends))]
    public void A_triple_fault_shows_the_registers(string backend)
    {
        // mov eax, 0x12345678; ud2 with no IDT.
        HvResult result = HvProcess.Run("run", FileWith(0xB8, 0x78, 0x56, 0x34, 0x12, 0x0F, 0x0B), "--backend", backend, "--flat", "1MiB", "--mode",
            "long");
        Assert.Equal((int)ExitCode.GuestFault, result.Code);
        Assert.StartsWith("hv: the guest ended in a triple fault on vCPU 0", result.Errors, StringComparison.Ordinal);
        Assert.Contains("RAX 0000000012345678", result.Errors, StringComparison.Ordinal);
        Assert.Contains("at RIP: ud2", result.Errors, StringComparison.Ordinal);
        Assert.Equal("", result.Output);
    }

    [Theory]
    [MemberData(nameof(Backends))]
    public void A_guest_that_halts_for_good_says_so(string backend) =>
        Assert.Equal((int)ExitCode.GuestHalted, HvProcess.Run("run", FileWith(0xFA, 0xF4), "--backend", backend, "--flat", "0x7c00", "--mode",
            "real").Code);

    [Theory]
    [MemberData(nameof(Backends))]
    public void The_time_limit_holds_in_an_endless_loop(string backend)
    {
        HvResult result = HvProcess.Run("run", FileWith(0xEB, 0xFE), "--backend", backend, "--flat", "0x7c00", "--mode", "real", "--timeout",
            "300ms");
        Assert.Equal((int)ExitCode.LimitReached, result.Code);
        Assert.Contains("--timeout", result.Errors, StringComparison.Ordinal);
    }

    [Theory]
    [MemberData(nameof(Backends))]
    public void Signals_end_the_run_with_its_console(string backend)
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "Windows has no signals");
        // mov dx, 0x3f8; mov al, '.'; out dx, al; jmp $
        string guest = FileWith(0xBA, 0xF8, 0x03, 0xB0, 0x2E, 0xEE, 0xEB, 0xFE);
        foreach (int signal in (int[])[InterruptSignal, TerminateSignal])
        {
            using Process process = HvProcess.Start(new HvStart(), "run", guest, "--backend", backend, "--flat", "0x7c00", "--mode", "real");
            Assert.Equal('.', process.StandardOutput.Read());
            Assert.Equal(0, Kill(process.Id, signal));
            HvResult result = HvProcess.Finish(process);
            Assert.Equal((int)ExitCode.Interrupted, result.Code);
            Assert.StartsWith("hv: interrupted", result.Errors, StringComparison.Ordinal);
            Assert.Contains("exits", result.Errors, StringComparison.Ordinal);
        }
    }

    [Theory]
    [MemberData(nameof(Backends))]
    public void A_trace_has_one_line_for_each_exit(string backend)
    {
        HvResult result = HvProcess.Run("demo", "--backend", backend, "--log-level", "Verbose");
        Assert.Equal(0, result.Code);
        string[] lines = [.. result.Errors.Split('\n').Where(l => l.Contains(" VRB ", StringComparison.Ordinal))];
        Assert.Equal(12, lines.Count(l => l.Contains(" exit ", StringComparison.Ordinal)));
        Assert.Contains(lines, l =>
            l.Contains("MsrWrite 0x87655678 = 0x101000", StringComparison.Ordinal) && l.EndsWith("wrmsr", StringComparison.Ordinal));
        Assert.All(lines, l => Assert.Matches($@"vcpu 0 rip [0-9a-f]+ exit .+ \| {backend} .+ \| .+", l));
    }

    [Theory]
    [MemberData(nameof(Backends))]
    public void A_trace_as_JSON_has_fields(string backend)
    {
        HvResult result = HvProcess.Run("demo", "--backend", backend, "--log-level", "Verbose", "--log-format", "json");
        string line = result.Errors.Split('\n').First(l => l.Contains("\"Exit\"", StringComparison.Ordinal));
        using var json = System.Text.Json.JsonDocument.Parse(line);
        System.Text.Json.JsonElement fields = json.RootElement.GetProperty("Properties");
        Assert.Equal(0, fields.GetProperty("Vcpu").GetInt32());
        Assert.Equal(backend, fields.GetProperty("Backend").GetString());
    }

    [Fact]
    public void The_seed_decides_random_numbers()
    {
        // rdrand ax; out 0xe9, al, eight times; mov al, 3; out 0xf4, al.
        byte[] draw = [0x0F, 0xC7, 0xF0, 0xE6, 0xE9];
        string guest = FileWith([.. Enumerable.Repeat(draw, 8).SelectMany(b => b), 0xB0, 0x03, 0xE6, 0xF4]);
        string Numbers(string? environment, params string[] options)
        {
            var start = new HvStart();
            if (environment is not null)
                start.Environment["Hypervisor__RandomSeed"] = environment;
            HvResult result = HvProcess.Run(start, ["run", guest, "--flat", "0x7c00", "--mode", "real", .. options]);
            Assert.Equal(((3 << 1) | 1, 8), (result.Code, result.Output.Length));
            return result.Output;
        }

        string seven = Numbers(null, "--seed", "7");
        Assert.Equal(seven, Numbers("7"));
        Assert.Equal(seven, Numbers("8", "--seed=7"));
        Assert.NotEqual(seven, Numbers(null, "--seed", "18446744073709551615"));
        Assert.Equal(Numbers(null), Numbers(null, "--seed", "0"));
    }

    [Fact]
    public void The_instruction_limit_is_exact()
    {
        string[] counting = [.. HvProcess.AvailableBackends.Where(b => b != "Kvm")];
        Assert.SkipUnless(counting.Length > 0, "no backend here counts instructions");
        foreach (string backend in counting)
        {
            HvResult result = HvProcess.Run("run", FileWith(0xEB, 0xFE), "--backend", backend, "--flat", "0x7c00", "--mode", "real",
                "--max-instructions", "12345");
            Assert.Equal((int)ExitCode.LimitReached, result.Code);
            Assert.Matches(@"instructions +12,345\n", result.Errors);
        }
    }

    [LibraryImport("libc", EntryPoint = "kill")]
    private static partial int Kill(int process, int signal);
}
