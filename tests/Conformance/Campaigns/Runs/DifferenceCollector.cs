using System.Runtime.InteropServices;
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
    private readonly List<(CodeSlot Slot, CaseRecord Input)> _suspects = [];

    /// <summary>Listens to <paramref name="runner"/>.</summary>
    public DifferenceCollector(CaseRunner runner, CampaignResult result)
    {
        _runner = runner;
        _result = result;
        runner.OnDifference = (index, difference) =>
        {
            if (difference.StartsWith(CaseRunner.OutsideWindow, StringComparison.Ordinal) && _suspects.Count == 0)
                for (int i = 0; i <= index; i++)
                    _suspects.Add((runner.SlotOf(i), runner.Native.Inputs[i]));
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
        if (_suspects.Count > 0)
            Attribute();
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

    /// <summary>Runs the cases of a batch one by one, to find those that wrote outside the window on one side only.</summary>
    private void Attribute()
    {
        int found = 0;
        for (int i = 0; i < _suspects.Count && found < KeptPerKind; i++)
        {
            if (_runner.RunOne(_suspects[i].Slot, in CollectionsMarshal.AsSpan(_suspects)[i].Input, out _, out _) is not { } difference)
                continue;
            found++;
            _pending.Add((_suspects[i].Slot, _suspects[i].Input, difference, null));
        }

        _suspects.Clear();
    }
}
