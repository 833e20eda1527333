using System.Diagnostics;
using Hv.Conformance.Campaigns.Cases;
using Hv.Conformance.Campaigns.Commands;
using Hv.Conformance.Campaigns.Execution;
using Hv.Conformance.Campaigns.Forms;
using Hv.Conformance.Campaigns.Reporting;
using Hv.Conformance.Campaigns.Runs;
using Hv.Conformance.Oracle;
using Xunit;

namespace Hv.Conformance.Tests;

/// <summary>A campaign neither hangs nor loses what it has found.</summary>
public sealed class FindingsTests
{
    private static readonly TimeSpan _long = TimeSpan.FromMinutes(5);

    [Fact]
    public void Minimising_ends_with_its_tries_and_keeps_the_finding()
    {
        Native.Require();
        using var runner = new CaseRunner(new Broken(0));
        (Finding whole, _) = Reduce(runner, new Effort(int.MaxValue, _long));
        (Finding bounded, Effort effort) = Reduce(runner, new Effort(3, _long));
        Assert.Equal(3, effort.Tries);
        Assert.Equal("64 j 4801c8 ; ; ok fl=246", whole.Line);
        Assert.True(bounded.Line.Length > whole.Line.Length, bounded.Line);
        Assert.Contains("rax", bounded.Difference, StringComparison.Ordinal);
    }

    [Fact]
    public void Minimising_ends_with_its_time()
    {
        Native.Require();
        using var runner = new CaseRunner(new Broken(20));
        (Finding finding, Effort effort) = Reduce(runner, new Effort(int.MaxValue, TimeSpan.FromMilliseconds(100)));
        Assert.InRange(effort.Tries, 0, 6);
        Assert.Contains("rax", finding.Difference, StringComparison.Ordinal);
    }

    [Fact]
    public void A_case_that_ends_the_worker_is_not_tried_for_ever()
    {
        Native.Require();
        using var runner = new CaseRunner();
        var endless = new CodeSlot([0xEB, 0xFE], CodeMode.Bits64, EntryWay.Quick, 0x400);
        CaseRecord input = Busy(endless);
        Finding finding = Minimiser.Reduce(runner, endless, input, "outcome", new Effort(int.MaxValue, _long));
        Assert.InRange(runner.Native.Deaths, 1, 3);
        Assert.Contains("never ended", finding.Difference, StringComparison.Ordinal);
    }

    [Fact]
    public void A_finding_is_told_and_on_disk_before_it_is_minimised()
    {
        Native.Require();
        string path = Path.Combine(Path.GetTempPath(), Path.GetRandomFileName());
        var result = new CampaignResult();
        var journal = new FindingJournal(result, path);
        var limits = new CampaignLimits(1, 1, _long, 1);
        using var runner = new CaseRunner(new Broken(0));
        var collector = new DifferenceCollector(runner, result, limits);
        CodeSlot slot = Add();
        runner.Begin();
        runner.Place(slot);
        runner.Add(slot) = Busy(slot);
        runner.Run(new Tally());
        Assert.Equal(2, File.ReadAllLines(path).Length);
        Assert.Empty(result.Findings);
        collector.Flush();
        Assert.Single(result.Findings);
        journal.Forget();
        Assert.False(File.Exists(path));
    }

    [Fact]
    public void A_campaign_that_does_not_come_back_is_left_behind()
    {
        var limits = new CampaignLimits(1, long.MaxValue, _long, 1);
        limits.Stop();
        using var never = new ManualResetEventSlim();
        string? wrong = AttendedRun.Run(limits, new CampaignResult(), () => never.Wait(_long), TimeSpan.FromMilliseconds(200));
        never.Set();
        Assert.StartsWith("it did not come to its end", wrong, StringComparison.Ordinal);
    }

    [Fact]
    public void A_campaign_that_throws_says_so()
    {
        var limits = new CampaignLimits(1, long.MaxValue, _long, 1);
        Assert.Contains("the reason", AttendedRun.Run(limits, new CampaignResult(), () => throw new InvalidOperationException("the reason")),
            StringComparison.Ordinal);
        Assert.Null(AttendedRun.Run(limits, new CampaignResult(), () => { }));
    }

    /// <summary>A terminal's Ctrl-C, timeout(1) and container runtimes signal the whole group, workers too: their end would be a finding.</summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void SIGTERM_ends_a_campaign_with_its_results(bool wholeGroup)
    {
        Native.Require();
        const string Setsid = "/usr/bin/setsid";
        if (wholeGroup && !File.Exists(Setsid))
            Assert.Skip($"there is no {Setsid} here to make a process group with");
        string dotnet = Environment.ProcessPath is { } path && Path.GetFileNameWithoutExtension(path) == "dotnet" ? path : "dotnet";
        string[] command = [dotnet, Path.Combine(AppContext.BaseDirectory, "hv-conformance.dll"), "operands", "--instruction", "nop", "--seconds", "3600",
            "--threads", "1"];
        var start = new ProcessStartInfo(wholeGroup ? Setsid : dotnet, wholeGroup ? command : command[1..])
        {
            RedirectStandardOutput = true,
        };
        using Process campaign = Process.Start(start)!;
        // The forms are named once all is ready to begin.
        while (campaign.StandardOutput.ReadLine() is { } line && !line.StartsWith("forms:", StringComparison.Ordinal))
        {
        }

        Thread.Sleep(1000);
        using (Process kill = Process.Start("kill", ["-TERM", "--", wholeGroup ? $"-{campaign.Id}" : $"{campaign.Id}"]))
            kill.WaitForExit();
        string rest = campaign.StandardOutput.ReadToEnd();
        campaign.WaitForExit();
        Assert.Contains("differences: 0", rest, StringComparison.Ordinal);
        Assert.Equal(Campaigns.CommandLine.Agreed, campaign.ExitCode);
    }

    private static CodeSlot Add() => new([0x48, 0x01, 0xC8], CodeMode.Bits64, EntryWay.Quick, 0x400);

    private static (Finding Finding, Effort Effort) Reduce(CaseRunner runner, Effort effort)
    {
        CodeSlot slot = Add();
        return (Minimiser.Reduce(runner, slot, Busy(slot), "rax", effort), effort);
    }

    /// <summary>A state full of values, of which the difference needs none.</summary>
    private static CaseRecord Busy(CodeSlot slot)
    {
        CaseRecord record = CaseText.Default();
        for (int i = 0; i < 16; i++)
            if (i != 4)
                record.Registers[i] = 0x1111_1111ul * (uint)(i + 1);
        ((Span<byte>)record.Memory).Fill(0x5A);
        slot.Enter(ref record);
        return record;
    }

    /// <summary>hv's RAX is wrong, whatever the state.</summary>
    private sealed class Broken(int milliseconds) : IPerturbation
    {
        public void Apply(CodeSlot slot, in CaseRecord input, ref CaseRecord ours)
        {
            Thread.Sleep(milliseconds);
            ours.Registers[0] ^= 1;
        }
    }
}
