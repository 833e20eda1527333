using System.Globalization;
using Hv.Bench.Compare;

// Runs the same guest images on hv and on other machines in one go, in turns, and prints CPU seconds and ratios. An engine that is not
// installed is named with the reason. Times of runs without work (start-up, BIOS) are subtracted.
string home = AppContext.BaseDirectory;
string configuration = new DirectoryInfo(home).Parent!.Name;
string root = Path.GetFullPath(Path.Combine(home, "../../../../.."));
string hv = Path.Combine(root, "src/Host/bin", configuration, "net10.0/hv.dll");
string[] options = args;
int turns = Option("--turns", 3);
double scale = Option("--scale", 10) / 10.0;
if (options is ["start", ..])
{
    string scratch = Directory.CreateTempSubdirectory("hv-start-").FullName;
    StartUp.Print(hv, scratch, turns);
    Directory.Delete(scratch, recursive: true);
    return 0;
}

string[] wanted = [.. options.Where(o => !o.StartsWith('-') && !int.TryParse(o, CultureInfo.InvariantCulture, out _))];

(string Name, uint Rounds, uint BochsRounds)[] work =
[
    ("coremix", 20, 4), ("integer", 20, 2), ("memory", 20, 2), ("calls", 20, 2), ("paging", 20, 2), ("strings", 10, 1),
    ("exit-cpuid", 50, 50), ("exit-port", 50, 50),
];
if (wanted.FirstOrDefault(w => work.All(g => g.Name != w)) is { } unknown)
{
    Console.Error.WriteLine($"compare: no guest '{unknown}'; there are {string.Join(", ", work.Select(g => g.Name))}, and start; "
        + "options are --turns N and --scale N (tenths)");
    return 2;
}

Engine[] engines =
[
    new HvEngine("emulated", hv), new HvEngine("vmx", hv), new HvEngine("svm", hv), new QemuEngine(),
    new BochsEngine(File.ReadAllBytes(Path.Combine(home, "images/boot.bin"))),
];
foreach (Engine missing in engines.Where(e => e.Missing is not null))
    Console.WriteLine($"{missing.Name}: left out: {missing.Missing}");
engines = [.. engines.Where(e => e.Missing is null)];
if (engines.Length == 0)
    return 2;

string directory = Directory.CreateTempSubdirectory("hv-compare-").FullName;
try
{
    Console.WriteLine($"{"guest",-12}{"engine",-14}{"seconds/round",15}{"x hv emulated",16}");
    foreach ((string name, uint rounds, uint bochsRounds) in work.Where(g => wanted.Length == 0 || wanted.Contains(g.Name)))
    {
        var guest = new GuestImage(name, File.ReadAllBytes(Path.Combine(home, "images", name + ".bin")));
        var best = engines.ToDictionary(e => e, _ => double.MaxValue);
        var results = new Dictionary<uint, string>();
        for (int turn = 0; turn < turns; turn++)
        {
            foreach (Engine engine in engines)
            {
                uint n = Math.Max(1, (uint)((engine is BochsEngine ? bochsRounds : rounds) * scale));
                double empty = engine.Run(guest, 0, directory).Seconds;
                (double seconds, string result) = engine.Run(guest, n, directory);
                if (!results.TryAdd(n, result) && results[n] != result)
                    Console.WriteLine($"{name}: {engine.Name} gave {result} for {n} rounds where another gave {results[n]}");
                best[engine] = Math.Min(best[engine], Math.Max(1e-9, seconds - empty) / n);
            }
        }

        double reference = best[engines[0]];
        foreach (Engine engine in engines)
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
                $"{name,-12}{engine.Name,-14}{best[engine],15:F5}{best[engine] / reference,16:F2}"));
        if (name == "strings" && NativeStrings.Missing is null)
        {
            double native = Enumerable.Range(0, turns).Min(_ => NativeStrings.Run(rounds)) / rounds;
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{name,-12}{"native",-14}{native,15:F5}{native / reference,16:F2}"));
        }
    }
}
finally
{
    Directory.Delete(directory, recursive: true);
}

return 0;

int Option(string name, int otherwise)
{
    int at = Array.IndexOf(options, name);
    return at >= 0 && at + 1 < options.Length && int.TryParse(options[at + 1], CultureInfo.InvariantCulture, out int value) && value > 0 ? value
        : otherwise;
}
