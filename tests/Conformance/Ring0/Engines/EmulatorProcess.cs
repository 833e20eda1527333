using System.Diagnostics;
using System.Text;
using Hv.Conformance.Ring0.Guest;
using Hv.Conformance.Ring0.Results;

namespace Hv.Conformance.Ring0.Engines;

/// <summary>Another emulator as a process: its standard output holds what the guest printed.</summary>
public abstract class EmulatorProcess(string name) : Engine(name)
{
    /// <summary>How long the first case may take to appear, and after it each further one before it counts as hung.</summary>
    private static readonly TimeSpan _startPatience = TimeSpan.FromSeconds(60), _casePatience = TimeSpan.FromSeconds(4);

    /// <inheritdoc/>
    protected override (string Output, string End) Boot(GuestImage image, int first)
    {
        string directory = Directory.CreateTempSubdirectory("hv-ring0-").FullName;
        try
        {
            (string file, string[] arguments) = Command(image, first, directory);
            return Collect(file, arguments, directory);
        }
        finally
        {
            Directory.Delete(directory, recursive: true);
        }
    }

    /// <summary>Writes what the emulator needs into a directory, and gives its command line.</summary>
    protected abstract (string File, string[] Arguments) Command(GuestImage image, int first, string directory);

    /// <summary>A program's path, or null.</summary>
    protected static string? FindOnPath(string file) => (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':')
        .Select(folder => Path.Combine(folder, file)).FirstOrDefault(File.Exists);

    /// <summary>The first line that a program prints.</summary>
    protected static string FirstLine(string file, params string[] arguments)
    {
        using Process process = Start(file, arguments, Path.GetTempPath());
        Task<string> errors = process.StandardError.ReadToEndAsync();
        string output = process.StandardOutput.ReadToEnd() + errors.Result;
        process.WaitForExit();
        return output.Split('\n')[0].Trim();
    }

    private static (string Output, string End) Collect(string file, string[] arguments, string directory)
    {
        using Process process = Start(file, arguments, directory);
        Task<string> errors = process.StandardError.ReadToEndAsync();
        var output = new StringBuilder();
        char[] buffer = new char[4096];
        bool hung = false, started = false;
        while (true)
        {
            Task<int> read = process.StandardOutput.ReadAsync(buffer, 0, buffer.Length);
            if (!read.Wait(started ? _casePatience : _startPatience))
            {
                hung = true;
                process.Kill(entireProcessTree: true);
                break;
            }

            if (read.Result == 0)
                break;
            output.Append(buffer, 0, read.Result);
            started |= buffer.AsSpan(0, read.Result).Contains('#');
        }

        process.WaitForExit();
        string text = output.ToString();
        return text.Contains('#', StringComparison.Ordinal) ? (text, hung ? CaseResult.Hang : CaseResult.Shutdown)
            : throw new InvalidOperationException($"{file} printed no case; exit code {process.ExitCode}: {errors.Result.Trim()} {text.Trim()}");
    }

    private static Process Start(string file, string[] arguments, string directory)
    {
        var start = new ProcessStartInfo(file, arguments)
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            RedirectStandardInput = true,
            WorkingDirectory = directory,
        };
        start.Environment["TERM"] = "xterm";
        Process process = Process.Start(start)!;
        process.StandardInput.Close();
        return process;
    }
}

/// <summary>QEMU's translator.</summary>
public sealed class QemuEngine() : EmulatorProcess("QEMU")
{
    private const string Program = "qemu-system-x86_64";

    /// <summary>A processor with the features that hv offers, whose maker follows the SDM.</summary>
    private const string Model = "max,vendor=GenuineIntel,la57=off,pku=off,umip=off,fsgsbase=off,pcid=off,phys-bits=40";

    /// <inheritdoc/>
    public override string? Missing => FindOnPath(Program) is null ? $"{Program} is not on the path (Debian: qemu-system-x86)" : null;

    /// <inheritdoc/>
    public override string Version => FirstLine(Program, "--version");

    /// <inheritdoc/>
    protected override (string, string[]) Command(GuestImage image, int first, string directory)
    {
        string file = Path.Combine(directory, "guest.bin");
        File.WriteAllBytes(file, image.From(first));
        return (Program, ["-accel", "tcg", "-cpu", Model, "-display", "none", "-debugcon", "stdio", "-no-reboot", "-m", "64", "-net", "none",
            "-device",
            "isa-debug-exit,iobase=0xf4,iosize=4", "-kernel", file]);
    }
}

/// <summary>Bochs as Debian builds it, with its debugger told to continue; it needs a terminal, which script(1) gives.</summary>
public sealed class BochsEngine() : EmulatorProcess("Bochs")
{
    private const string Bios = "/usr/share/bochs/BIOS-bochs-latest", VideoBios = "/usr/share/bochs/VGABIOS-lgpl-latest";

    /// <inheritdoc/>
    public override string? Missing =>
        FindOnPath("bochs") is null || FindOnPath("script") is null || !File.Exists(Bios) || !File.Exists(VideoBios)
            ? "bochs, its BIOSes or script are not installed (Debian: bochs bochs-term bochsbios vgabios bsdutils)" : null;

    /// <inheritdoc/>
    public override string Version => FirstLine("dpkg-query", "-W", "-f=Bochs ${Version}", "bochs");

    /// <inheritdoc/>
    protected override (string, string[]) Command(GuestImage image, int first, string directory)
    {
        string disk = Path.Combine(directory, "guest.img");
        File.WriteAllBytes(disk, image.DiskFrom(first));
        File.WriteAllText(Path.Combine(directory, "continue"), "c\nq\n"); // q, when a triple fault has stopped it
        File.WriteAllLines(Path.Combine(directory, "bochsrc"),
        [
            "display_library: term", "megs: 64", $"romimage: file={Bios}", $"vgaromimage: file={VideoBios}", "boot: disk",
            $"ata0-master: type=disk, path={disk}, mode=flat, cylinders=20, heads=16, spt=63", "port_e9_hack: enabled=1", "log: bochs.log",
            "panic: action=fatal", "error: action=ignore", "cpu: model=corei7_skylake_x, ips=200000000, reset_on_triple_fault=0, ignore_bad_msrs=0",
            "clock: sync=none", "speaker: enabled=0", "sound: waveoutdrv=dummy",
        ]);
        return ("script", ["-qec", "bochs -q -f bochsrc -rc continue", "/dev/null"]);
    }
}
