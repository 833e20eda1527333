using Hv.Conformance.Ring0.Cases;
using Hv.Conformance.Ring0.Engines;
using Hv.Conformance.Ring0.Results;
using Xunit;

namespace Hv.Conformance.Ring0.Tests;

/// <summary>The ring-0 campaign in little: hv against the manual's tables everywhere, and against the other implementations where they are
/// installed.</summary>
public sealed class CampaignTests
{
    private const ulong Seed = 20_261_129;
    private const int CasesForHv = 1_020, CasesForOthers = 340, FewestOutcomes = 12;

    [Fact]
    public void Hv_does_as_the_manual_says()
    {
        CampaignOutcome outcome = Run(CasesForHv);
        Assert.True(outcome.AgainstManual.Count == 0, string.Join('\n', outcome.AgainstManual.Take(20)));
        Assert.True(outcome.Outcomes.Count >= FewestOutcomes, $"only {string.Join(' ', outcome.Outcomes.Keys)}");
        Assert.True(outcome.Expected.Values.Sum() > CasesForHv * 9 / 10);
    }

    [Fact]
    public void Qemu_differs_from_hv_only_as_recorded() => AgreesWith(new QemuEngine());

    [Fact]
    public void Bochs_differs_from_hv_only_as_recorded() => AgreesWith(new BochsEngine());

    [Fact]
    public void The_same_seed_draws_the_same_cases()
    {
        IReadOnlyList<Ring0Case> one = new Ring0Campaign(Seed, Ring0Campaign.AllFamilies).Draw(0, 170);
        IReadOnlyList<Ring0Case> two = new Ring0Campaign(Seed, Ring0Campaign.AllFamilies).Draw(0, 170);
        Assert.Equal(one.Select(c => c.Name), two.Select(c => c.Name));
        Assert.NotEqual(one.Select(c => c.Name), new Ring0Campaign(Seed + 1, Ring0Campaign.AllFamilies).Draw(0, 170).Select(c => c.Name));
    }

    [Fact]
    public void Every_rule_of_every_table_decides_some_case()
    {
        const int Enough = 2_500;
        var idle = new List<string>();
        foreach (Families.Family family in Ring0Campaign.AllFamilies.Where(f => f.Tables.Count > 0))
        {
            for (int i = 0; i < Enough; i++)
                family.Make(new CaseRandom(Seed, (ulong)i), i);
            idle.AddRange(family.Tables.SelectMany(t => t.Coverage).Where(r => r.Decided == 0).Select(r => $"{family.Name}: {r.Rule}"));
        }

        Assert.True(idle.Count == 0, string.Join('\n', idle));
    }

    [Fact]
    public void An_unknown_family_is_refused_with_the_names_of_those_that_exist()
    {
        ArgumentException refused = Assert.Throws<ArgumentException>(() => Ring0Campaign.FamiliesNamed("pagin"));
        Assert.Contains("paging", refused.Message, StringComparison.Ordinal);
        Assert.Contains("virtual-8086", refused.Message, StringComparison.Ordinal);
        Assert.Equal(["paging"], Ring0Campaign.FamiliesNamed("paging").Select(f => f.Name));
    }

    private static CampaignOutcome Run(int cases, params Engine[] others)
    {
        var outcome = new CampaignOutcome(KnownDifferences.Recorded());
        new Ring0Campaign(Seed, Ring0Campaign.AllFamilies).Run(cases, [new HvEngine(), .. others], outcome);
        return outcome;
    }

    private static void AgreesWith(Engine engine)
    {
        if (engine.Missing is { } reason)
            Assert.Skip(reason);
        CampaignOutcome outcome = Run(CasesForOthers, engine);
        Assert.True(outcome.Unexplained.Count == 0, string.Join('\n', outcome.Unexplained.Take(20)));
    }
}
