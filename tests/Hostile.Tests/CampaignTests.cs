using Hv.Core;
using Hv.Host.Composition;
using Microsoft.Extensions.DependencyInjection;
using Xunit;

namespace Hv.Hostile.Tests;

/// <summary>A short campaign on every backend, and the campaign's own judgement.</summary>
public sealed class CampaignTests
{
    [Fact]
    public void A_short_campaign_on_every_backend_holds()
    {
        using ServiceProvider services = new ServiceCollection().AddHvCore().AddBackends().BuildServiceProvider();
        IBackend[] backends = Campaign.Suitable(services.GetServices<IBackend>());
        Assert.NotEmpty(backends);
        using var output = new StringWriter();
        Assert.True(new Campaign(backends, Campaign.AllKinds, new CampaignOptions { Seconds = 6 }, output).Run(), output.ToString());
    }

    [Fact]
    public void The_same_seed_gives_the_same_outcomes()
    {
        IBackend backend = FirstBackend(out ServiceProvider services);
        using (services)
            Assert.Equal(Outcomes(backend), Outcomes(backend));

        static string Outcomes(IBackend backend) => string.Join('\n', from kind in Campaign.AllKinds
                                                                      from number in Enumerable.Range(0, 8)
                                                                      select kind.Run(backend, new SeededRandom((ulong)number)));
    }

    [Fact]
    public void An_exception_is_a_failure_with_the_command_that_repeats_it()
    {
        IBackend backend = FirstBackend(out ServiceProvider services);
        using (services)
        {
            using var output = new StringWriter();
            Assert.False(new Campaign([backend], [new Broken()], new CampaignOptions { Seed = 42 }, output).Run());
            Assert.Contains($"--seed 42 --kind broken --case 0 --backend {backend.Name}", output.ToString(), StringComparison.Ordinal);
            Assert.Contains("planted", output.ToString(), StringComparison.Ordinal);
        }
    }

    [Fact]
    public void Outcomes_that_are_all_alike_are_a_failure()
    {
        var histogram = new Histogram();
        for (int i = 0; i < Histogram.LeastCases - 1; i++)
            histogram.Add("kind", "same");
        Assert.Empty(histogram.Degenerate());
        histogram.Add("kind", "same");
        Assert.Single(histogram.Degenerate());
        histogram.Add("kind", "other");
        histogram.Add("kind", "third");
        Assert.Single(histogram.Degenerate());
        for (int i = 0; i < 5; i++)
            histogram.Add("kind", $"rare {i}");
        Assert.Empty(histogram.Degenerate());
    }

    [Theory]
    [InlineData("--seconds", "0")]
    [InlineData("--seconds", "soon")]
    [InlineData("--seed", "-1")]
    [InlineData("--case", "x")]
    [InlineData("--sped", "1")]
    [InlineData("--seed", null)]
    public void A_wrong_command_line_is_named(string name, string? value)
    {
        Assert.Null(CampaignOptions.Parse(value is null ? [name] : [name, value], out string problem));
        Assert.Contains(name, problem, StringComparison.Ordinal);
    }

    [Fact]
    public void Numbers_are_the_same_on_every_machine()
    {
        // SplitMix64 from seed 1234567: the first values of its reference implementation (Steele, Lea, Flood 2014; Vigna's splitmix64.c).
        var random = new SeededRandom(1234567);
        Assert.Equal([6457827717110365317UL, 3203168211198807973UL, 9817491932198370423UL], [random.Next(), random.Next(), random.Next()]);
    }

    private static IBackend FirstBackend(out ServiceProvider services)
    {
        services = new ServiceCollection().AddHvCore().AddBackends().BuildServiceProvider();
        return Campaign.Suitable(services.GetServices<IBackend>())[0];
    }

    private sealed class Broken : IHostileKind
    {
        public string Name => "broken";

        public string Run(IBackend backend, SeededRandom random) => throw new InvalidOperationException("planted");
    }
}
