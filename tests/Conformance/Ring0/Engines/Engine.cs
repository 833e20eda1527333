using System.Buffers;
using Hv.Conformance.Ring0.Cases;
using Hv.Conformance.Ring0.Guest;
using Hv.Conformance.Ring0.Results;

namespace Hv.Conformance.Ring0.Engines;

/// <summary>Something that runs a guest image and gives its output.</summary>
public abstract class Engine(string name)
{
    private static readonly SearchValues<char> _printed = SearchValues.Create("0123456789abcdef/:| ");

    /// <summary>The name that differences are recorded under.</summary>
    public string Name { get; } = name;

    /// <summary>Null where it can run here; else why not, and what to install.</summary>
    public abstract string? Missing { get; }

    /// <summary>Name and version.</summary>
    public abstract string Version { get; }

    /// <summary>Runs the cases. An engine that ends or hangs in one is started again behind it.</summary>
    /// <returns>A result a case; null where the case is left out for this engine.</returns>
    public CaseResult?[] Run(IReadOnlyList<Ring0Case> cases)
    {
        int[] fit = [.. Enumerable.Range(0, cases.Count).Where(i => cases[i].LeftOut is not { } left || left.Engine != Name)];
        var all = new CaseResult?[cases.Count];
        if (fit.Length == 0)
            return all;
        var image = new GuestImage([.. fit.Select(i => cases[i])]);
        var results = new CaseResult[fit.Length];
        for (int first = 0; first < results.Length;)
        {
            (string output, string end) = Boot(image, first);
            int done = Read(image, output, first, results);
            if (done >= results.Length)
                break;
            results[done] = CaseResult.Ended(image.Cases[done], end);
            first = done + 1;
        }

        for (int i = 0; i < fit.Length; i++)
            all[fit[i]] = results[i];
        return all;
    }

    /// <summary>Boots the image once.</summary>
    /// <returns>What was printed, and how a case that was not finished ended.</returns>
    protected abstract (string Output, string End) Boot(GuestImage image, int first);

    private static int Read(GuestImage image, string output, int first, CaseResult[] results)
    {
        int next = first;
        for (int at = output.IndexOf('#', StringComparison.Ordinal); at >= 0; at = output.IndexOf('#', at + 1))
        {
            int end = output.IndexOf('\n', at);
            string line = end < 0 ? "" : output[(at + 1)..end].TrimEnd('\r');
            // A line that ends in an emulator's own words belongs to a case that did not end.
            if (line.Length == 0 || line.AsSpan().ContainsAnyExcept(_printed))
                break;
            int space = line.IndexOf(' ', StringComparison.Ordinal);
            if (line[..space] != $"{next:x}")
                throw new InvalidOperationException($"case {next} answered '{line}'");
            results[next] = CaseResult.Of(image.Cases[next], line[(space + 1)..]);
            next++;
        }

        return next;
    }
}
