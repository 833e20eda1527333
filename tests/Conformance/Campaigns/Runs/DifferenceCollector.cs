using Hv.Conformance.Campaigns.Cases;
using Hv.Conformance.Campaigns.Execution;
using Hv.Conformance.Campaigns.Forms;
using Hv.Conformance.Oracle;

namespace Hv.Conformance.Campaigns.Runs;

/// <summary>Gathers a batch's differences and, once the batch is over, minimises the first of each instruction and kind.</summary>
public sealed class DifferenceCollector
{
    private const int KeptPerKind = 2, KeptPerInstruction = 12;
    private readonly CaseRunner _runner;
    private readonly CampaignResult _result;
    private readonly List<(CodeSlot Slot, CaseRecord Input, string Difference, VendorDifference? Known)> _pending = [];

    /// <summary>Listens to <paramref name="runner"/>.</summary>
    public DifferenceCollector(CaseRunner runner, CampaignResult result)
    {
        _runner = runner;
        _result = result;
        runner.OnDifference = (index, difference) =>
        {
            CodeSlot slot = runner.SlotOf(index);
            if (_result.Note(slot.Instruction.Mnemonic.ToString(), Comparison.Kind(difference), KeptPerKind, KeptPerInstruction))
                _pending.Add((slot, runner.Native.Inputs[index], difference, null));
        };
        runner.OnVendorDifference = (index, known, difference) =>
        {
            if (_result.NoteExample(known.What))
                _pending.Add((runner.SlotOf(index), runner.Native.Inputs[index], difference, known));
        };
    }

    /// <summary>Minimises what the batch has left.</summary>
    public void Flush()
    {
        foreach ((CodeSlot slot, CaseRecord input, string difference, VendorDifference? known) in _pending)
        {
            Finding finding = Minimiser.Reduce(_runner, slot, input, difference, known);
            if (known is null)
                _result.Keep(finding);
            else
                _result.KeepExample(known.What, finding);
        }

        _pending.Clear();
    }
}
