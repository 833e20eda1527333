using System.Diagnostics;
using Hv.Conformance.Campaigns.Cases;
using Hv.Conformance.Campaigns.Execution;
using Hv.Conformance.Campaigns.Forms;
using Hv.Conformance.Oracle;

namespace Hv.Conformance.Campaigns.Runs;

/// <summary>Every form with edge-biased operands. Batches are independent streams of the seed, so any number of threads gives the same
/// cases.</summary>
public sealed class OperandCampaign
{
    /// <summary>Places for slots in the code pages; the last place stays free of the page end.</summary>
    public const int SlotPlaces = OracleMap.CodeSize / CodeSlot.Stride - 1;

    private const int QuickCases = 96, SelectorCases = 48, SlowCases = 4;
    private readonly CampaignLimits _limits;
    private readonly Form[] _forms;
    private readonly HashSet<Form> _faulting;
    private readonly CampaignResult _result;

    /// <summary>Prepares a run over the forms that were found comparable.</summary>
    public OperandCampaign(CampaignLimits limits, IReadOnlyDictionary<Form, FormStatus> status, CampaignResult result)
    {
        _limits = limits;
        _forms = [.. status.Where(s => s.Value.IsCompared()).Select(s => s.Key)];
        _faulting = [.. status.Where(s => s.Value == FormStatus.ComparedFaulting).Select(s => s.Key)];
        _result = result;
    }

    /// <summary>A fault planted into hv's side, when the harness tests itself.</summary>
    public IPerturbation? Perturbation { get; init; }

    /// <summary>Whether the run ends at the first difference.</summary>
    public bool StopAtFirst { get; init; }

    /// <summary>Runs until a limit is reached.</summary>
    public void Run()
    {
        if (_forms.Length == 0)
            return;
        _limits.OnThreads(() =>
        {
            using var runner = new CaseRunner(Perturbation);
            _result.Attend(runner);
            Run(runner);
            _result.Add(runner.Native.WorkerTime);
        });
    }

    /// <summary>Runs batches on one thread.</summary>
    public void Run(CaseRunner runner)
    {
        var collector = new DifferenceCollector(runner, _result, _limits);
        var states = new OperandState(_limits.Seed);
        while (!(StopAtFirst && _result.Tally.Differences > 0) && _limits.TryBegin(NativeOracle.Capacity, out long batch))
        {
            var tally = new Tally();
            var counts = new Dictionary<string, long>();
            states.Renew(batch);
            Build(runner, states, new Prng(_limits.Seed, (ulong)batch), batch, counts);
            runner.Run(tally);
            _result.Add(tally, counts);
            collector.Flush();
        }
    }

    private void Build(CaseRunner runner, OperandState states, Prng random, long batch, Dictionary<string, long> counts)
    {
        runner.Begin();
        // Forms come round in order, so that each gets its share however short the run; a batch takes about 30.
        long at = batch * 31;
        int place = (int)(batch * 37 % SlotPlaces);
        while (runner.Room > 0)
        {
            Form form = _forms[(int)(at++ % _forms.Length)];
            uint offset = (uint)(place++ % SlotPlaces * CodeSlot.Stride);
            if (FormBytes.Make(form, random, FormProbe.OracleRip(form.Mode, offset), out Iced.Intel.Instruction instruction) is not { } bytes
                || NotCompared.LeavesOut(in instruction))
                continue;
            Displacements.Aim(bytes, form.Mode, FormProbe.OracleRip(form.Mode, offset), random);
            var slot = new CodeSlot(bytes, form.Mode, form.Way, offset);
            runner.Place(slot);
            int cases = Math.Min(runner.Room, _faulting.Contains(form) ? SlowCases : slot.Way switch
            {
                EntryWay.Quick => QuickCases,
                EntryWay.Selectors => SelectorCases,
                _ => SlowCases
            });
            for (int i = 0; i < cases; i++)
                states.Fill(ref runner.Add(slot), slot, random);
            string name = form.OpCode.Mnemonic.ToString();
            counts[name] = counts.GetValueOrDefault(name) + cases;
        }

        Debug.Assert(runner.Count == NativeOracle.Capacity);
    }
}
