using System.Globalization;
using Hv.Bench.Compare;

// Runs the same guest images on hv and on other machines in one go, in turns, and prints CPU seconds and ratios. An engine that is not
// installed is named with the reason. Each turn runs a guest three times: without work, with a quarter of it, and with all. "cold" is a round of the
// whole work after start-up and BIOS, with what translators and compilers take at first; "steady" is a round of the last three quarters.
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

(string Name, uint Hv, uint Qemu, uint Bochs)[] work =
[
    ("coremix", 20, 20, 4), ("integer", 20, 20, 4), ("memory", 20, 20, 4), ("calls", 20, 20, 4), ("paging", 20, 20, 4), ("strings", 200, 8, 4),
    ("exit-cpuid", 200, 200, 40), ("exit-port", 200, 200, 40),
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
    Console.WriteLine($"{"guest",-12}{"engine",-14}{"ms/round: cold",16}{"steady",10}{"x hv emulated",16}");
    foreach ((string name, uint hvRounds, uint qemuRounds, uint bochsRounds) in work.Where(g => wanted.Length == 0 || wanted.Contains(g.Name)))
    {
        var guest = new GuestImage(name, File.ReadAllBytes(Path.Combine(home, "images", name + ".bin")));
        // The least time of each length, and only then differences: the least difference would be that of the turn whose short run was disturbed most.
        Dictionary<Engine, Lengths> least = engines.ToDictionary(e => e, _ => Lengths.None);
        var results = new Dictionary<uint, string>();
        for (int turn = 0; turn < turns; turn++)
        {
            foreach (Engine engine in engines)
            {
                uint n = Rounds(engine, hvRounds, qemuRounds, bochsRounds), quarter = n / 4;
                double empty = Run(engine, guest, 0, results), part = Run(engine, guest, quarter, results), all = Run(engine, guest, n, results);
                least[engine] = least[engine].Least(empty, part, all);
            }
        }

        double reference = 0;
        foreach (Engine engine in engines)
        {
            uint n = Rounds(engine, hvRounds, qemuRounds, bochsRounds);
            (double cold, double steady) = least[engine].PerRound(n, n / 4);
            reference = reference == 0 ? steady : reference;
            Row(name, engine.Name, cold, steady, reference);
        }

        if (name == "strings" && NativeStrings.Missing is null)
        {
            double native = Enumerable.Range(0, turns).Min(_ => NativeStrings.Run(hvRounds)) / hvRounds;
            Row(name, "native", native, native, reference);
        }
    }
}
finally
{
    Directory.Delete(directory, recursive: true);
}

return 0;

uint Rounds(Engine engine, uint hvRounds, uint qemuRounds, uint bochsRounds)
{
    uint full = engine switch { BochsEngine => bochsRounds, QemuEngine => qemuRounds, _ => hvRounds };
    return Math.Max(4, (uint)(full * scale));
}

double Run(Engine engine, GuestImage guest, uint rounds, Dictionary<uint, string> results)
{
    (double seconds, string result) = engine.Run(guest, rounds, directory);
    if (!results.TryAdd(rounds, result) && results[rounds] != result)
        Console.WriteLine($"{guest.Name}: {engine.Name} gave {result} for {rounds} rounds where another gave {results[rounds]}");
    return seconds;
}

void Row(string guest, string engine, double cold, double steady, double reference) => Console.WriteLine(
    string.Create(CultureInfo.InvariantCulture, $"{guest,-12}{engine,-14}{cold * 1e3,16:F3}{steady * 1e3,10:F3}{steady / reference,16:F2}"));

int Option(string name, int otherwise)
{
    int at = Array.IndexOf(options, name);
    return at >= 0 && at + 1 < options.Length && int.TryParse(options[at + 1], CultureInfo.InvariantCulture, out int value) && value > 0 ? value
        : otherwise;
}

/// <summary>Seconds of a guest without work, with a quarter of it, and with all.</summary>
internal readonly record struct Lengths(double Empty, double Part, double All)
{
    public static Lengths None => new(double.MaxValue, double.MaxValue, double.MaxValue);

    public Lengths Least(double empty, double part, double all) => new(Math.Min(Empty, empty), Math.Min(Part, part), Math.Min(All, all));

    /// <summary>Seconds a round of the whole work, and of the last three quarters.</summary>
    public (double Cold, double Steady) PerRound(uint rounds, uint quarter) =>
        (Math.Max(1e-9, All - Empty) / rounds, Math.Max(1e-9, All - Part) / (rounds - quarter));
}
