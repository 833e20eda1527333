using System.Globalization;
using Hv.Conformance.Campaigns.Execution;
using Hv.Conformance.Campaigns.Forms;
using Hv.Conformance.Campaigns.Reporting;
using Hv.Conformance.Campaigns.Runs;
using Hv.Conformance.Oracle;

namespace Hv.Conformance.Campaigns.Commands;

/// <summary>The three campaigns as commands.</summary>
public static class CampaignCommands
{
    // An operand campaign aims at completion; random bytes mostly fault.
    private const double OperandsComplete = 0.6, EncodingsComplete = 0.1, BlocksComplete = 0.3;

    /// <summary>Every form with edge-biased operands.</summary>
    public static int Operands(Options options) => Run(options, OperandsComplete,
        (limits, status, result) => new OperandCampaign(limits, status, result).Run());

    /// <summary>Random and damaged bytes.</summary>
    public static int Encodings(Options options) => Run(options, EncodingsComplete,
        (limits, status, result) => new EncodingCampaign(limits, status, result).Run());

    /// <summary>Short random blocks.</summary>
    public static int Blocks(Options options) => Run(options, BlocksComplete,
        (limits, status, result) => new BlockCampaign(limits, status, result).Run());

    /// <summary>Probes the forms that the options ask for.</summary>
    public static Dictionary<Form, FormStatus> Probe(Options options) => Probe(options, out _);

    /// <summary>The same, and says what the machine can run.</summary>
    public static Dictionary<Form, FormStatus> Probe(Options options, out OracleCapabilities machine)
    {
        IReadOnlyList<Form> forms = options.Instruction is { } names ? [.. names.Split(',').SelectMany(FormList.OfInstruction)]
            : options.Group is { } group ? FormList.OfGroup(group) : FormList.All;
        using var runner = new CaseRunner();
        machine = runner.Native.Capabilities;
        return FormProbe.Run(runner, forms);
    }

    private static int Run(Options options, double leastCompleted, Action<CampaignLimits, Dictionary<Form, FormStatus>, CampaignResult> campaign)
    {
        Dictionary<Form, FormStatus> status = Probe(options, out OracleCapabilities machine);
        int compared = status.Values.Count(s => s.IsCompared());
        Console.WriteLine($"{options.Command}, seed {options.Seed}, {options.Threads} threads, on {HostProcessor.Name()}");
        Console.WriteLine($"forms: {compared} compared, {status.Count - compared} not (`forms` says why)");
        SkippedExtensions(status);
        foreach (string skipped in NotHere(status, machine))
            Console.WriteLine($"this machine runs no {skipped}");
        if (compared == 0)
        {
            Console.Error.WriteLine($"hv-conformance: nothing of this is compared: {string.Join("; ", status.GroupBy(s => s.Value.Reason(s.Key))
                .Select(g => $"{string.Join(' ', g.Select(s => s.Key.OpCode.Mnemonic).Distinct())} ({g.Count()} forms): {g.Key}"))}");
            return CommandLine.NoOracle;
        }

        var result = new CampaignResult();
        CampaignLimits limits = options.Limits;
        var journal = new FindingJournal(result, options.Keep ? Path.Combine(options.Recorded,
            $"{RunRecord.NameOf(options.Command, HostProcessor.Maker(), HostProcessor.Family, HostProcessor.Model)}.found") : null);
        TimeSpan before = Environment.CpuUsage.TotalTime;
        string? wrong = AttendedRun.Run(limits, result, () => campaign(limits, status, result));
        double seconds = limits.Elapsed.TotalSeconds;
        double processorSeconds = (Environment.CpuUsage.TotalTime - before + result.WorkerTime).TotalSeconds;
        Print(result, seconds, processorSeconds);
        if (wrong is not null)
        {
            Console.Error.WriteLine($"hv-conformance: {wrong}");
            return CommandLine.Degenerate;
        }

        if (options.Keep)
        {
            Keep(options, status, machine, result, seconds, processorSeconds);
            journal.Forget();
        }

        if (options.Instruction is null && options.Group is null && result.Tally.Degenerate(leastCompleted) is { } reason)
        {
            Console.Error.WriteLine($"hv-conformance: degenerate: {reason}");
            return CommandLine.Degenerate;
        }

        return result.Tally.Differences == 0 ? CommandLine.Agreed : CommandLine.Differed;
    }

    private static void SkippedExtensions(Dictionary<Form, FormStatus> status)
    {
        string skipped = string.Join(", ", status.Where(s => s.Value == FormStatus.NotOnThisProcessor).GroupBy(s => s.Key.Feature)
            .Select(g => $"{g.Key} ({g.Count()} forms)"));
        if (skipped.Length > 0)
            Console.WriteLine($"this processor has not, and so skips: {skipped}");
    }

    /// <summary>Each code width that the machine cannot run, with how many forms of it are skipped, and the interrupts that do not reach its kernel; with
    /// the reasons.</summary>
    public static List<string> NotHere(Dictionary<Form, FormStatus> status, OracleCapabilities machine)
    {
        List<string> all = [.. status.Where(s => s.Value == FormStatus.ModeNotOnThisMachine).GroupBy(s => (int)s.Key.Mode).OrderByDescending(g => g.Key)
            .Select(g => string.Create(CultureInfo.InvariantCulture, $"{g.Key}-bit code ({g.Count():N0} forms skipped): {machine.WhyNot(g.Key)}"))];
        if (status.Any(s => s.Value.IsCompared() && s.Key.OpCode.Mnemonic == Iced.Intel.Mnemonic.Int)
            && InterruptProbe.WhyNot(InterruptProbe.Diverted) is { } interrupts)
            all.Add(interrupts);
        return all;
    }

    private static void Print(CampaignResult result, double seconds, double processorSeconds)
    {
        Tally tally = result.Tally;
        Console.WriteLine($"cases {tally.Cases:N0} in {seconds:N1} s ({tally.Cases / seconds / 1e6:N2} million a second; " +
            $"{tally.Cases / processorSeconds / 1e6:N2} million a processor-second), left out {tally.OutsideModel:N0} outside hv's model, " +
            $"{tally.Discarded:N0} on the worker's own pages");
        Console.WriteLine("outcomes on silicon:");
        Console.WriteLine(tally.Histogram());
        foreach ((string what, long count) in tally.VendorDifferences)
        {
            Console.WriteLine($"makers differ, {count:N0} cases: {what}");
            foreach (Finding example in result.Examples.GetValueOrDefault(what) ?? [])
                Console.WriteLine($"  {example.Instruction}\n    {example.Line}\n    {example.Difference}");
        }

        Console.WriteLine($"differences: {tally.Differences:N0}");
        foreach ((string name, long count) in result.Differences.OrderByDescending(d => d.Value))
            Console.WriteLine($"  {name,-16} {count:N0}");
        foreach (Finding finding in result.Findings)
            Console.WriteLine($"{finding.Instruction}\n  {finding.Line}\n  {finding.Difference}");
    }

    private static void Keep(Options options, Dictionary<Form, FormStatus> status, OracleCapabilities machine, CampaignResult result, double seconds,
        double processorSeconds)
    {
        RunRecord record = new()
        {
            Campaign = options.Command,
            Date = DateTime.UtcNow.ToString("yyyy-MM-dd HH:mm", CultureInfo.InvariantCulture),
            Processor = HostProcessor.Name(),
            Maker = HostProcessor.Maker(),
            Family = HostProcessor.Family,
            Model = HostProcessor.Model,
            CannotRun = NotHere(status, machine),
            Seed = options.Seed,
            Cases = result.Tally.Cases,
            Differences = result.Tally.Differences,
            Discarded = result.Tally.Discarded,
            OutsideModel = result.Tally.OutsideModel,
            Seconds = Math.Round(seconds, 1),
            ProcessorSeconds = Math.Round(processorSeconds, 1),
            Threads = options.Threads,
            Outcomes = result.Tally.Outcomes.ToDictionary(o => Cases.CaseText.OutcomeName(o.Key), o => o.Value),
            Instructions = [.. status.Where(s => s.Value.IsCompared()).GroupBy(s => s.Key.OpCode.Mnemonic.ToString()).OrderBy(g => g.Key,
                StringComparer.Ordinal)
                .Select(g => new InstructionRecord(g.Key, g.First().Key.Feature, g.Count(), result.Cases.GetValueOrDefault(g.Key),
                    result.Differences.GetValueOrDefault(g.Key)))],
            VendorDifferences = new(result.Tally.VendorDifferences),
            Forms = CountByFeature(status, _ => true),
            Owed = CountByFeature(status, s => s.Value == FormStatus.NotInModel && PromisedForms.Contains(s.Key)),
            NotInModel = CountByFeature(status, s => s.Value == FormStatus.NotInModel && !PromisedForms.Contains(s.Key)),
            NotOnThisProcessor = CountByFeature(status, s => s.Value == FormStatus.NotOnThisProcessor),
            LeftOut = CountByFeature(status, s => s.Value is FormStatus.HostDependent or FormStatus.NotEncodable),
            UndefinedOnBoth = CountByFeature(status, s => s.Value == FormStatus.UndefinedOnBoth),
        };
        record.Save(options.Recorded);
        if (result.Findings.Count > 0)
            File.AppendAllLines(Path.Combine(options.Recorded, "findings.cases"), result.Findings.Where(f => f.Mnemonic != "block")
                .SelectMany(f => f.AsRecorded()));
    }

    private static Dictionary<string, int> CountByFeature(Dictionary<Form, FormStatus> status, Func<KeyValuePair<Form, FormStatus>, bool> wanted) =>
        status.Where(wanted).GroupBy(s => s.Key.Feature).OrderBy(g => g.Key, StringComparer.Ordinal).ToDictionary(g => g.Key, g => g.Count());
}
