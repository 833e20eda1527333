using Hv.Conformance.Campaigns.Cases;
using Hv.Conformance.Campaigns.Execution;
using Hv.Conformance.Campaigns.Forms;
using Hv.Conformance.Oracle;

namespace Hv.Conformance.Campaigns.Runs;

/// <summary>Short random blocks, run at full speed on both sides.</summary>
public sealed class BlockCampaign
{
    private const int Stride = 256, StatesPerBlock = 24, Blocks = OracleMap.WritableCodeSize / Stride;
    private const ulong AlignmentFlag = 0x4_0000;
    private readonly CampaignLimits _limits;
    private readonly Form[] _forms;
    private readonly CampaignResult _result;

    /// <summary>Prepares a run over the 64-bit forms that were found comparable, to the last bit.</summary>
    public BlockCampaign(CampaignLimits limits, IReadOnlyDictionary<Form, FormStatus> status, CampaignResult result)
    {
        _limits = limits;
        _forms = [.. status.Where(s => s.Value.IsCompared() && BlockForms.Contains(s.Key)).Select(s => s.Key)];
        _result = result;
    }

    /// <summary>Runs until a limit is reached.</summary>
    public void Run() => _limits.OnThreads(() =>
    {
        using var native = new NativeOracle();
        using var software = new SoftwareSide(native.Capabilities);
        var states = new OperandState(_limits.Seed);
        while (_limits.TryBegin(Blocks * StatesPerBlock, out long batch))
        {
            states.Renew(batch);
            RunBatch(native, software, states, new Prng(_limits.Seed, (ulong)batch));
        }

        _result.Add(native.WorkerTime);
    });

    private void RunBatch(NativeOracle native, SoftwareSide software, OperandState states, Prng random)
    {
        var tally = new Tally();
        byte[] code = new byte[OracleMap.WritableCodeSize];
        var slots = new (CodeSlot Slot, BlockWriter Writer)[Blocks];
        for (int b = 0; b < Blocks; b++)
        {
            uint offset = (uint)(b * Stride);
            var writer = new BlockWriter(_forms, random, OracleMap.WritableCode + offset);
            byte[] bytes = writer.Write(selfModifying: true);
            var slot = new CodeSlot(bytes, CodeMode.Bits64, EntryWay.Quick, OracleMap.WritableCode - OracleMap.Code + offset,
                extended: true);
            bytes.CopyTo(code, (int)offset);
            NativeOracle.WriteEnd(code.AsSpan((int)offset + bytes.Length), OracleMap.WritableCode + offset + (uint)bytes.Length, 64);
            slots[b] = (slot, writer);
        }

        int count = Blocks * StatesPerBlock;
        var ours = new CaseRecord[count];
        for (int i = 0; i < count; i++)
        {
            ref CaseRecord input = ref native.Inputs[i];
            CodeSlot slot = slots[i % Blocks].Slot;
            states.Fill(ref input, slot, random);
            BlockWriter.Point(ref input, random);
            if (BlockForms.LeavesOutAlignmentAndDataPointer)
                input.Rflags &= ~AlignmentFlag;
        }

        Execute();
        bool alike = true;
        for (int i = 0; i < count && alike; i++)
        {
            (CodeSlot slot, BlockWriter writer) = slots[i % Blocks];
            ref CaseRecord silicon = ref native.Outputs[i];
            Normalise(i);
            if (Comparison.TouchesWorker(in ours[i]))
            {
                // Its writes are on one side only: nothing after it can be compared.
                tally.Discarded++;
                break;
            }

            tally.Count(silicon.Vector);
            ulong undefined = silicon.Vector == Outcome.Completed ? writer.Undefined : writer.EverUndefined;
            if (Comparison.Difference(in silicon, in ours[i], slot.HasExtended, undefined) is not { } difference)
                continue;
            // Blocks share pages: after a difference the rest of the batch proves nothing.
            alike = false;
            CaseRecord first = ours[i];
            Execute();
            Normalise(i);
            if (Comparison.Difference(in silicon, in ours[i], slot.HasExtended, undefined) is null
                && Comparison.Difference(in first, in ours[i], slot.HasExtended, 0) is null)
            {
                tally.CountVendorDifference(VendorDifferences.Unsteady.What);
                break;
            }

            tally.Differences++;
            if (_result.Note("block", "", 20, 20))
            {
                var finding = new Finding(Listing(slot), "block", CaseText.Format(slot, in native.Inputs[i], in silicon), difference);
                _result.Report(finding);
                _result.Keep(finding);
            }
        }

        _result.Add(tally, new Dictionary<string, long> { ["block"] = tally.Cases });

        void Execute()
        {
            code.CopyTo(native.WritableCode);
            software.WriteWritableCode(0, code);
            native.Data.Clear();
            software.ClearData();
            native.Start(count);
            for (int i = 0; i < count; i++)
                software.Execute(in native.Inputs[i], false, ref ours[i], slots[i % Blocks].Slot.EndRip, runsOn: true);
            native.Wait();
        }

        void Normalise(int i)
        {
            Comparison.NormaliseSilicon(ref native.Outputs[i], slots[i % Blocks].Slot);
            Comparison.NormaliseOurs(ref ours[i], slots[i % Blocks].Slot);
            SavedPointers.Normalise(ref ours[i].Extended);
            if (BlockForms.LeavesOutAlignmentAndDataPointer)
                ours[i].Extended.OperandPointer = native.Outputs[i].Extended.OperandPointer;
            SavedPointers.MendCut(ref native.Outputs[i].Extended, in native.Inputs[i].Extended, in ours[i].Extended);
        }
    }

    private static string Listing(CodeSlot slot)
    {
        var decoder = Iced.Intel.Decoder.Create(64, new Iced.Intel.ByteArrayCodeReader(slot.Bytes), slot.StartRip);
        var lines = new List<string>();
        while (decoder.IP < slot.StartRip + (uint)slot.Bytes.Length)
            lines.Add(decoder.Decode().ToString());
        return string.Join(" | ", lines);
    }
}
