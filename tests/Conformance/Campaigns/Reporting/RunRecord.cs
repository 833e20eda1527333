using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;
using Hv.Conformance.Campaigns.Forms;

namespace Hv.Conformance.Campaigns.Reporting;

/// <summary>The numbers of one campaign, as kept in the repository and rendered by <see cref="ConformanceReport"/>.</summary>
public sealed record RunRecord
{
    /// <summary>operands, encodings, blocks, planted.</summary>
    public required string Campaign { get; init; }

    /// <summary>When it ended, UTC, to the minute.</summary>
    public required string Date { get; init; }

    /// <summary>The machine's processor.</summary>
    public required string Processor { get; init; }

    /// <summary>That processor's maker; Any for one that is neither.</summary>
    public required Maker Maker { get; init; }

    /// <summary>That processor's family and model, the extended ones included.</summary>
    public required int Family { get; init; }

    /// <inheritdoc cref="Family"/>
    public required int Model { get; init; }

    /// <summary>The code widths that the machine could not run, in words, with the number of forms skipped.</summary>
    public List<string> CannotRun { get; init; } = [];
    public required ulong Seed { get; init; }
    public required long Cases { get; init; }
    public required long Differences { get; init; }

    /// <summary>What became of the differences, in words that somebody has added; null where there are none, or nobody has.</summary>
    public string? Remark { get; init; }
    public long Discarded { get; init; }
    public long OutsideModel { get; init; }
    public required double Seconds { get; init; }
    /// <summary>Processor time of the campaign and its workers: other work on the machine does not count.</summary>
    public double ProcessorSeconds { get; init; }
    public required int Threads { get; init; }
    public Dictionary<string, long> Outcomes { get; init; } = [];
    public List<InstructionRecord> Instructions { get; init; } = [];

    /// <summary>Cases on which makers differ, by kind.</summary>
    public Dictionary<string, long> VendorDifferences { get; init; } = [];

    /// <summary>All forms of Iced's table, counted by CPUID feature.</summary>
    public Dictionary<string, int> Forms { get; init; } = [];

    /// <summary>Forms that hv owes (<see cref="Campaigns.Forms.PromisedForms"/>) and does not have, counted by CPUID feature.</summary>
    public Dictionary<string, int> Owed { get; init; } = [];

    /// <summary>Forms of other extensions that silicon has and hv does not, counted by CPUID feature.</summary>
    public Dictionary<string, int> NotInModel { get; init; } = [];

    /// <summary>Forms that are not compared for the reasons of <see cref="Campaigns.Forms.NotCompared"/>, or cannot be encoded, counted by CPUID
    /// feature.</summary>
    public Dictionary<string, int> LeftOut { get; init; } = [];

    /// <summary>Forms that are #UD on silicon and in hv, counted by CPUID feature.</summary>
    public Dictionary<string, int> UndefinedOnBoth { get; init; } = [];

    /// <summary>Forms that this machine's processor does not have, counted by CPUID feature.</summary>
    public Dictionary<string, int> NotOnThisProcessor { get; init; } = [];

    /// <summary>Planted faults by name, and whether they were caught.</summary>
    public Dictionary<string, bool> Planted { get; init; } = [];

    /// <summary>Planted faults of instructions that this machine cannot run in any of their modes.</summary>
    public List<string> PlantedNotHere { get; init; } = [];

    private static readonly JsonSerializerOptions _json = new() { WriteIndented = true, Converters = { new JsonStringEnumConverter() } };

    /// <summary>The name, without directory and ending, of what one campaign keeps on processors of one maker, family and model.</summary>
    public static string NameOf(string campaign, Maker maker, int family, int model) =>
        string.Create(CultureInfo.InvariantCulture,
            $"{campaign}.{maker switch { Maker.Intel => "intel", Maker.Amd => "amd", _ => "other" }}-{family}-{model}");

    /// <summary>Writes the record in place of the campaign's last one on such a processor.</summary>
    public void Save(string directory) => File.WriteAllText(Path.Combine(directory, $"{NameOf(Campaign, Maker, Family, Model)}.run.json"),
        JsonSerializer.Serialize(this, _json) + "\n");

    /// <summary>Reads a record.</summary>
    public static RunRecord Load(string path) => JsonSerializer.Deserialize<RunRecord>(File.ReadAllText(path), _json)
        ?? throw new FormatException($"{path} holds no run");
}

/// <summary>One instruction's numbers.</summary>
/// <param name="Name">The mnemonic.</param>
/// <param name="Group">The CPUID feature that brings it.</param>
/// <param name="Forms">Forms compared, over all code modes.</param>
/// <param name="Cases">Cases run.</param>
/// <param name="Differences">Differences open.</param>
public sealed record InstructionRecord(string Name, string Group, int Forms, long Cases, long Differences);
