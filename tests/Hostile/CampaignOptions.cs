using System.Globalization;

namespace Hv.Hostile;

/// <summary>What a campaign is told on its command line.</summary>
internal sealed record CampaignOptions
{
    public const string Usage = """
        usage: dotnet run -c Release --project tests/Hostile -- [--seconds N] [--seed N] [--backend NAME] [--kind KIND] [--case N]
          --seconds N     how long, 1..86400 (10)
          --seed N        the campaign's seed; the same seed gives the same cases in the same order (1)
          --backend NAME  one backend; without it each one in turn
          --kind KIND     code, msr, para, paging, image, state or vector; without it each in turn
          --case N        runs this one case of the seed, with --kind and --backend, and prints how it ended
        """;

    public double Seconds { get; init; } = 10;

    public ulong Seed { get; init; } = 1;

    public string? Backend { get; init; }

    public string? Kind { get; init; }

    public long? Case { get; init; }

    /// <summary>Reads the command line. Null, with one line of what is wrong, when it is wrong.</summary>
    public static CampaignOptions? Parse(IReadOnlyList<string> args, out string problem)
    {
        var options = new CampaignOptions();
        problem = "";
        for (int i = 0; i < args.Count; i += 2)
        {
            string name = args[i];
            if (i + 1 == args.Count)
            {
                problem = $"{name} needs a value";
                return null;
            }

            string value = args[i + 1];
            bool good = true;
            switch (name)
            {
                case "--seconds":
                    good = double.TryParse(value, NumberStyles.Float, CultureInfo.InvariantCulture, out double seconds)
                        && seconds is >= 1 and <= 86400;
                    options = options with { Seconds = seconds };
                    break;
                case "--seed":
                    good = ulong.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out ulong seed);
                    options = options with { Seed = seed };
                    break;
                case "--case":
                    good = long.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out long number);
                    options = options with { Case = number };
                    break;
                case "--backend":
                    options = options with { Backend = value };
                    break;
                case "--kind":
                    options = options with { Kind = value };
                    break;
                default:
                    problem = $"{name} is not an option";
                    return null;
            }

            if (!good)
            {
                problem = $"{name} cannot be \"{value}\"";
                return null;
            }
        }

        return options;
    }
}
