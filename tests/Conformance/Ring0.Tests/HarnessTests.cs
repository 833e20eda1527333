using Hv.Conformance.Ring0.Cases;
using Hv.Conformance.Ring0.Engines;
using Hv.Conformance.Ring0.Guest;
using Hv.Conformance.Ring0.Results;
using Xunit;
using static Iced.Intel.AssemblerRegisters;

namespace Hv.Conformance.Ring0.Tests;

/// <summary>The harness itself can fail: what it prints, how it compares, and how it goes on behind a case that ends its engine.</summary>
public sealed class HarnessTests
{
    private static readonly Engine[] _two = [new HvEngine(), new QemuEngine()];

    [Theory]
    [InlineData(BootMode.Real, 16)]
    [InlineData(BootMode.Protected, 32)]
    [InlineData(BootMode.Long, 64)]
    public void A_case_begins_in_its_mode_and_its_record_holds_what_it_did(BootMode mode, int bits)
    {
        var builder = new CaseBuilder(mode);
        builder.Code.mov(esi, 0x1234_5678);
        builder.Code.push(0x2A);
        builder.End(builder.Code, "end");
        CaseResult result = Run(builder.Build("test/begin"));
        Assert.Equal("end", result.Outcome);
        Assert.Equal((ulong)bits, result[RecordField.HandlerBits]);
        Assert.Equal(0x1234_5678ul, result[RecordField.Rsi]);
        Assert.Equal(0x2Aul, result.Memory(Layout.Stack - (uint)bits / 8, bits / 8));
        Assert.Equal(mode == BootMode.Real ? Layout.Code - Layout.Arena : Layout.Code, result.Frame!.Rip & 0xFFFF_F000);
    }

    [Fact]
    public void A_triple_fault_is_that_cases_outcome_and_the_next_case_runs()
    {
        var bad = new CaseBuilder(BootMode.Protected);
        bad.Code.xor(eax, eax);
        bad.Code.push(eax);
        bad.Code.push(eax);
        bad.Code.lidt(Iced.Intel.AssemblerRegisters.__[esp]);
        bad.Code.int3();
        var good = new CaseBuilder(BootMode.Long);
        good.End(good.Code, "end");
        CaseResult?[] results = new HvEngine().Run([bad.Build("test/bad"), good.Build("test/good")]);
        Assert.Equal([CaseResult.Shutdown, "end"], results.Select(r => r!.Outcome));
    }

    [Fact]
    public void A_case_that_never_ends_hangs_and_the_next_case_runs()
    {
        var bad = new CaseBuilder(BootMode.Protected);
        bad.Code.db(0xEB, 0xFE); // JMP to itself
        var good = new CaseBuilder(BootMode.Real);
        good.End(good.Code, "end");
        CaseResult?[] results = new HvEngine().Run([bad.Build("test/bad"), good.Build("test/good")]);
        Assert.Equal([CaseResult.Hang, "end"], results.Select(r => r!.Outcome));
    }

    [Fact]
    public void A_wrong_expectation_is_found()
    {
        Ring0Case @case = Nop(new Expectation("end", "none") { Fields = [(RecordField.Rcx, 1)], Memory = [(Layout.Data, 4, 1)] });
        var outcome = new CampaignOutcome(KnownDifferences.Of());
        outcome.Add(@case, _two[..1], [Run(@case)]);
        string found = Assert.Single(outcome.AgainstManual);
        Assert.Contains("Rcx is 0, not 1", found, StringComparison.Ordinal);
        Assert.Contains("memory at 16000", found, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("", 1, 0)]
    [InlineData("QEMU; test/*; *; rcx; QEMU; why", 0, 1)]
    [InlineData("QEMU; test/*; *; rdx; QEMU; why", 1, 0)]
    [InlineData("Bochs; test/*; *; rcx; Bochs; why", 1, 0)]
    [InlineData("QEMU; other/*; *; rcx; QEMU; why", 1, 0)]
    [InlineData("QEMU; test/*; #GP*; rcx; QEMU; why", 1, 0)]
    public void A_difference_is_open_unless_a_row_is_about_it(string row, int open, int explained)
    {
        Ring0Case @case = Nop(null);
        CaseResult ours = Run(@case);
        // The record's second word is RCX.
        int second = ours.Text.IndexOf(' ', StringComparison.Ordinal) + 1;
        CaseResult theirs = CaseResult.Of(@case, ours.Text[..second] + "7" + ours.Text[(second + 1)..]);
        var outcome = new CampaignOutcome(KnownDifferences.Of(row));
        outcome.Add(@case, _two, [ours, theirs]);
        Assert.Equal(open, outcome.Unexplained.Count);
        Assert.Equal(explained, outcome.Explained.Count);
    }

    [Fact]
    public void Recorded_differences_name_engines_that_exist_and_a_manual()
    {
        IReadOnlyList<KnownDifference> rows = KnownDifferences.Recorded().Rows;
        Assert.NotEmpty(rows);
        Assert.All(rows, r =>
        {
            Assert.All(r.Engine.Split(','), e => Assert.Contains(e, (string[])["QEMU", "Bochs"]));
            Assert.True(r.Wrong is "nobody" || r.Engine.Split(',').Contains(r.Wrong), r.Wrong);
            Assert.Contains("SDM", r.Why, StringComparison.Ordinal);
        });
        Assert.Throws<FormatException>(() => KnownDifferences.Of("QEMU; half a row"));
    }

    private static Ring0Case Nop(Expectation? expected)
    {
        var builder = new CaseBuilder(BootMode.Protected);
        builder.Code.nop();
        builder.End(builder.Code, "end");
        return builder.Build("test/nop", expected);
    }

    private static CaseResult Run(Ring0Case @case) => new HvEngine().Run([@case])[0]!;
}
