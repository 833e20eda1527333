using System.Globalization;
using Hv.Conformance.Campaigns.Runs;

namespace Hv.Conformance.Campaigns;

/// <summary>A command line, read and checked.</summary>
public sealed record Options
{
    public string Command { get; private init; } = "";
    public ulong Seed { get; private init; } = 1;
    public long Cases { get; private init; } = long.MaxValue;
    public TimeSpan Time { get; private init; } = TimeSpan.FromSeconds(10);
    public int Threads { get; private init; } = Environment.ProcessorCount;

    /// <summary>Mnemonics, comma-separated; null for all.</summary>
    public string? Instruction { get; private init; }

    /// <summary>A family of ring-0 cases; null for all.</summary>
    public string? Family { get; private init; }

    /// <summary>A CPUID feature by Iced's name; null for all.</summary>
    public string? Group { get; private init; }

    /// <summary>Whether numbers and findings are written to the repository's record.</summary>
    public bool Keep { get; private init; }

    /// <summary>The directory of recorded cases and runs.</summary>
    public string Recorded { get; private init; } = DefaultRecorded();

    /// <summary>The campaign's limits.</summary>
    public CampaignLimits Limits => new(Seed, Cases, Time, Threads);

    /// <summary>Reads arguments.</summary>
    /// <exception cref="ArgumentException">They are wrong; the message says what, what was expected, and how to mend it.</exception>
    public static Options Parse(IReadOnlyList<string> arguments)
    {
        if (arguments.Count == 0)
            throw new ArgumentException($"no command; the commands are {CommandLine.CommandNames}");
        var options = new Options { Command = arguments[0] };
        bool timed = false;
        for (int i = 1; i < arguments.Count; i++)
        {
            string name = arguments[i];
            if (name == "--keep")
            {
                options = options with { Keep = true };
                continue;
            }

            if (name is not ("--seed" or "--cases" or "--seconds" or "--threads" or "--instruction" or "--group" or "--family" or "--recorded"))
                throw new ArgumentException($"unknown option '{name}'; the options are --seed N, --cases N, --seconds N, --threads N, " +
                    $"--instruction NAME, --group NAME, --family NAME, --recorded DIRECTORY and --keep");
            if (i + 1 == arguments.Count)
                throw new ArgumentException($"{name} needs a value after it");
            string value = arguments[++i];
            timed |= name == "--seconds";
            options = name switch
            {
                "--seed" => options with { Seed = Number(name, value, 0, ulong.MaxValue) },
                "--cases" => options with
                {
                    Cases = (long)Number(name, value, 1, long.MaxValue),
                    Time = timed ? options.Time
                    : TimeSpan.FromDays(30)
                },
                "--seconds" => options with { Time = TimeSpan.FromSeconds(Number(name, value, 1, 10_000_000)) },
                "--threads" => options with { Threads = (int)Number(name, value, 1, 256) },
                "--instruction" => options with { Instruction = value },
                "--group" => options with { Group = value },
                "--family" => options with { Family = value },
                _ => options with { Recorded = value },
            };
        }

        return options;
    }

    private static ulong Number(string name, string text, ulong least, ulong most)
    {
        bool hex = text.StartsWith("0x", StringComparison.OrdinalIgnoreCase);
        bool good = hex
            ? ulong.TryParse(text.AsSpan(2), NumberStyles.HexNumber, CultureInfo.InvariantCulture, out ulong value)
            : ulong.TryParse(text.Replace("_", "", StringComparison.Ordinal), NumberStyles.None, CultureInfo.InvariantCulture, out value);
        if (!good || value < least || value > most)
            throw new ArgumentException($"{name} takes a whole number from {least} to {most}, in decimal or after 0x in hexadecimal, not '{text}'");
        return value;
    }

    private static string DefaultRecorded()
    {
        for (DirectoryInfo? at = new(AppContext.BaseDirectory); at is not null; at = at.Parent)
            if (Directory.Exists(Path.Combine(at.FullName, "tests", "Conformance", "Recorded")))
                return Path.Combine(at.FullName, "tests", "Conformance", "Recorded");
        return "Recorded";
    }
}
