using Hv.Core.Cpuid;
using Hv.Host.Configuration;

namespace Hv.Host.Commands;

/// <summary>One option of the command line: the single table from which parsing, help and suggestions are made.</summary>
/// <param name="Name">With its dashes.</param>
/// <param name="ValueName">How help names its value; empty for a flag.</param>
/// <param name="ConfigurationKey">The configuration key that it is another name for, or null.</param>
/// <param name="ForDemo">Whether <c>demo</c> has it.</param>
/// <param name="ForRun">Whether <c>run</c> has it.</param>
/// <param name="ForBackends">Whether <c>backends</c> has it.</param>
/// <param name="Help">One line.</param>
internal sealed record CommandOption(string Name, string ValueName, string? ConfigurationKey, bool ForDemo, bool ForRun, bool ForBackends,
    string Help)
{
    public const string BitsName = "--bits", InitrdName = "--initrd", AppendName = "--append", FlatName = "--flat", ModeName = "--mode";
    public const string JsonName = "--json", SummaryName = "--summary";

    /// <summary>All options, in the order of help.</summary>
    public static IReadOnlyList<CommandOption> All { get; } =
    [
        new("--backend", "NAME", HypervisorOptions.BackendKey, true, true, false, "what runs the guest, or auto; hv backends lists them"),
        new(BitsName, "16|32|64", null, true, false, false, "which form of the demo guest (64)"),
        new("--memory", "SIZE", HypervisorOptions.MemoryKey, true, true, false, "guest RAM, for example 64MiB"),
        new("--cpu", "MODEL", HypervisorOptions.CpuKey, true, true, false,
            $"what CPUID offers and the guest may execute: {string.Join(", ", CpuidModel.All.Select(m => m.Name))} (max)"),
        new("--vcpus", "N", HypervisorOptions.VcpusKey, true, true, false, "virtual processors (1)"),
        new("--max-instructions", "N", HypervisorOptions.MaxInstructionsKey, true, true, false, "stop after N guest instructions"),
        new("--timeout", "TIME", HypervisorOptions.TimeoutKey, true, true, false, "stop after a time, for example 500ms, 10s, 2m"),
        new("--seed", "N", HypervisorOptions.RandomSeedKey, true, true, false, "what RDRAND and RDSEED start from, on software backends (0)"),
        new(AppendName, "TEXT", null, false, true, false, "command line for the guest"),
        new(InitrdName, "FILE", null, false, true, false, "load FILE as a module; may be given again"),
        new(FlatName, "ADDRESS", null, false, true, false, "GUEST is a flat binary for this address, for example 0x7c00"),
        new(ModeName, "real|protected|long", null, false, true, false, "the mode in which a flat binary starts"),
        new(SummaryName, "", null, false, true, false, "print a table of exits, instructions and time at the end"),
        new("--log-level", "LEVEL", LogOptions.MinimumLevelKey, true, true, false, "Verbose (every exit), Debug, Information, Warning, Error"),
        new("--log-format", "text|json", LogOptions.FormatKey, true, true, false, "how log lines on stderr look"),
        new(JsonName, "", null, false, false, true, "as JSON"),
    ];

    /// <summary>Whether it takes no value.</summary>
    public bool IsFlag => ValueName.Length == 0;

    /// <summary>The option with this name, or null.</summary>
    public static CommandOption? Find(string name)
    {
        foreach (CommandOption option in All)
        {
            if (option.Name == name)
                return option;
        }

        return null;
    }

    /// <summary>Whether <paramref name="command"/> has it.</summary>
    public bool Serves(Command command) => command switch
    {
        Command.Demo => ForDemo,
        Command.Run => ForRun,
        Command.Backends => ForBackends,
        _ => false,
    };

    /// <summary>" (did you mean ...?)" for a name that is at most two edits from an option of the command, else empty.</summary>
    public static string Suggest(string name, Command command)
    {
        foreach (CommandOption option in All)
        {
            if (option.Serves(command) && EditDistance(name, option.Name) <= 2)
                return $" (did you mean {option.Name}?)";
        }

        return "";
    }

    private static int EditDistance(string a, string b)
    {
        if (a.Length > 40)
            return int.MaxValue;
        int[] row = [.. Enumerable.Range(0, b.Length + 1)];
        for (int i = 1; i <= a.Length; i++)
        {
            int diagonal = row[0];
            row[0] = i;
            for (int j = 1; j <= b.Length; j++)
            {
                int substituted = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
                diagonal = row[j];
                row[j] = Math.Min(substituted, Math.Min(row[j - 1], diagonal) + 1);
            }
        }

        return row[b.Length];
    }
}
