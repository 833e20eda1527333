using System.Diagnostics;
using System.Globalization;

namespace Hv.Bench;

/// <summary>The round trips as ratios to the interface call, in one process and in turns: seconds instead of BenchmarkDotNet's minutes, for daily
/// work.</summary>
internal static class QuickRatios
{
    private const int Turns = 30, Loops = 20_000;

    /// <param name="backends">The backends; none for all. Alone a backend is measured as a host runs it: the core's calls meet one implementation.</param>
    public static int Print(string[] backends)
    {
        var call = new InterfaceCallBenchmarks();
        double reference = double.MaxValue, inlined = double.MaxValue;
        var rows = new List<(string Backend, string What, Func<ulong> Run, double Best, long Bytes)>();
        foreach (string backend in backends.Length != 0 ? backends : ["Emulated", "Vmx", "Svm"])
        {
            var benchmarks = new ExitBenchmarks { Backend = backend };
            benchmarks.Setup();
            rows.Add((backend, nameof(benchmarks.Hypercall), benchmarks.Hypercall, double.MaxValue, 0));
            rows.Add((backend, nameof(benchmarks.Rdmsr), benchmarks.Rdmsr, double.MaxValue, 0));
            rows.Add((backend, nameof(benchmarks.Wrmsr), benchmarks.Wrmsr, double.MaxValue, 0));
            rows.Add((backend, nameof(benchmarks.PortOut), benchmarks.PortOut, double.MaxValue, 0));
            rows.Add((backend, nameof(benchmarks.Cpuid), benchmarks.Cpuid, double.MaxValue, 0));
        }

        for (int turn = 0; turn < Turns; turn++)
        {
            reference = Math.Min(reference, Nanoseconds(call.InterfaceCall, out _));
            inlined = Math.Min(inlined, Nanoseconds(call.InterfaceCallHalfInlined, out _));
            for (int i = 0; i < rows.Count; i++)
            {
                double best = Nanoseconds(rows[i].Run, out long bytes);
                rows[i] = rows[i] with { Best = Math.Min(best, rows[i].Best), Bytes = bytes };
            }
        }

        Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"interface call with a record: {reference:F1} ns; half of the calls inlined: {inlined:F1} ns"));
        Console.WriteLine($"{"backend",-10}{"round trip",-12}{"ns",8}{"x call",9}{"x half",9}{"bytes/run",11}");
        foreach ((string backend, string what, _, double best, long bytes) in rows)
        {
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
                $"{backend,-10}{what,-12}{best,8:F1}{best / reference,9:F1}{best / inlined,9:F1}{bytes,11}"));
        }

        return 0;
    }

    /// <summary>One round trip again and again, with its time in ns every second: what a profiler attaches to.</summary>
    public static int Spin(string backend, string roundTrip, double seconds)
    {
        var benchmarks = new ExitBenchmarks { Backend = backend };
        benchmarks.Setup();
        Func<ulong> run = typeof(ExitBenchmarks).GetMethod(roundTrip)!.CreateDelegate<Func<ulong>>(benchmarks);
        for (var clock = Stopwatch.StartNew(); clock.Elapsed.TotalSeconds < seconds;)
        {
            double best = double.MaxValue;
            for (long start = clock.ElapsedMilliseconds; clock.ElapsedMilliseconds - start < 1000;)
                best = Math.Min(best, Nanoseconds(run, out _));
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{backend} {roundTrip}: {best:F1} ns"));
        }

        return 0;
    }

    private static double Nanoseconds(Func<ulong> run, out long bytes)
    {
        long before = GC.GetAllocatedBytesForCurrentThread();
        long start = Stopwatch.GetTimestamp();
        _ = run();
        double seconds = Stopwatch.GetElapsedTime(start).TotalSeconds;
        bytes = GC.GetAllocatedBytesForCurrentThread() - before;
        return seconds * 1e9 / Loops;
    }
}
