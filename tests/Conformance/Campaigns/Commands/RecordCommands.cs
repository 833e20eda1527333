using Hv.Conformance.Campaigns.Cases;
using Hv.Conformance.Campaigns.Execution;
using Hv.Conformance.Campaigns.Forms;
using Hv.Conformance.Campaigns.Replay;
using Hv.Conformance.Campaigns.Reporting;
using Hv.Conformance.Ring0;

namespace Hv.Conformance.Campaigns.Commands;

/// <summary>Recorded cases, the list of forms, and the report.</summary>
public static class RecordCommands
{
    private const int CasesPerForm = 3, CasesPerExtendedForm = 2;

    /// <summary>Replays all recorded cases on hv's processor.</summary>
    public static int Replay(Options options)
    {
        using var software = new SoftwareSide();
        int count = 0;
        int differences = 0;
        foreach ((string file, string line) in RecordedCases.Read(options.Recorded))
        {
            count++;
            if (RecordedCases.Run(software, line) is not { } difference)
                continue;
            differences++;
            Console.WriteLine($"{file}: {line}\n  {difference}");
        }

        Console.WriteLine($"{count:N0} recorded cases from {options.Recorded}, {differences:N0} differ");
        if (count > 0)
            return differences == 0 ? CommandLine.Agreed : CommandLine.Differed;
        Console.Error.WriteLine($"hv-conformance: no recorded cases in {options.Recorded}; name their directory by --recorded");
        return CommandLine.BadUsage;
    }

    /// <summary>Records the corpus anew.</summary>
    public static int Record(Options options)
    {
        Dictionary<Form, FormStatus> status = CampaignCommands.Probe(options);
        using var runner = new CaseRunner();
        var states = new OperandState(options.Seed);
        foreach (CodeMode mode in Enum.GetValues<CodeMode>())
        {
            if (runner.WhyNot(mode) is { } reason)
            {
                Console.WriteLine($"the {(int)mode}-bit cases stay as they are: {reason}");
                continue;
            }

            var lines = new List<string>
            {
                $"% {(int)mode}-bit code: results of {HostProcessor.Name()}, seed {options.Seed}.",
                "% MODE WAY BYTES ; STATE ; RESULT - see CaseText.cs. Written by `hv-conformance record`.",
            };
            int stream = 0;
            foreach (Form form in status.Where(s => s.Value.IsCompared() && s.Key.Mode == mode).Select(s => s.Key))
                lines.AddRange(Recorder.Record(runner, form, states, new Prng(options.Seed, (ulong)stream++),
                    ExtendedForms.Uses(form.Code) ? CasesPerExtendedForm : CasesPerForm));
            string path = Path.Combine(options.Recorded, $"forms-{(int)mode}.cases");
            File.WriteAllLines(path, lines);
            Console.WriteLine($"{lines.Count - 2:N0} cases in {path}");
        }

        return CommandLine.Agreed;
    }

    /// <summary>Lists the forms by status.</summary>
    public static int Forms(Options options)
    {
        Dictionary<Form, FormStatus> status = CampaignCommands.Probe(options);
        foreach (IGrouping<FormStatus, KeyValuePair<Form, FormStatus>> group in status.GroupBy(s => s.Value).OrderBy(g => g.Key))
        {
            Console.WriteLine($"{group.Key}: {group.Count()} forms");
            foreach (IGrouping<string, Form> feature in group.Select(g => g.Key).GroupBy(f => f.NotComparedBecause ?? f.Feature)
                .OrderBy(f => f.Key, StringComparer.Ordinal))
                Console.WriteLine($"  {feature.Key}: {feature.Count()} " +
                    $"({string.Join(' ', feature.Select(f => f.OpCode.Mnemonic.ToString()).Distinct().Take(group.Key.IsCompared() ? 400 : 12))})");
        }

        return CommandLine.Agreed;
    }

    /// <summary>Writes docs/conformance.md.</summary>
    public static int Report(Options options)
    {
        string path = Path.GetFullPath(Path.Combine(options.Recorded, "..", "..", "..", "docs", "conformance.md"));
        RunRecord[] runs = [.. Directory.EnumerateFiles(options.Recorded, "*.run.json").Order(StringComparer.Ordinal).Select(RunRecord.Load)];
        if (runs.Length == 0)
            throw new ArgumentException($"no kept runs in {options.Recorded}; run a campaign with --keep first");
        int recorded = RecordedCases.Read(options.Recorded).Count();
        File.WriteAllText(path, ConformanceReport.Write(runs, recorded) + CampaignRecord.Section(options.Recorded));
        Console.WriteLine(path);
        return CommandLine.Agreed;
    }
}
