using Hv.Conformance.Ring0.Guest;

namespace Hv.Conformance.Ring0.Cases;

/// <summary>One case: what the arena holds beyond its template, and what must come of it.</summary>
public sealed record Ring0Case
{
    /// <summary>Family, then what tells the case from its siblings.</summary>
    public required string Name { get; init; }

    public required BootMode Mode { get; init; }

    /// <summary>Bytes written into the arena before the case begins; its code is among them.</summary>
    public required IReadOnlyList<(uint Address, byte[] Bytes)> Pokes { get; init; }

    /// <summary>Places in the code by the RIP that a frame shows. At one called <see cref="Test"/> the instruction under test lies; any other is a
    /// UD2
    /// that ends the case.</summary>
    public required IReadOnlyDictionary<ulong, string> Marks { get; init; }

    /// <summary>What the manual says; null where only the engines are compared.</summary>
    public Expectation? Expected { get; init; }

    /// <summary>An engine that cannot survive the case, and why.</summary>
    public (string Engine, string Why)? LeftOut { get; init; }

    /// <summary>The mark of the instruction under test.</summary>
    public const string Test = "test";

    /// <summary>The family's name.</summary>
    public string Family => Name[..Name.IndexOf('/', StringComparison.Ordinal)];
}

/// <summary>What the manual says of a case.</summary>
/// <param name="Outcome">As <see cref="Results.CaseResult.Outcome"/> writes it.</param>
/// <param name="Citation">Where it says so.</param>
public sealed record Expectation(string Outcome, string Citation)
{
    /// <summary>Words of the record that must have these values.</summary>
    public IReadOnlyList<(RecordField Field, ulong Value)> Fields { get; init; } = [];

    /// <summary>RFLAGS in the last frame: which bits count, and their values.</summary>
    public (ulong Mask, ulong Value)? SavedFlags { get; init; }

    /// <summary>Memory that must have these values, up to 8 bytes each.</summary>
    public IReadOnlyList<(uint Address, int Size, ulong Value)> Memory { get; init; } = [];
}

/// <summary>One row of a table made from a manual's pseudo-code: the first row that holds decides.</summary>
/// <param name="When">The condition in words.</param>
/// <param name="Holds">The condition.</param>
/// <param name="Outcome">What comes of it.</param>
/// <param name="Citation">Where the manual says so.</param>
public sealed record Rule<T>(string When, Func<T, bool> Holds, Func<T, string> Outcome, string Citation);

/// <summary>A table of rules; counts how often each decided.</summary>
public sealed class RuleTable<T>(params IReadOnlyList<Rule<T>> rules) : IRuleTable
{
    private readonly int[] _decided = new int[rules.Count];

    /// <summary>The expectation for an input.</summary>
    public Expectation Decide(T input)
    {
        for (int i = 0; i < rules.Count; i++)
        {
            if (!rules[i].Holds(input))
                continue;
            _decided[i]++;
            return new Expectation(rules[i].Outcome(input), $"{rules[i].Citation}: {rules[i].When}");
        }

        throw new InvalidOperationException($"no rule for {input}");
    }

    /// <inheritdoc/>
    public IEnumerable<(string Rule, int Decided)> Coverage => rules.Select((rule, i) => ($"{rule.Citation}: {rule.When}", _decided[i]));
}

/// <summary>A table whose rows can be counted.</summary>
public interface IRuleTable
{
    /// <summary>Each row and how many cases it decided.</summary>
    IEnumerable<(string Rule, int Decided)> Coverage { get; }
}
