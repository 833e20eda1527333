using Xunit;

namespace Hv.Contracts;

/// <summary>How the contract tests of a run ended, for the line at its end.</summary>
public static class ContractTally
{
    private static int s_passed, s_failed, s_skipped, s_deviating;

    /// <summary>The counts so far, in one line.</summary>
    public static string Line => $"contract tests: {s_passed + s_failed} run, {s_failed} failed, {s_skipped - s_deviating} skipped, {s_deviating} deviating as declared";

    /// <summary>Notes that the test which now is skipped is a declared deviation.</summary>
    internal static void CountDeviation() => Interlocked.Increment(ref s_deviating);

    internal static void Count(TestResultState? state)
    {
        if (state?.Result == TestResult.Skipped)
            Interlocked.Increment(ref s_skipped);
        else if (state?.Result == TestResult.Failed)
            Interlocked.Increment(ref s_failed);
        else
            Interlocked.Increment(ref s_passed);
    }
}
