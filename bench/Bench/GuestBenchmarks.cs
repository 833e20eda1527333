using System.Diagnostics;
using System.Globalization;
using BenchmarkDotNet.Attributes;

namespace Hv.Bench;

/// <summary>The guests of bench/Guests, one round of each: arithmetic, memory, calls, page tables, and the CoreMark-like mix.</summary>
[MemoryDiagnoser]
public class GuestBenchmarks : IDisposable
{
    private const int Turns = 5;

    private static readonly string[] s_guests = ["coremix", "integer", "memory", "calls", "paging"];

    private GuestMachine _machine = null!;

    /// <summary>The backend.</summary>
    [Params("Emulated", "Vmx", "Svm")]
    public string Backend { get; set; } = "Emulated";

    /// <summary>The guest.</summary>
    [ParamsSource(nameof(Guests))]
    public string Guest { get; set; } = "coremix";

    public static IEnumerable<string> Guests => s_guests;

    [GlobalSetup]
    public void Setup() => _machine = new GuestMachine(Backend, Guest, 1);

    [GlobalCleanup]
    public void Dispose()
    {
        _machine?.Dispose();
        GC.SuppressFinalize(this);
    }

    [Benchmark]
    public long Round() => _machine.Run();

    /// <summary>Prints the millions of guest instructions a second, the best of some turns in one process.</summary>
    public static int PrintRates(string[] backends)
    {
        Console.WriteLine($"{"guest",-10}{"backend",-10}{"million instructions a second",32}");
        foreach (string guest in s_guests)
        {
            foreach (string backend in backends.Length != 0 ? backends : ["Emulated", "Vmx", "Svm"])
            {
                using var machine = new GuestMachine(backend, guest, 1);
                double best = 0;
                for (int turn = 0; turn < Turns; turn++)
                {
                    long start = Stopwatch.GetTimestamp();
                    long instructions = machine.Run();
                    best = Math.Max(best, instructions / Stopwatch.GetElapsedTime(start).TotalMicroseconds);
                }

                Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{guest,-10}{backend,-10}{best,32:F0}"));
            }
        }

        return 0;
    }
}
