using System.Diagnostics;
using System.Globalization;

namespace Hv.Bench.Compare;

/// <summary>
/// How long a process takes to a guest's first instruction, and what it holds beside guest RAM. The instruction itself shows nowhere, so it is bounded
/// twice: by the first byte that the demo guest prints, and by the whole process of a guest whose only instruction ends it (OUT to the exit port). For
/// memory the guest is a jump to itself, looked at while it runs.
/// </summary>
internal static class StartUp
{
    private static readonly byte[] s_exit = [0xE6, 0xF4], s_spin = [0xEB, 0xFE];

    /// <summary>Prints a row for each way to start hv.</summary>
    public static void Print(string hv, string directory, int turns)
    {
        string exit = Path.Combine(directory, "exit.bin"), spin = Path.Combine(directory, "spin.bin");
        File.WriteAllBytes(exit, s_exit);
        File.WriteAllBytes(spin, s_spin);
        Console.WriteLine($"{"started as",-14}{"backend",-12}{"ms, demo's first byte",24}{"ms, whole process",20}{"MiB beside guest RAM",23}");
        foreach ((string name, string file, string[] first) in Ways(hv))
        {
            foreach (string backend in new[] { "emulated", "vmx", "svm" })
            {
                double print = Enumerable.Range(0, turns).Min(_ => MillisecondsToFirstByte(file, [.. first, "demo", "--backend", backend]));
                double whole = Enumerable.Range(0, turns).Min(_ => Milliseconds(file, [.. first, .. Arguments(exit, backend)]));
                double memory = MebibytesWhileRunning(file, [.. first, .. Arguments(spin, backend)]);
                Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{name,-14}{backend,-12}{print,24:F0}{whole,20:F0}{memory,23:F1}"));
            }
        }
    }

    private static string[] Arguments(string guest, string backend) =>
        ["run", guest, "--flat", "0x7C00", "--mode", "real", "--backend", backend, "--timeout", "5s"];

    /// <summary>The program beside hv.dll is what `dotnet publish -p:PublishAot=true` makes, if somebody has.</summary>
    private static IEnumerable<(string Name, string File, string[] First)> Ways(string hv)
    {
        yield return ("dotnet hv.dll", "dotnet", [hv]);
        string native = Path.Combine(Path.GetDirectoryName(hv)!, "linux-x64", "publish", "hv");
        if (File.Exists(native))
            yield return ("NativeAOT", native, []);
        else
            Console.WriteLine($"NativeAOT: left out: {native} is not there (dotnet publish src/Host -c Release -r linux-x64 -p:PublishAot=true)");
    }

    private static double Milliseconds(string file, string[] arguments)
    {
        long start = Stopwatch.GetTimestamp();
        using Process process = Start(file, arguments);
        process.WaitForExit();
        return Stopwatch.GetElapsedTime(start).TotalMilliseconds;
    }

    private static double MillisecondsToFirstByte(string file, string[] arguments)
    {
        long start = Stopwatch.GetTimestamp();
        using Process process = Start(file, arguments);
        bool printed = process.StandardOutput.BaseStream.ReadByte() >= 0;
        double milliseconds = Stopwatch.GetElapsedTime(start).TotalMilliseconds;
        process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return printed ? milliseconds : double.NaN;
    }

    private static double MebibytesWhileRunning(string file, string[] arguments)
    {
        using Process process = Start(file, arguments);
        Thread.Sleep(2000);
        process.Refresh();
        double size = process.HasExited ? double.NaN : process.WorkingSet64 / (1024.0 * 1024.0);
        process.Kill();
        process.WaitForExit();
        return size;
    }

    private static Process Start(string file, string[] arguments)
    {
        Process process = Process.Start(new ProcessStartInfo(file, arguments)
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            RedirectStandardInput = true,
        })!;
        process.StandardInput.Close();
        return process;
    }
}
