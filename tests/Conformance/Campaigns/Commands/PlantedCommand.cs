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

    /// <summary>Runs the command.</summary>
    public static int Run(Options options)
    {
        Dictionary<Form, FormStatus> status = CampaignCommands.Probe(options);
        var caught = new Dictionary<string, bool>();
        var limits = options.Limits;
        if (Differs(options, status, null, out _))
            Console.WriteLine("warning: the campaigns differ without a planted fault; a fault below may be caught for that reason");
        foreach (Planted fault in PlantedFaults.All)
        {
            bool found = Differs(options, status, fault, out string by);
            caught[fault.Name] = found;
            Console.WriteLine($"{(found ? "caught" : "MISSED"),-7} {fault.Name} {by}");
        }

        int count = caught.Values.Count(c => c);
        Console.WriteLine($"{count} of {caught.Count} planted faults caught, seed {options.Seed}");
        if (options.Keep)
        {
            new RunRecord
            {
                Campaign = options.Command,
                Date = DateTime.UtcNow.ToString("yyyy-MM-dd HH:mm", System.Globalization.CultureInfo.InvariantCulture),
                Processor = HostProcessor.Name(),
                Seed = options.Seed,
                Cases = caught.Count,
                Differences = caught.Count - count,
                Seconds = Math.Round(limits.Elapsed.TotalSeconds, 1),
                Threads = options.Threads,
                Planted = caught,
            }.Save(Path.Combine(options.Recorded, "planted.run.json"));
        }

        return count == caught.Count ? CommandLine.Agreed : CommandLine.Differed;
    }

    /// <summary>Whether a campaign notices <paramref name="fault"/>. Of the operand campaign only the forms run that the fault is in: in the others it
    /// cannot show.</summary>
    public static bool Differs(Options options, Dictionary<Form, FormStatus> status, Planted? fault, out string by)
    {
        var result = new CampaignResult();
        bool one = fault is not null && fault.Instruction != Mnemonic.INVALID;
        if (one)
            status = status.Where(s => s.Key.OpCode.Mnemonic == fault!.Instruction).ToDictionary();
        var limits = new CampaignLimits(options.Seed, one ? MostOfInstruction : MostCases, TimeSpan.FromMinutes(2), options.Threads);
        new OperandCampaign(limits, status, result) { Perturbation = fault, StopAtFirst = true }.Run();
        by = $"(operands, {result.Tally.Cases:N0} cases)";
        if (result.Tally.Differences > 0)
            return true;
        if (!status.Values.Any(s => s.IsCompared()))
        {
            by = "(not compared on this machine)";
            return false;
        }

        limits = new CampaignLimits(options.Seed, MostEncodings, TimeSpan.FromMinutes(2), options.Threads);
        result = new CampaignResult();
        new EncodingCampaign(limits, status, result) { Perturbation = fault, StopAtFirst = true }.Run();
        by = $"(encodings, {result.Tally.Cases:N0} cases)";
        return result.Tally.Differences > 0;
    }
}
