using System.Diagnostics;
using System.Globalization;
using Hv.Conformance.Campaigns;
using Hv.Conformance.Campaigns.Commands;
using Hv.Conformance.Campaigns.Execution;
using Hv.Conformance.Campaigns.Forms;
using Hv.Conformance.Campaigns.Planting;
using Hv.Conformance.Campaigns.Replay;
using Hv.Conformance.Campaigns.Runs;
using Hv.Conformance.Oracle;
using Xunit;

namespace Hv.Conformance.Tests;

/// <summary>The campaigns in little: recorded cases everywhere, fresh ones where this machine's processor can be asked.</summary>
public sealed class CampaignTests(Probed probed) : IClassFixture<Probed>
{
    private const ulong Seed = 20_260_101;
    private const int FewestRecorded = 3000;
    private static readonly TimeSpan _most = TimeSpan.FromSeconds(20);

    [Fact]
    public void Recorded_cases_agree_with_silicon()
    {
        using var software = new SoftwareSide();
        int count = 0;
        var differing = new List<string>();
        foreach ((string file, string line) in RecordedCases.Read(Path.Combine(AppContext.BaseDirectory, "Recorded")))
        {
            count++;
            if (RecordedCases.Run(software, line) is { } difference)
                differing.Add($"{file}: {line}: {difference}");
        }

        Assert.True(count >= FewestRecorded, $"only {count} recorded cases");
        Assert.True(differing.Count == 0, $"{differing.Count} of {count} differ:\n{string.Join('\n', differing.Take(20))}");
    }

    [Fact]
    public void Fresh_operands_agree_with_silicon()
    {
        var result = new CampaignResult();
        new OperandCampaign(new CampaignLimits(Seed, 300_000, _most, 1), probed.Status, result).Run();
        AssertAgreed(result, 0.6, 100_000);
    }

    [Fact]
    public void Fresh_encodings_agree_with_silicon()
    {
        var result = new CampaignResult();
        new EncodingCampaign(new CampaignLimits(Seed, 60_000, _most, 1), probed.Status, result).Run();
        AssertAgreed(result, 0.1, 10_000);
    }

    [Fact]
    public void Fresh_blocks_agree_with_silicon()
    {
        var result = new CampaignResult();
        new BlockCampaign(new CampaignLimits(Seed, 30_000, _most, 1), probed.Status, result).Run();
        AssertAgreed(result, 0.3, 5_000);
    }

    [Theory]
    [InlineData("operands", 50_000)]   // none of the three is a number of whole batches
    [InlineData("encodings", 40_000)]
    [InlineData("blocks", 5_000)]
    public void Any_number_of_threads_runs_the_same_cases(string campaign, long most)
    {
        (string one, long cases) = Run(1);
        Assert.Equal(one, Run(2).Text);
        Assert.Equal(one, Run(3).Text);
        Assert.InRange(cases, most * 8 / 10, most + NativeOracle.Capacity);

        (string Text, long Cases) Run(int threads)
        {
            var result = new CampaignResult();
            var limits = new CampaignLimits(Seed, most, TimeSpan.FromMinutes(5), threads);
            switch (campaign)
            {
                case "operands":
                    new OperandCampaign(limits, probed.Status, result).Run();
                    break;
                case "encodings":
                    new EncodingCampaign(limits, probed.Status, result).Run();
                    break;
                default:
                    new BlockCampaign(limits, probed.Status, result).Run();
                    break;
            }

            Tally tally = result.Tally;
            // Whether the kernel or a hypervisor switches away in the middle of a case is no property of the cases.
            var rows = tally.VendorDifferences.Where(d => d.Key != "x87 pointers of before the instruction" && d.Key != VendorDifferences.Unsteady.What);
            return ($"{tally.Cases} {tally.Discarded} {tally.OutsideModel} {tally.Differences}\n{tally.Histogram()}\n" +
                $"{string.Join('\n', rows)}\n{string.Join('\n', result.Cases)}", tally.Cases);
        }
    }

    [Fact]
    public void Without_AVX_its_forms_are_skipped_and_SSE_is_compared()
    {
        Native.Require();
        using var runner = new CaseRunner(avx: false);
        string[] compared = ["addps", "cvttsd2si", "pshufb", "paddd", "fadd", "fxrstor", "add"], skipped = ["vaddps", "vpaddd", "xsave"];
        Dictionary<Form, FormStatus> status = FormProbe.Run(runner, [.. compared.Concat(skipped).SelectMany(FormList.OfInstruction)]);
        foreach ((Form form, FormStatus found) in status)
        {
            if (Native.Capabilities.WhyNot((int)form.Mode) is not null)
                Assert.Equal($"this machine runs no {(int)form.Mode}-bit code", found.Reason(form));
            else if (compared.Contains(form.OpCode.Mnemonic.ToString(), StringComparer.OrdinalIgnoreCase))
                Assert.True(found == FormStatus.Compared, $"{form}: {found}");
            else
                Assert.Equal($"this processor has not {form.Feature}", found.Reason(form));
        }

        var result = new CampaignResult();
        var limits = new CampaignLimits(Seed, 20_000, _most, 1);
        new OperandCampaign(limits, status, result).Run(runner);
        AssertAgreed(result, 0.6, 20_000);
        Assert.All(compared, name => Assert.Contains(name, result.Cases.Keys, StringComparer.OrdinalIgnoreCase));

        // The state goes in and comes out: without, a wrong result would agree.
        runner.Perturbation = PlantedFaults.All.Single(f => f.Name == "ADDPS rounds wrongly");
        var faulty = new CampaignResult();
        new OperandCampaign(new CampaignLimits(Seed, 20_000, _most, 1), status, faulty) { StopAtFirst = true }.Run(runner);
        Assert.True(faulty.Tally.Differences > 0);
    }

    [Fact]
    public void A_machine_without_AVX_says_what_it_skips()
    {
        Native.Require();
        var start = new ProcessStartInfo("dotnet", [Path.Combine(AppContext.BaseDirectory, "hv-conformance.dll"), "operands", "--instruction",
            "addps,vaddps,vfmadd213pd", "--cases", "5000", "--threads", "1"])
        { RedirectStandardOutput = true };
        start.Environment["DOTNET_EnableAVX"] = "0";
        using Process campaign = Process.Start(start)!;
        string output = campaign.StandardOutput.ReadToEnd();
        campaign.WaitForExit();
        // One form of ADDPS and four that need AVX in each kind of code.
        int modes = Enum.GetValues<CodeMode>().Count(m => Native.Capabilities.WhyNot((int)m) is null);
        Assert.Contains($"this processor has not, and so skips: AVX ({2 * modes} forms), FMA ({2 * modes} forms)\n", output, StringComparison.Ordinal);
        Assert.Contains($"forms: {modes} compared, {15 - modes} not", output, StringComparison.Ordinal);
        foreach (CodeMode mode in Enum.GetValues<CodeMode>())
            if (Native.Capabilities.WhyNot((int)mode) is { } reason)
                Assert.Contains($"this machine runs no {(int)mode}-bit code (5 forms skipped): {reason}\n", output, StringComparison.Ordinal);
        Assert.Contains("differences: 0", output, StringComparison.Ordinal);
        Assert.Equal(CommandLine.Agreed, campaign.ExitCode);
    }

    [Theory]
    [InlineData("ADD inverts OF")]
    [InlineData("DIV misses #DE")]
    [InlineData("STOSD stores three bytes")]
    [InlineData("page faults of stores report a read")]
    [InlineData("NOP with ModRM is a byte too long")]
    [InlineData("FADD rounds wrongly")]
    [InlineData("FLD m32 misses the denormal flag")]
    [InlineData("ADDPS rounds wrongly")]
    [InlineData("ADDSS takes the NaN of the wrong operand")]
    [InlineData("VANDPS of 128 bits leaves the upper half of YMM")]
    [InlineData("an unmasked SIMD exception is not raised")]
    public void A_planted_fault_is_caught(string name)
    {
        Planted fault = PlantedFaults.All.Single(f => f.Name == name);
        var options = Options.Parse(["planted", "--seed", Seed.ToString(CultureInfo.InvariantCulture), "--threads", "1"]);
        Assert.True(PlantedCommand.Notices(options, probed.Status, fault, out string by) == true, by);
    }

    [Fact]
    public void A_fault_in_what_the_machine_cannot_run_is_not_missed()
    {
        var options = Options.Parse(["planted", "--seed", Seed.ToString(CultureInfo.InvariantCulture), "--threads", "1"]);
        Planted daa = PlantedFaults.All.Single(f => f.Name == "DAA leaves CF");
        Dictionary<Form, FormStatus> status = FormList.OfInstruction("daa").ToDictionary(f => f, _ => FormStatus.ModeNotOnThisMachine);
        Assert.Null(PlantedCommand.Notices(options, status, daa, out string by));
        Assert.Equal("(not on this machine)", by);
        // hv's own gap is one.
        status[status.Keys.First()] = FormStatus.NotInModel;
        Assert.False(PlantedCommand.Notices(options, status, daa, out _));
    }

    [Fact]
    public void At_least_fifty_faults_can_be_planted_and_each_has_its_own_name()
    {
        Assert.True(PlantedFaults.All.Count >= 50);
        Assert.Equal(PlantedFaults.All.Count, PlantedFaults.All.Select(f => f.Name).Distinct().Count());
    }

    [Fact]
    public void The_instructions_are_compared()
    {
        // A decoder that answers #UD to everything would leave nothing to compare and pass.
        string[] compared = [.. probed.Status.Where(s => s.Value.IsCompared()).Select(s => s.Key.OpCode.Mnemonic.ToString()).Distinct()];
        foreach (string name in (string[])["Add", "Mov", "Push", "Call", "Movsb", "Div", "Shld", "Cmpxchg16b", "Popcnt", "Pext", "Mulx", "Lzcnt",
            "Movbe", "Enter", "Bts", "Iretq", "Retf", "Fadd", "Fsin", "Fbstp", "Fxsave", "Xrstor", "Addps", "Cvttsd2si", "Vfmadd213pd",
            "Vcvtph2ps"])
            Assert.Contains(name, compared);
        foreach (CodeMode mode in (CodeMode[])[CodeMode.Bits32, CodeMode.Bits16])
            Assert.Equal(Native.Capabilities.WhyNot((int)mode) is null,
                probed.Status.Any(s => s.Key.Mode == mode && s.Key.OpCode.Mnemonic == Iced.Intel.Mnemonic.Daa && s.Value.IsCompared()));
    }

    [Fact]
    public void Every_form_of_x86_64_v3_is_in_the_model()
    {
        string[] missing = [.. probed.Status.Where(s => s.Value == FormStatus.NotInModel && PromisedForms.Contains(s.Key))
            .Select(s => s.Key.ToString())];
        Assert.Empty(missing);
        Assert.True(probed.Status.Keys.Count(PromisedForms.Contains) > 5500, "the list of forms has shrunk");
    }

    private static void AssertAgreed(CampaignResult result, double leastCompleted, long leastCases)
    {
        Assert.True(result.Tally.Differences == 0, $"{result.Tally.Differences} " +
            $"differences:\n{string.Join('\n', result.Findings.Select(f => $"{f.Instruction}\n  {f.Line}\n  {f.Difference}"))}");
        Assert.Null(result.Tally.Degenerate(leastCompleted));
        Assert.True(result.Tally.Cases >= leastCases, $"only {result.Tally.Cases} cases");
    }
}

/// <summary>The forms' status, found once.</summary>
public sealed class Probed
{
    private Dictionary<Form, FormStatus>? _status;

    /// <summary>The status of each form; skips the test where nothing can be executed.</summary>
    public Dictionary<Form, FormStatus> Status
    {
        get
        {
            Native.Require();
            if (_status is not null)
                return _status;
            using var runner = new CaseRunner();
            return _status = FormProbe.Run(runner, FormList.All);
        }
    }
}
