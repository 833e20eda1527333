using Hv.Conformance.Campaigns.Cases;
using Hv.Conformance.Campaigns.Execution;
using Hv.Conformance.Campaigns.Forms;
using Hv.Conformance.Oracle;
using Iced.Intel;

namespace Hv.Conformance.Campaigns.Runs;

/// <summary>Random and damaged bytes, one instruction each by the trap flag: length, fault class, error code, address and effect must be
/// silicon's.</summary>
public sealed class EncodingCampaign
{
    private static readonly CodeMode[] _modes = [CodeMode.Bits64, CodeMode.Bits64, CodeMode.Bits32, CodeMode.Bits16];
    private readonly CampaignLimits _limits;
    private readonly HashSet<(Code, CodeMode)> _compared;
    private readonly EncodingBytes _bytes;
    private readonly CampaignResult _result;
    private const int SteppedOneIn = 16;

    /// <summary>Prepares a run; encodings of forms that are not comparable are executed but not compared.</summary>
    public EncodingCampaign(CampaignLimits limits, IReadOnlyDictionary<Form, FormStatus> status, CampaignResult result)
    {
        _limits = limits;
        Form[] compared = [.. status.Where(s => s.Value.IsCompared()).Select(s => s.Key)];
        _compared = [.. compared.Select(f => (f.Code, f.Mode))];
        _bytes = new EncodingBytes(compared);
        _result = result;
    }

    /// <summary>A fault planted into hv's side, when the harness tests itself.</summary>
    public IPerturbation? Perturbation { get; init; }

    /// <summary>Whether the run ends at the first difference.</summary>
    public bool StopAtFirst { get; init; }

    /// <summary>Runs until a limit is reached.</summary>
    public void Run() => _limits.OnThreads(() =>
    {
        using var runner = new CaseRunner(Perturbation);
        _result.Attend(runner);
        Run(runner);
        _result.Add(runner.Native.WorkerTime);
    });

    /// <summary>Runs batches on one thread.</summary>
    public void Run(CaseRunner runner)
    {
        var collector = new DifferenceCollector(runner, _result, _limits);
        var states = new OperandState(_limits.Seed);
        CodeMode[] modes = [.. _modes.Where(m => runner.WhyNot(m) is null)];
        while (!(StopAtFirst && _result.Tally.Differences > 0) && _limits.TryBegin(OperandCampaign.SlotPlaces, out long batch))
        {
            var tally = new Tally();
            states.Renew(batch);
            Build(runner, states, new Prng(_limits.Seed, (ulong)batch), modes, batch, tally);
            runner.Run(tally);
            _result.Add(tally, new Dictionary<string, long>());
            collector.Flush();
        }
    }

    private void Build(CaseRunner runner, OperandState states, Prng random, CodeMode[] modes, long batch, Tally tally)
    {
        runner.Begin();
        for (int i = 0; i < OperandCampaign.SlotPlaces; i++)
        {
            CodeMode mode = random.Pick<CodeMode>(modes);
            byte[] bytes = _bytes.Next(random, mode, batch * OperandCampaign.SlotPlaces + i);
            uint offset = (uint)(i * CodeSlot.Stride);
            // The last place is cut off by the end of the code pages.
            if (i == OperandCampaign.SlotPlaces - 1)
            {
                bytes = bytes[..(1 + random.Below(15))];
                offset = (uint)(OracleMap.CodeSize - bytes.Length);
            }
            else
            {
                Displacements.Aim(bytes, mode, FormProbe.OracleRip(mode, offset), random);
            }

            CodeSlot slot = MakeSlot(bytes, mode, offset, random);
            if (!IsComparable(slot))
            {
                tally.OutsideModel++;
                continue;
            }

            runner.Place(slot);
            states.Fill(ref runner.Add(slot), slot, random);
        }
    }

    /// <summary>Most instructions that simply go on are entered and left by jumps: had silicon another length, the jump behind would not be met.
    /// The trap flag, at fifty times the cost, does the rest and a share of these.</summary>
    private static CodeSlot MakeSlot(byte[] bytes, CodeMode mode, uint offset, Prng random)
    {
        Instruction instruction = FormBytes.Decode(bytes, mode, FormProbe.OracleRip(mode, offset));
        if (instruction.IsInvalid || instruction.FlowControl != FlowControl.Next || bytes.Length < EncodingBytes.Length || random.OneIn(SteppedOneIn)
            || instruction.Mnemonic is Mnemonic.Popf or Mnemonic.Popfd or Mnemonic.Popfq)
            return new CodeSlot(bytes, mode, EntryWay.Stepped, offset);
        EntryWay way = mode == CodeMode.Bits64 && !EntryWays.TouchesSegments(instruction.OpCode) ? EntryWay.Quick : EntryWay.Selectors;
        return new CodeSlot(bytes[..instruction.Length], mode, way, offset);
    }

    private bool IsComparable(CodeSlot slot)
    {
        Instruction instruction = slot.Instruction;
        if (instruction.IsInvalid)
            return true;
        if (!_compared.Contains((instruction.Code, slot.Mode)))
            return false;
        if (slot.Way != EntryWay.Stepped)
            return true;
        return instruction.Mnemonic switch
        {
            // A load of SS holds the trap off for one more instruction.
            Mnemonic.Mov or Mnemonic.Pop when instruction.Op0Kind == OpKind.Register && instruction.Op0Register == Register.SS => false,
            Mnemonic.Lss => false,
            // The trap flag itself shows in what they store.
            Mnemonic.Pushf or Mnemonic.Pushfd or Mnemonic.Pushfq => false,
            Mnemonic.Int => !NotCompared.LeavesOut(in instruction),
            // The trap comes after each iteration, and after each element of a gather.
            _ => !instruction.HasRepPrefix && !instruction.HasRepnePrefix && !instruction.IsVsib,
        };
    }
}
