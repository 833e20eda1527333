using Hv.Conformance.Campaigns.Forms;
using Hv.Conformance.Campaigns.Reporting;
using Xunit;

namespace Hv.Conformance.Tests;

/// <summary>Kept runs, one of each campaign and maker, and the document that is made of them.</summary>
public sealed class ReportTests
{
    [Fact]
    public void Runs_on_two_makers_processors_stand_side_by_side()
    {
        DirectoryInfo directory = Directory.CreateTempSubdirectory("hv-report-");
        string what = VendorDifferences.All[0].What;
        Run(Maker.Intel, "Processor I", 700, 3, what).Save(directory.FullName);
        Run(Maker.Amd, "Processor A", 900, 5, what).Save(directory.FullName);
        Run(Maker.Intel, "Processor I", 800, 4, what).Save(directory.FullName);
        string[] files = [.. directory.EnumerateFiles("*.run.json").Select(f => f.Name).Order(StringComparer.Ordinal)];
        Assert.Equal(["operands.amd.run.json", "operands.intel.run.json"], files);
        RunRecord[] runs = [.. files.Select(f => RunRecord.Load(Path.Combine(directory.FullName, f)))];
        directory.Delete(recursive: true);

        string[] lines = ConformanceReport.Write(runs, 0).Split('\n');
        Assert.Contains(lines, l => l.StartsWith("| operands |", StringComparison.Ordinal) && l.Contains("| Processor I | 1 | 800 |",
            StringComparison.Ordinal));
        Assert.Contains(lines, l => l.StartsWith("| operands |", StringComparison.Ordinal) && l.Contains("| Processor A | 1 | 900 |",
            StringComparison.Ordinal));
        Assert.Contains("| what | whose processors | do | hv | manuals | cases, Intel's | cases, AMD's |", lines);
        Assert.Contains(lines, l => l.StartsWith($"| {what} |", StringComparison.Ordinal) && l.EndsWith("| 4 | 5 |", StringComparison.Ordinal));
        // The biggest run's instructions.
        Assert.Contains(lines, l => l.Contains("of today, on Processor A.", StringComparison.Ordinal));
        Assert.Contains("| ADD | 1 | 900 | 0 |", lines);
        Assert.DoesNotContain("| ADD | 1 | 800 | 0 |", lines);
    }

    private static RunRecord Run(Maker maker, string processor, long cases, long vendorCases, string what) => new()
    {
        Campaign = "operands",
        Date = "today",
        Processor = processor,
        Maker = maker,
        Seed = 1,
        Cases = cases,
        Differences = 0,
        Seconds = 1,
        ProcessorSeconds = 1,
        Threads = 1,
        Outcomes = new() { ["completed"] = cases },
        Instructions = [new InstructionRecord("Add", "INTEL8086", 1, cases, 0)],
        VendorDifferences = new() { [what] = vendorCases },
    };
}
