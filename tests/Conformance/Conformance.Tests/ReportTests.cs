using Hv.Conformance.Campaigns.Forms;
using Hv.Conformance.Campaigns.Reporting;
using Xunit;

namespace Hv.Conformance.Tests;

/// <summary>Kept runs, one of each campaign and processor, and the document that is made of them.</summary>
public sealed class ReportTests
{
    [Fact]
    public void Runs_on_several_processors_stand_side_by_side()
    {
        DirectoryInfo directory = Directory.CreateTempSubdirectory("hv-report-");
        string what = VendorDifferences.All[0].What;
        Run(Maker.Intel, 6, 0xCF, "Processor I", 700, 3, what).Save(directory.FullName);
        Run(Maker.Amd, 0x19, 0x11, "Processor A", 900, 5, what).Save(directory.FullName);
        Run(Maker.Intel, 6, 0xCF, "Processor I", 800, 4, what).Save(directory.FullName);
        (Run(Maker.Amd, 0x1A, 2, "Processor B", 5000, 2, what) with { CannotRun = ["16-bit code (7 forms skipped): a reason"] }).Save(directory.FullName);
        string[] files = [.. directory.EnumerateFiles("*.run.json").Select(f => f.Name).Order(StringComparer.Ordinal)];
        Assert.Equal(["operands.amd-25-17.run.json", "operands.amd-26-2.run.json", "operands.intel-6-207.run.json"], files);
        (Run(Maker.Amd, 0x1A, 2, "Processor B", 3, 0, what) with
        {
            Campaign = "planted",
            Planted = new() { ["one"] = true, ["two"] = true, ["three"] = false },
            PlantedNotHere = ["four"],
        }).Save(directory.FullName);
        files = [.. files, "planted.amd-26-2.run.json"];
        RunRecord[] runs = [.. files.Select(f => RunRecord.Load(Path.Combine(directory.FullName, f)))];
        directory.Delete(recursive: true);

        string[] lines = ConformanceReport.Write(runs, 0).Split('\n');
        Assert.Contains(lines, l => l.StartsWith("| operands |", StringComparison.Ordinal) && l.Contains("| Processor I | 1 | 800 |",
            StringComparison.Ordinal));
        Assert.Contains(lines, l => l.StartsWith("| operands |", StringComparison.Ordinal) && l.Contains("| Processor A | 1 | 900 |",
            StringComparison.Ordinal));
        Assert.Contains(lines, l => l.Contains("| Processor B | 1 | 5,000 |", StringComparison.Ordinal));
        Assert.Contains("operands, AMD's (family 1Ah, model 02h): that machine runs no 16-bit code (7 forms skipped): a reason.", lines);
        Assert.Contains("- 2 of 3 known emulator faults, planted one at a time, were caught on Processor B (today, seed 1). Not on that machine: 1 (four).", lines);
        Assert.Contains("| what | whose processors | do | hv | manuals | cases, Intel's | cases, AMD's |", lines);
        Assert.Contains(lines, l => l.StartsWith($"| {what} |", StringComparison.Ordinal) && l.EndsWith("| 4 | 7 |", StringComparison.Ordinal));
        // The instructions of the biggest run that had all kinds of code.
        Assert.Contains(lines, l => l.Contains("of today, on Processor A.", StringComparison.Ordinal));
        Assert.Contains("| ADD | 1 | 900 | 0 |", lines);
        Assert.DoesNotContain("| ADD | 1 | 800 | 0 |", lines);
        Assert.DoesNotContain("| ADD | 1 | 5,000 | 0 |", lines);
    }

    private static RunRecord Run(Maker maker, int family, int model, string processor, long cases, long vendorCases, string what) => new()
    {
        Campaign = "operands",
        Date = "today",
        Processor = processor,
        Maker = maker,
        Family = family,
        Model = model,
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
