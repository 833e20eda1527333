using System.Diagnostics;
using Hv.Core;
using Hv.Hostile.Kinds;

namespace Hv.Hostile;

/// <summary>
/// Runs cases until the time is over. Each case depends on the campaign's seed, its kind and its number alone. What must hold: no exception leaves
/// the host, no
/// case hangs, memory does not grow, outcomes are various.
/// </summary>
internal sealed class Campaign(IReadOnlyList<IBackend> backends, IReadOnlyList<IHostileKind> kinds, CampaignOptions options, TextWriter output)
{
    /// <summary>The longest that a case may take; each is bounded by instructions, and takes some milliseconds.</summary>
    private static readonly TimeSpan LongestCase = TimeSpan.FromSeconds(20);

    /// <summary>Growth of the process after the first third of the campaign that counts as a leak.</summary>
    private const long AllowedGrowth = 96L << 20;

    private readonly Histogram _histogram = new();
    private string _running = "";
    private long _startedAt;

    /// <summary>Every kind of input.</summary>
    public static IReadOnlyList<IHostileKind> AllKinds => [new CodeKind(), new MsrKind(), new ParaKind(), new PagingKind(), new ImageKind(),
        new StateKind(), new VectorKind()];

    /// <summary>The backends that a campaign can run on: those here that bound a case by instructions, so that a guest's endless loop ends and a
    /// case repeats.</summary>
    public static IBackend[] Suitable(IEnumerable<IBackend> backends) =>
        [.. backends.Where(b => b.Availability.IsAvailable && b.Capabilities.HasFlag(BackendCapabilities.Deterministic))];

    /// <summary>Runs it.</summary>
    /// <returns>Whether everything held.</returns>
    public bool Run()
    {
        using var watchdog = new Timer(_ => Watch(), null, TimeSpan.FromSeconds(1), TimeSpan.FromSeconds(1));
        if (options.Case is { } single)
            return RunCases(single);
        var clock = Stopwatch.StartNew();
        long baseline = 0;
        for (long number = 0; clock.Elapsed.TotalSeconds < options.Seconds; number++)
        {
            if (!RunCases(number))
                return false;
            if (baseline == 0 && clock.Elapsed.TotalSeconds > options.Seconds / 3)
                baseline = MemoryNow();
        }

        long growth = baseline == 0 ? 0 : MemoryNow() - baseline;
        _histogram.Print(output);
        output.WriteLine($"{_histogram.Total} cases in {clock.Elapsed.TotalSeconds:F1} s, seed {options.Seed}; "
            + $"memory grew by {growth / 1024} KiB after the first third");
        IReadOnlyList<string> degenerate = _histogram.Degenerate();
        foreach (string line in degenerate)
            output.WriteLine(line);
        if (growth > AllowedGrowth)
            output.WriteLine($"memory grew by {growth >> 20} MiB, more than {AllowedGrowth >> 20}: something is not freed");
        return degenerate.Count == 0 && growth <= AllowedGrowth;
    }

    private bool RunCases(long number)
    {
        foreach (IHostileKind kind in kinds)
        {
            foreach (IBackend backend in backends)
            {
                string repeat = "dotnet run -c Release --project tests/Hostile -- "
                    + $"--seed {options.Seed} --kind {kind.Name} --case {number} --backend {backend.Name}";
                Volatile.Write(ref _startedAt, Stopwatch.GetTimestamp());
                Volatile.Write(ref _running, repeat);
                string outcome;
                try
                {
                    outcome = kind.Run(backend, new SeededRandom(CaseSeed(options.Seed, kind.Name, number)));
                }
                catch (Exception e)
                {
                    output.WriteLine($"FAILED: {e}");
                    output.WriteLine($"again: {repeat}");
                    return false;
                }
                finally
                {
                    Volatile.Write(ref _running, "");
                }

                _histogram.Add(kind.Name, outcome);
                if (options.Case is not null)
                    output.WriteLine($"{kind.Name} {number} on {backend.Name}: {outcome}");
            }
        }

        return true;
    }

    /// <summary>A case's seed: FNV-1a over the kind's name, mixed with seed and number.</summary>
    private static ulong CaseSeed(ulong seed, string kind, long number)
    {
        ulong hash = 0xCBF29CE484222325;
        foreach (char c in kind)
            hash = (hash ^ c) * 0x100000001B3;
        return new SeededRandom(hash ^ seed * 0x9E3779B97F4A7C15).Next() + (ulong)number;
    }

    private static long MemoryNow()
    {
        GC.Collect();
        GC.WaitForPendingFinalizers();
        GC.Collect();
        using var process = Process.GetCurrentProcess();
        return process.WorkingSet64;
    }

    /// <summary>A case that hangs cannot be stopped from outside for sure: the process ends, saying how to repeat it.</summary>
    private void Watch()
    {
        string running = Volatile.Read(ref _running);
        if (running.Length == 0 || Stopwatch.GetElapsedTime(Volatile.Read(ref _startedAt)) < LongestCase)
            return;
        output.WriteLine($"HANGS: a case runs for more than {LongestCase.TotalSeconds} s");
        output.WriteLine($"again: {running}");
        output.Flush();
        Environment.Exit(ExitCodes.Hang);
    }
}

/// <summary>What the process exits with.</summary>
internal static class ExitCodes
{
    public const int Good = 0, Failed = 1, Usage = 2, Hang = 3;
}
