using System.Collections.Concurrent;
using System.Text;
using Xunit;

namespace Hv.Contracts;

/// <summary>How the contract tests of one subject ended: counts, and for what did not run the reasons.</summary>
public sealed class ContractTally
{
    /// <summary>What the reason of a skip begins with when the test is a declared deviation.</summary>
    internal const string DeviationMark = "declared deviation: ";

    private readonly ConcurrentDictionary<string, int> _reasons = new();
    private int _passed, _failed;

    /// <summary>The counts so far in one line, then a line for each reason not to run, the most frequent first.</summary>
    public string Report
    {
        get
        {
            KeyValuePair<string, int>[] reasons = [.. _reasons.OrderByDescending(r => r.Value).ThenBy(r => r.Key, StringComparer.Ordinal)];
            int deviating = reasons.Where(IsDeviation).Sum(r => r.Value), skipped = reasons.Sum(r => r.Value) - deviating;
            var text = new StringBuilder($"{_passed + _failed} run, {_failed} failed, {skipped} skipped, {deviating} deviating as declared");
            foreach ((string reason, int count) in reasons)
                text.Append($"\n{count,6} {reason}");
            return text.ToString();
        }
    }

    /// <summary>Counts one test.</summary>
    /// <param name="result">How it ended.</param>
    /// <param name="whySkipped">For a skip the reason, where it was given by <see cref="ContractTest.Skip"/> or a harness.</param>
    internal void Count(TestResult? result, string? whySkipped)
    {
        if (result == TestResult.Skipped)
            _reasons.AddOrUpdate(whySkipped ?? "a reason of the test's own", 1, (_, n) => n + 1);
        else if (result == TestResult.Failed)
            Interlocked.Increment(ref _failed);
        else
            Interlocked.Increment(ref _passed);
    }

    private static bool IsDeviation(KeyValuePair<string, int> reason) => reason.Key.StartsWith(DeviationMark, StringComparison.Ordinal);
}
