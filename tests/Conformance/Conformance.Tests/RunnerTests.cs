using Hv.Conformance.Campaigns.Cases;
using Hv.Conformance.Campaigns.Execution;
using Hv.Conformance.Campaigns.Forms;
using Hv.Conformance.Oracle;
using Xunit;

namespace Hv.Conformance.Tests;

/// <summary>What becomes of a difference that does not come again when its batch does.</summary>
public sealed class RunnerTests
{
    [Fact]
    public void A_result_that_silicon_does_not_give_twice_is_counted_apart()
    {
        Native.Require();
        using var runner = new CaseRunner();
        Begin(runner);
        // Writable code is not cleared between two runs of a batch: silicon's first XCHG finds what only its side has.
        runner.Native.WritableCode[0] = 7;
        (Tally tally, string? unsteady, string? difference) = Run(runner);
        Assert.Equal(0, tally.Differences);
        Assert.Equal(1, tally.VendorDifferences[VendorDifferences.Unsteady.What]);
        Assert.Equal("rax 7 not 0", unsteady);
        Assert.Null(difference);
    }

    [Fact]
    public void A_difference_that_comes_again_stays_one()
    {
        Native.Require();
        using var runner = new CaseRunner(new Wrong(2));
        Begin(runner);
        (Tally tally, string? unsteady, string? difference) = Run(runner);
        Assert.Equal(1, tally.Differences);
        Assert.Equal("rbx 0 not 1", difference);
        Assert.Null(unsteady);
    }

    [Fact]
    public void A_result_that_hv_does_not_give_twice_is_a_difference()
    {
        Native.Require();
        using var runner = new CaseRunner(new Wrong(1));
        Begin(runner);
        (Tally tally, string? unsteady, string? difference) = Run(runner);
        Assert.Equal(1, tally.Differences);
        Assert.Equal("rbx 0 not 1", difference);
        Assert.Null(unsteady);
    }

    private static void Begin(CaseRunner runner)
    {
        runner.Begin();
        var slot = new CodeSlot(Convert.FromHexString("8702"), CodeMode.Bits64, EntryWay.Quick, 0x400);   // XCHG [RDX], EAX
        runner.Place(slot);
        ref CaseRecord input = ref runner.Add(slot);
        input = CaseText.Default();
        slot.Enter(ref input);
        (input.Registers[0], input.Registers[2]) = (0, OracleMap.WritableCode);
    }

    private static (Tally Tally, string? Unsteady, string? Difference) Run(CaseRunner runner)
    {
        string? unsteady = null, difference = null;
        runner.OnVendorDifference = (_, row, what) => unsteady = row == VendorDifferences.Unsteady ? what : row.What;
        runner.OnDifference = (_, what) => difference = what;
        var tally = new Tally();
        runner.Run(tally);
        return (tally, unsteady, difference);
    }

    /// <summary>RBX is one too large in hv's first results.</summary>
    private sealed class Wrong(int times) : IPerturbation
    {
        private int _left = times;

        public void Apply(CodeSlot slot, in CaseRecord input, ref CaseRecord ours)
        {
            if (_left-- > 0)
                ours.Registers[3]++;
        }
    }
}
