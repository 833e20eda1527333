using System.Text.RegularExpressions;
using Hv.Conformance.Ring0.Cases;

namespace Hv.Conformance.Ring0.Results;

/// <summary>A difference between an engine and hv that the manual has decided.</summary>
/// <param name="Engine">Who differs from hv; more than one separated by commas.</param>
/// <param name="Case">Which cases: a pattern over the name, with <c>*</c>.</param>
/// <param name="Outcome">What the engine's outcome is in those cases: a pattern with <c>*</c>.</param>
/// <param name="Fields">Which fields: patterns, separated by commas; <c>*</c> for all.</param>
/// <param name="Wrong">Who is wrong: the engine's name, or <c>nobody</c> where the manual leaves it open.</param>
/// <param name="Why">What the manual says, and where.</param>
public sealed record KnownDifference(string Engine, string Case, string Outcome, string Fields, string Wrong, string Why)
{
    private readonly Regex _engine = Pattern(Engine), _case = Pattern(Case), _outcome = Pattern(Outcome), _fields = Pattern(Fields);

    /// <summary>Whether the row is about this case.</summary>
    public bool Matches(string engine, Ring0Case @case, CaseResult theirs) =>
        _engine.IsMatch(engine) && _case.IsMatch(@case.Name) && _outcome.IsMatch(theirs.Outcome);

    /// <summary>Whether the row explains a difference in this field.</summary>
    public bool Covers(string field) => _fields.IsMatch(field);

    private static Regex Pattern(string text) =>
        new($"^(?:{string.Join('|', text.Split(',').Select(t => Regex.Escape(t).Replace("\\*", ".*", StringComparison.Ordinal)))})$",
            RegexOptions.CultureInvariant);
}

/// <summary>The recorded differences, from <c>ring0.differences</c>: one row a line, six columns separated by <c>;</c>.</summary>
public sealed class KnownDifferences
{
    private const int Columns = 6;
    private readonly KnownDifference[] _rows;

    private KnownDifferences(IEnumerable<string> lines) => _rows = [.. lines.Where(l => l.Length > 0 && l[0] != '%').Select(Parse)];

    /// <summary>The rows that the repository keeps.</summary>
    public static KnownDifferences Recorded()
    {
        using var reader = new StreamReader(typeof(KnownDifferences).Assembly.GetManifestResourceStream("ring0.differences")!);
        return new KnownDifferences(reader.ReadToEnd().Split('\n'));
    }

    /// <summary>Rows from text, for tests.</summary>
    public static KnownDifferences Of(params string[] lines) => new(lines);

    /// <summary>All rows.</summary>
    public IReadOnlyList<KnownDifference> Rows => _rows;

    /// <summary>The rows about a case.</summary>
    public IEnumerable<KnownDifference> For(string engine, Ring0Case @case, CaseResult theirs) =>
        _rows.Where(r => r.Matches(engine, @case, theirs));

    private static KnownDifference Parse(string line)
    {
        string[] columns = [.. line.Split(';', Columns).Select(c => c.Trim())];
        return columns.Length == Columns ? new(columns[0], columns[1], columns[2], columns[3], columns[4], columns[5])
            : throw new FormatException($"a row of ring0.differences has {Columns} columns: '{line}'");
    }
}
