using Hv.Conformance.Campaigns.Forms;
using Hv.Conformance.Campaigns.Planting;
using Hv.Conformance.Campaigns.Reporting;
using Hv.Conformance.Campaigns.Runs;
using Iced.Intel;

namespace Hv.Conformance.Campaigns.Commands;

/// <summary>Plants each known fault in turn and runs the whole campaigns until they notice.</summary>
public static class PlantedCommand
{
    private const long MostCases = 1_500_000, MostOfInstruction = 200_000, MostEncodings = 60_000;
    private static readonly TimeSpan _patience = TimeSpan.FromMinutes(2);

    /// <summary>Runs the command.</summary>
    public static int Run(Options options)
    {
        Dictionary<Form, FormStatus> status = CampaignCommands.Probe(options);
        var caught = new Dictionary<string, bool>();
        var notHere = new List<string>();
        var limits = options.Limits;
        foreach (Planted fault in PlantedFaults.All)
        {
            bool? found = Notices(options, status, fault, out string by);
            if (found is { } known)
                caught[fault.Name] = known;
            else
                notHere.Add(fault.Name);
            Console.WriteLine($"{found switch { true => "caught", false => "MISSED", _ => "-" },-7} {fault.Name} {by}");
        }

        int count = caught.Values.Count(c => c);
        Console.WriteLine($"{count} of {caught.Count} planted faults caught, seed {options.Seed}{(notHere.Count == 0 ? "" : $"; not on this machine: {notHere.Count}")}");
        if (options.Keep)
        {
            new RunRecord
            {
                Campaign = options.Command,
                Date = DateTime.UtcNow.ToString("yyyy-MM-dd HH:mm", System.Globalization.CultureInfo.InvariantCulture),
                Processor = HostProcessor.Name(),
                Maker = HostProcessor.Maker(),
                Family = HostProcessor.Family,
                Model = HostProcessor.Model,
                Seed = options.Seed,
                Cases = caught.Count,
                Differences = caught.Count - count,
                Seconds = Math.Round(limits.Elapsed.TotalSeconds, 1),
                Threads = options.Threads,
                Planted = caught,
                PlantedNotHere = notHere,
            }.Save(options.Recorded);
        }

        return count == caught.Count ? CommandLine.Agreed : CommandLine.Differed;
    }

    /// <summary>Whether a campaign notices <paramref name="fault"/>, and how. Only the forms run that the fault is in: in others it cannot show. What
    /// differs without the fault too proves nothing. Null where this machine cannot run a single one of those forms.</summary>
    public static bool? Notices(Options options, Dictionary<Form, FormStatus> status, Planted fault, out string by)
    {
        bool one = fault.Instruction != Mnemonic.INVALID;
        if (one)
            status = status.Where(s => s.Key.OpCode.Mnemonic == fault.Instruction).ToDictionary();
        by = "(not on this machine)";
        if (status.Count > 0 && status.Values.All(s => s is FormStatus.ModeNotOnThisMachine or FormStatus.NotOnThisProcessor))
            return null;
        by = "(not compared)";
        if (!status.Values.Any(s => s.IsCompared()))
            return false;
        if (Differs(Operands, one ? MostOfInstruction : MostCases, fault, out long cases))
        {
            by = $"(operands, {cases:N0} cases)";
            return !Differs(Operands, cases, null, out _) || Refuse(ref by);
        }

        by = $"(operands and encodings, {cases:N0} operand cases)";
        if (!Differs(Encodings, MostEncodings, fault, out cases))
            return false;
        by = $"(encodings, {cases:N0} cases)";
        return !Differs(Encodings, cases, null, out _) || Refuse(ref by);

        bool Differs(Func<CampaignLimits, CampaignResult, Planted?, Action> campaign, long most, Planted? planted, out long cases)
        {
            var result = new CampaignResult();
            campaign(new CampaignLimits(options.Seed, most, _patience, options.Threads), result, planted)();
            cases = result.Tally.Made;
            return result.Tally.Differences > 0;
        }

        Action Operands(CampaignLimits limits, CampaignResult result, Planted? planted) =>
            new OperandCampaign(limits, status, result) { Perturbation = planted, StopAtFirst = true }.Run;

        Action Encodings(CampaignLimits limits, CampaignResult result, Planted? planted) =>
            new EncodingCampaign(limits, status, result) { Perturbation = planted, StopAtFirst = true }.Run;
    }

    private static bool Refuse(ref string by)
    {
        by = $"(differs without the fault too {by})";
        return false;
    }
}
