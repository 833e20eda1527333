using Hv.Conformance.Ring0;
using Hv.Conformance.Ring0.Engines;
using Hv.Conformance.Ring0.Families;
using Hv.Conformance.Ring0.Results;

namespace Hv.Conformance.Campaigns.Commands;

/// <summary>The ring-0 campaign.</summary>
public static class Ring0Command
{
    private const int UsualCases = 3_400, MostCases = 1_000_000, MostShown = 20;

    /// <summary>Runs it on hv and on what else is installed.</summary>
    public static int Run(Options options)
    {
        IReadOnlyList<Family> families = Ring0Campaign.FamiliesNamed(options.Family);
        var engines = new List<Engine> { new HvEngine() };
        foreach (Engine other in new Engine[] { new QemuEngine(), new BochsEngine() })
        {
            if (other.Missing is { } reason)
                Console.WriteLine($"{other.Name}: left out: {reason}");
            else
                engines.Add(other);
        }

        int cases = options.Cases == long.MaxValue ? UsualCases : (int)Math.Min(options.Cases, MostCases);
        var outcome = new CampaignOutcome(KnownDifferences.Recorded());
        new Ring0Campaign(options.Seed, families).Run(cases, engines, outcome);
        Console.WriteLine($"{cases:N0} cases of {families.Count} families, seed {options.Seed}, on {string.Join(", ", engines.Select(e => e.Version))}");
        Console.WriteLine($"outcomes: {string.Join(", ", outcome.Outcomes.OrderByDescending(o => o.Value).Select(o => $"{o.Key} {o.Value:N0}"))}");
        Print("not as the manual says", outcome.AgainstManual);
        Print("unexplained differences", outcome.Unexplained);
        Console.WriteLine($"{outcome.Explained.Values.Sum():N0} differences of {outcome.Explained.Count} kinds are decided by the manual and recorded");
        if (options.Keep && engines.Count > 1)
            CampaignRecord.Of(options.Seed, families, engines, outcome).Save(options.Recorded);
        return outcome.AgainstManual.Count + outcome.Unexplained.Count == 0 ? CommandLine.Agreed : CommandLine.Differed;
    }

    private static void Print(string what, List<string> lines)
    {
        Console.WriteLine($"{lines.Count:N0} {what}");
        foreach (string line in lines.Take(MostShown))
            Console.WriteLine($"  {line}");
    }
}
