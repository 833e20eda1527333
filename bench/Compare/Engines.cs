using System.Diagnostics;
using System.Runtime.InteropServices;
using System.Text.RegularExpressions;

namespace Hv.Bench.Compare;

/// <summary>One way to run a guest image: a command line, and where the guest's result appears.</summary>
internal abstract partial class Engine(string name)
{
    public string Name { get; } = name;

    /// <summary>Null when it can run here; else why not.</summary>
    public abstract string? Missing { get; }

    /// <summary>Starts the guest with this much work; returns the CPU seconds of the process and the guest's result.</summary>
    public (double Seconds, string Result) Run(GuestImage guest, uint rounds, string directory)
    {
        (string file, string[] arguments) = Command(guest, rounds, directory);
        var start = new ProcessStartInfo(file, arguments)
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            RedirectStandardInput = true,
            WorkingDirectory = directory,
        };
        start.Environment["TERM"] = "xterm";
        double before = ChildSeconds();
        using Process process = Process.Start(start)!;
        process.StandardInput.Close();
        Task<string> errors = process.StandardError.ReadToEndAsync();
        string output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        Match result = ResultPattern().Match(output);
        if (!result.Success)
        {
            throw new InvalidOperationException(
                $"{Name} gave no result for {guest.Name}: exit code {process.ExitCode}; {errors.Result.Trim()} {output.Trim()}");
        }

        return (ChildSeconds() - before, result.Value);
    }

    protected abstract (string File, string[] Arguments) Command(GuestImage guest, uint rounds, string directory);

    protected static string? FindOnPath(string file) => (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':')
        .Select(folder => Path.Combine(folder, file)).FirstOrDefault(File.Exists);

    [GeneratedRegex("[0-9a-f]{16}")]
    private static partial Regex ResultPattern();

    // SAFETY: struct rusage of Linux x86-64 is 144 bytes: two timevals first (ru_utime, ru_stime), the rest is not read.
    private static unsafe double ChildSeconds()
    {
        long* usage = stackalloc long[18];
        if (getrusage(-1, usage) != 0)
            throw new InvalidOperationException($"getrusage failed with {Marshal.GetLastPInvokeError()}");
        return usage[0] + usage[2] + (usage[1] + usage[3]) / 1e6;
    }

    [LibraryImport("libc", SetLastError = true)]
    private static unsafe partial int getrusage(int who, long* usage);
}

/// <summary>hv itself, one engine a backend.</summary>
internal sealed class HvEngine(string backend, string hv) : Engine("hv " + backend)
{
    public override string? Missing => File.Exists(hv) ? null : $"{hv} is not built: dotnet build -c Release";

    protected override (string, string[]) Command(GuestImage guest, uint rounds, string directory) =>
        ("dotnet", [hv, "run", guest.WriteTo(directory, rounds), "--backend", backend, "--memory", "256MiB"]);
}

/// <summary>QEMU's translator.</summary>
internal sealed class QemuEngine() : Engine("QEMU TCG")
{
    public override string? Missing =>
        FindOnPath("qemu-system-x86_64") is null ? "qemu-system-x86_64 is not on the path (Debian: qemu-system-x86)" : null;

    protected override (string, string[]) Command(GuestImage guest, uint rounds, string directory) =>
        ("qemu-system-x86_64", ["-accel", "tcg", "-display", "none", "-serial", "stdio", "-no-reboot", "-m", "256", "-device",
            "isa-debug-exit,iobase=0xf4,iosize=4", "-kernel", guest.WriteTo(directory, rounds)]);
}

/// <summary>Bochs as Debian builds it, with its debugger told to continue; it needs a terminal, which script(1) gives.</summary>
internal sealed class BochsEngine(byte[] bootSector) : Engine("Bochs")
{
    public override string? Missing => FindOnPath("bochs") is null || FindOnPath("script") is null
        || !File.Exists("/usr/share/bochs/BIOS-bochs-latest") || !File.Exists("/usr/share/bochs/VGABIOS-lgpl-latest")
        ? "bochs, its BIOSes or script are not installed (Debian: bochs bochs-term bochsbios vgabios bsdutils)" : null;

    protected override (string, string[]) Command(GuestImage guest, uint rounds, string directory)
    {
        string disk = guest.WriteDiskTo(directory, bootSector, rounds);
        File.WriteAllText(Path.Combine(directory, "continue"), "c\n");
        File.WriteAllLines(Path.Combine(directory, "bochsrc"),
        [
            "display_library: term", "megs: 256", "romimage: file=/usr/share/bochs/BIOS-bochs-latest",
            "vgaromimage: file=/usr/share/bochs/VGABIOS-lgpl-latest", "boot: disk",
            $"ata0-master: type=disk, path={disk}, mode=flat, cylinders=20, heads=16, spt=63", "port_e9_hack: enabled=1", "log: bochs.log",
            "panic: action=fatal", "cpu: reset_on_triple_fault=0", "clock: sync=none", "speaker: enabled=0", "sound: waveoutdrv=dummy",
        ]);
        return ("script", ["-qec", "bochs -q -f bochsrc -rc continue", "/dev/null"]);
    }
}
