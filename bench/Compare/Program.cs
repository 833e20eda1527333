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

int at = Array.IndexOf(options, "--engines");
string[] only = at >= 0 ? options.ElementAtOrDefault(at + 1)?.Split(',') ?? [""] : [];
if (at >= 0)
    options = [.. options[..at], .. options.Skip(at + 2)];
string[] wanted = [.. options.Where(o => !o.StartsWith('-') && !int.TryParse(o, CultureInfo.InvariantCulture, out _))];

(string Name, uint Hv, uint Qemu, uint Bochs)[] work =
[
    ("coremix", 20, 20, 4), ("integer", 20, 20, 4), ("memory", 20, 20, 4), ("calls", 20, 20, 4), ("paging", 20, 20, 4), ("strings", 200, 8, 4),
    ("exit-port", 200, 200, 40), ("exit-cpuid", 200, 200, 40), ("exit-rdmsr", 200, 200, 4),
];
if (wanted.FirstOrDefault(w => work.All(g => g.Name != w)) is { } unknown)
{
    Console.Error.WriteLine($"compare: no guest '{unknown}'; there are {string.Join(", ", work.Select(g => g.Name))}, and start; "
        + "options are --turns N, --scale N (tenths) and --engines NAME,NAME");
    return 2;
}

Engine[] engines =
[
    new HvEngine("emulated", hv), new HvEngine("vmx", hv), new HvEngine("svm", hv), new QemuEngine(),
    new BochsEngine(File.ReadAllBytes(Path.Combine(home, "images/boot.bin"))),
];
if (only.FirstOrDefault(o => o.Length == 0 || !engines.Any(e => IsCalled(e, o))) is { } nobody)
{
    Console.Error.WriteLine($"compare: no engine '{nobody}'; --engines takes parts of {string.Join(", ", engines.Select(e => e.Name))}, with commas between");
    return 2;
}

foreach (Engine missing in engines.Where(e => e.Missing is not null))
    Console.WriteLine($"{missing.Name}: left out: {missing.Missing}");
engines = [.. engines.Where(e => e.Missing is null && (only.Length == 0 || only.Any(o => IsCalled(e, o))))];
if (engines.Length == 0)
    return 2;

string directory = Directory.CreateTempSubdirectory("hv-compare-").FullName;
try
{
    // A turn has all guests, so that one guest may be compared with another of the same run (docs/adr/0006-what-an-exit-is-measured-by.md). The least
    // time of each length, and only then differences: the least difference would be that of the turn whose short run was disturbed most.
    Run[] runs =
    [
        .. from w in work
           where wanted.Length == 0 || wanted.Contains(w.Name)
           let guest = new GuestImage(w.Name, File.ReadAllBytes(Path.Combine(home, "images", w.Name + ".bin")))
           from engine in engines
           select new Run(guest, engine, Rounds(engine, w.Hv, w.Qemu, w.Bochs)),
    ];
    var results = new Dictionary<(string, uint), string>();
    for (int turn = 0; turn < turns; turn++)
    {
        foreach (Run run in runs)
            run.Least = run.Least.Least(Seconds(run, 0), Seconds(run, run.Rounds / 4), Seconds(run, run.Rounds));
    }

    Console.WriteLine($"{"guest",-12}{"engine",-14}{"ms/round: cold",16}{"steady",10}{"x " + engines[0].Name,16}");
    foreach (IGrouping<string, Run> guest in runs.GroupBy(r => r.Guest.Name))
    {
        double reference = guest.First().PerRound.Steady;
        foreach (Run run in guest)
            Row(guest.Key, run.Engine.Name, run.PerRound.Cold, run.PerRound.Steady, reference);
        if (guest.Key == "strings" && NativeStrings.Missing is null)
        {
            uint rounds = guest.First().Rounds;
            double native = Enumerable.Range(0, turns).Min(_ => NativeStrings.Run(rounds)) / rounds;
            Row(guest.Key, "native", native, native, reference);
        }
    }

    double Seconds(Run run, uint rounds)
    {
        (double seconds, string result) = run.Engine.Run(run.Guest, rounds, directory);
        if (!results.TryAdd((run.Guest.Name, rounds), result) && results[(run.Guest.Name, rounds)] is var other && other != result)
            Console.WriteLine($"{run.Guest.Name}: {run.Engine.Name} gave {result} for {rounds} rounds where another gave {other}");
        return seconds;
    }
}
finally
{
    Directory.Delete(directory, recursive: true);
}

return 0;

static bool IsCalled(Engine engine, string part) => engine.Name.Contains(part, StringComparison.OrdinalIgnoreCase);

uint Rounds(Engine engine, uint hvRounds, uint qemuRounds, uint bochsRounds)
{
    uint full = engine switch { BochsEngine => bochsRounds, QemuEngine => qemuRounds, _ => hvRounds };
    return Math.Max(4, (uint)(full * scale));
}

void Row(string guest, string engine, double cold, double steady, double reference) => Console.WriteLine(
    string.Create(CultureInfo.InvariantCulture, $"{guest,-12}{engine,-14}{cold * 1e3,16:F3}{steady * 1e3,10:F3}{steady / reference,16:F2}"));

int Option(string name, int otherwise)
{
    int at = Array.IndexOf(options, name);
    return at >= 0 && at + 1 < options.Length && int.TryParse(options[at + 1], CultureInfo.InvariantCulture, out int value) && value > 0 ? value
        : otherwise;
}

/// <summary>A guest on an engine, and what it took so far.</summary>
internal sealed class Run(GuestImage guest, Engine engine, uint rounds)
{
    public GuestImage Guest { get; } = guest;

    public Engine Engine { get; } = engine;

    public uint Rounds { get; } = rounds;

    public Lengths Least { get; set; } = Lengths.None;

    public (double Cold, double Steady) PerRound => Least.PerRound(Rounds, Rounds / 4);
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
