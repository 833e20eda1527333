using System.Diagnostics;
using System.Runtime.InteropServices;
using Hv.Conformance.Campaigns.Cases;
using Hv.Conformance.Campaigns.Execution;
using Hv.Conformance.Campaigns.Forms;
using Hv.Conformance.Oracle;

namespace Hv.Conformance.Campaigns.Runs;

/// <summary>Gathers a batch's differences, reports each at once as it is, and, when the batch is over, minimises the first of each instruction and
/// kind.</summary>
public sealed class DifferenceCollector
{
    private const int KeptPerKind = 2, KeptPerInstruction = 12;
    private static readonly TimeSpan _mostOfBatch = TimeSpan.FromSeconds(30);
    private readonly CaseRunner _runner;
    private readonly CampaignResult _result;
    private readonly CampaignLimits _limits;
    private readonly List<Pending> _pending = [];
    private readonly List<(CodeSlot Slot, CaseRecord Input)> _suspects = [];

    /// <summary>Listens to <paramref name="runner"/>.</summary>
    public DifferenceCollector(CaseRunner runner, CampaignResult result, CampaignLimits limits)
    {
        _runner = runner;
        _result = result;
        _limits = limits;
        runner.OnDifference = (index, difference) =>
        {
            if (difference.StartsWith(CaseRunner.OutsideWindow, StringComparison.Ordinal) && _suspects.Count == 0)
                for (int i = 0; i <= index; i++)
                    _suspects.Add((runner.SlotOf(i), runner.Native.Inputs[i]));
            CodeSlot slot = runner.SlotOf(index);
            if (_result.Note(slot.Instruction.Mnemonic.ToString(), Comparison.Kind(difference), KeptPerKind, KeptPerInstruction))
                Add(slot, in runner.Native.Inputs[index], in runner.Native.Outputs[index], difference, null);
        };
        runner.OnVendorDifference = (index, known, difference) =>
        {
            if (_result.NoteExample(known.What))
                Add(runner.SlotOf(index), in runner.Native.Inputs[index], in runner.Native.Outputs[index], difference, known);
        };
    }

    /// <summary>Minimises what the batch has left, as far as half a minute goes; the rest is kept as it is.</summary>
    public void Flush()
    {
        if (_suspects.Count == 0 && _pending.Count == 0)
            return;
        long since = Stopwatch.GetTimestamp();
        if (_suspects.Count > 0)
            Attribute(since);
        foreach (Pending pending in _pending)
        {
            Finding finding = Stopwatch.GetElapsedTime(since) >= _mostOfBatch || _limits.IsStopped ? pending.AsFound
                : Minimiser.Reduce(_runner, pending.Slot, pending.Input, pending.AsFound.Difference, Effort.ForOneFinding(), pending.Known);
            if (pending.Known is null)
                _result.Keep(finding);
            else
                _result.KeepExample(pending.Known.What, finding);
        }

        _pending.Clear();
    }

    private void Add(CodeSlot slot, in CaseRecord input, in CaseRecord silicon, string difference, VendorDifference? known)
    {
        Finding found = Minimiser.Word(slot, in input, in silicon, difference);
        _pending.Add(new Pending(slot, input, found, known));
        if (known is null)
            _result.Report(found);
    }

    /// <summary>Runs the cases of a batch one by one, to find those that wrote outside the window on one side only.</summary>
    private void Attribute(long since)
    {
        int found = 0;
        for (int i = 0; i < _suspects.Count && found < KeptPerKind && Stopwatch.GetElapsedTime(since) < _mostOfBatch; i++)
        {
            ref (CodeSlot Slot, CaseRecord Input) suspect = ref CollectionsMarshal.AsSpan(_suspects)[i];
            if (_runner.RunOne(suspect.Slot, in suspect.Input, out CaseRecord silicon, out _) is not { } difference)
                continue;
            found++;
            Add(suspect.Slot, in suspect.Input, in silicon, difference, null);
        }

        _suspects.Clear();
    }

    private sealed record Pending(CodeSlot Slot, CaseRecord Input, Finding AsFound, VendorDifference? Known);
}
