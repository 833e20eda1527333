using Hv.Conformance.Campaigns.Cases;
using Hv.Conformance.Campaigns.Execution;
using Hv.Conformance.Oracle;

namespace Hv.Conformance.Campaigns.Replay;

/// <summary>The cases kept in the repository: silicon's results, for machines that have no such silicon and for faults found before.</summary>
public static class RecordedCases
{
    /// <summary>Where a recorded case's code lies: RIP-relative operands and return addresses depend on it.</summary>
    public const uint Offset = 0x400;

    /// <summary>The lines of all <c>*.cases</c> files in a directory, without comments.</summary>
    public static IEnumerable<(string File, string Line)> Read(string directory)
    {
        foreach (string path in Directory.EnumerateFiles(directory, "*.cases").Order(StringComparer.Ordinal))
            foreach (string line in File.ReadLines(path))
                if (line.Length > 0 && line[0] != '%')
                    yield return (Path.GetFileName(path), line);
    }

    /// <summary>Runs one line on hv's side.</summary>
    /// <returns>What differs from silicon's recorded result, or null.</returns>
    public static string? Run(SoftwareSide software, string line)
    {
        (CodeSlot slot, CaseRecord input, CaseRecord silicon) = CaseText.Parse(line, Offset);
        software.ClearData();
        software.Place(slot);
        CaseRecord ours = default;
        software.Execute(in input, slot.DisturbsSegments, ref ours, slot.EndRip, slot.Repeats);
        Comparison.NormaliseOurs(ref ours, slot);
        return Comparison.Difference(in input, in silicon, in ours, slot);
    }

    /// <summary>Runs one line on this machine's processor.</summary>
    /// <returns>What differs from the recorded result, or null.</returns>
    public static string? RunNative(CaseRunner runner, string line)
    {
        (CodeSlot slot, CaseRecord input, CaseRecord recorded) = CaseText.Parse(line, Offset);
        runner.RunOne(slot, in input, out CaseRecord silicon, out _);
        return Comparison.Difference(in input, in recorded, in silicon, slot);
    }
}
