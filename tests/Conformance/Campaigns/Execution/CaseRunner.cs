using Hv.Conformance.Campaigns.Cases;
using Hv.Conformance.Campaigns.Forms;
using Hv.Conformance.Oracle;

namespace Hv.Conformance.Campaigns.Execution;

/// <summary>Runs batches on both sides at once and compares them. One per thread.</summary>
public sealed class CaseRunner : IDisposable
{
    /// <summary>How a difference begins that some case of the batch has caused, but it is not known which.</summary>
    public const string OutsideWindow = "memory outside the window";
    private readonly CaseRecord[] _ours = new CaseRecord[NativeOracle.Capacity];
    private readonly CodeSlot[] _slots = new CodeSlot[NativeOracle.Capacity];
    private readonly byte[] _data = new byte[OracleMap.DataSize];
    private const int MostDeaths = 2;
    private int _count;

    // What this thread does, for Doing: the case that hv executes, or Waiting.
    private const int Waiting = -1;
    private volatile int _executing = Waiting;

    /// <summary>Starts both sides.</summary>
    /// <param name="perturbation">A planted fault, when the harness tests itself.</param>
    /// <param name="avx">As <see cref="NativeOracle(bool)"/> has it.</param>
    public CaseRunner(IPerturbation? perturbation = null, bool avx = true)
    {
        Perturbation = perturbation;
        Native = new NativeOracle(avx);
        Software = new SoftwareSide(Native.Capabilities);
    }

    /// <summary>The machine's own processor.</summary>
    public NativeOracle Native { get; }

    /// <summary>hv's processor.</summary>
    public SoftwareSide Software { get; }

    /// <summary>Why code of a mode cannot run on this machine, or null.</summary>
    public string? WhyNot(CodeMode mode) => Native.Capabilities.WhyNot((int)mode);

    /// <summary>A planted fault, when the harness tests itself.</summary>
    public IPerturbation? Perturbation { get; set; }

    /// <summary>Called for each difference with the case's index and what differs.</summary>
    public Action<int, string>? OnDifference { get; set; }

    /// <summary>Called for each case on which makers differ.</summary>
    public Action<int, VendorDifference, string>? OnVendorDifference { get; set; }

    /// <summary>Cases added so far.</summary>
    public int Count => _count;

    /// <summary>Room left in the batch.</summary>
    public int Room => NativeOracle.Capacity - _count;

    /// <summary>Begins an empty batch in empty memory: what a case reads or jumps into must not depend on the batches that this thread has had. The
    /// data pages are cleared before each run.</summary>
    public void Begin()
    {
        _count = 0;
        Native.Code.Clear();
        Native.WritableCode.Clear();
        Software.ClearCode();
    }

    /// <summary>Places a slot's code on both sides.</summary>
    public void Place(CodeSlot slot)
    {
        slot.WriteTo(Native.Code);
        Software.Place(slot);
    }

    /// <summary>Adds a case of a placed slot and returns its record, to be filled.</summary>
    public ref CaseRecord Add(CodeSlot slot)
    {
        _slots[_count] = slot;
        return ref Native.Inputs[_count++];
    }

    /// <summary>The slot of case <paramref name="index"/>.</summary>
    public CodeSlot SlotOf(int index) => _slots[index];

    /// <summary>The normalised result of hv, once <see cref="Run"/> has returned.</summary>
    public ref readonly CaseRecord OursOf(int index) => ref _ours[index];

    /// <summary>Executes the batch on both sides and compares.</summary>
    /// <param name="tally">Where the cases are counted.</param>
    /// <param name="confirm">Whether a difference must come again when the whole batch runs again.</param>
    public void Run(Tally tally, bool confirm = true)
    {
        if (_count == 0)
            return;
        Execute();
        ReadOnlySpan<CaseRecord> inputs = Native.Inputs;
        Span<CaseRecord> outputs = Native.Outputs;
        bool comparableMemory = true;
        List<(CodeSlot Slot, CaseRecord Input)>? doubtful = null;
        List<Unconfirmed>? unconfirmed = null;
        for (int i = 0; i < _count; i++)
        {
            ref CaseRecord silicon = ref outputs[i];
            ref CaseRecord ours = ref _ours[i];
            CodeSlot slot = _slots[i];
            if (Comparison.TouchesWorker(in ours))
            {
                tally.Discarded++;
                comparableMemory = false;
                continue;
            }

            tally.Count(silicon.Vector);
            if (i > 0 && ((ReadOnlySpan<ulong>)silicon.Registers).SequenceEqual(outputs[i - 1].Registers))
                tally.Repeats++;
            string? difference = Comparison.Difference(in inputs[i], in silicon, in ours, slot, out bool undefinedResult);
            bool before = comparableMemory;
            comparableMemory &= (difference is null || !slot.WritesMemory) && !undefinedResult && !StoredStates.Differ(slot.Instruction.Mnemonic);
            if (difference is null)
                continue;
            if (VendorDifferences.Find(slot, in inputs[i], in silicon, in ours) is { } known)
            {
                tally.CountVendorDifference(known.What);
                OnVendorDifference?.Invoke(i, known, difference);
                continue;
            }

            // Where an earlier case of the batch has left different memory, a case must differ alone too.
            if (!before)
            {
                (doubtful ??= []).Add((slot, inputs[i]));
                continue;
            }

            // A case that never ends costs seconds each time.
            if (confirm && silicon.Vector != Outcome.WorkerDied)
            {
                (unconfirmed ??= []).Add(new Unconfirmed(i, difference, silicon, ours));
                continue;
            }

            tally.Differences++;
            OnDifference?.Invoke(i, difference);
        }

        if (unconfirmed is not null)
            Confirm(unconfirmed, tally);
        if (comparableMemory)
            CompareData(tally);
        if (doubtful is not null)
            RunAgain(doubtful, tally);
    }

    /// <summary>Runs the whole batch again. A difference that silicon alone does not repeat is counted apart: under a hypervisor an instruction was #UD
    /// once in some 50 million cases, and completed with the same state the next time. hv must give its result twice.</summary>
    private void Confirm(List<Unconfirmed> unconfirmed, Tally tally)
    {
        Execute();
        foreach ((int i, string difference, CaseRecord silicon, CaseRecord ours) in unconfirmed)
        {
            CodeSlot slot = _slots[i];
            ref CaseRecord now = ref Native.Outputs[i];
            bool explained = Comparison.Difference(in Native.Inputs[i], in now, in _ours[i], slot) is null
                || VendorDifferences.Find(slot, in Native.Inputs[i], in now, in _ours[i]) is not null;
            if (!explained || Comparison.Difference(in ours, in _ours[i], slot.HasExtended, 0) is not null)
            {
                tally.Differences++;
                OnDifference?.Invoke(i, difference);
                continue;
            }

            tally.CountVendorDifference(VendorDifferences.Unsteady.What);
            CaseRecord second = now;
            now = silicon;   // for the example
            OnVendorDifference?.Invoke(i, VendorDifferences.Unsteady, difference);
            now = second;
        }
    }

    /// <summary>Runs cases alone. They take the batch's first place, which gets its results back: callers look at them.</summary>
    private void RunAgain(List<(CodeSlot Slot, CaseRecord Input)> doubtful, Tally tally)
    {
        int deaths = Native.Deaths;
        (int count, CodeSlot first) = (_count, _slots[0]);
        (CaseRecord input0, CaseRecord silicon0, CaseRecord ours0) = (Native.Inputs[0], Native.Outputs[0], _ours[0]);
        foreach ((CodeSlot slot, CaseRecord input) in doubtful)
        {
            if (Native.Deaths - deaths > MostDeaths || RunOne(slot, in input, out _, out _) is not { } difference)
            {
                tally.Discarded++;
                continue;
            }

            tally.Differences++;
            OnDifference?.Invoke(0, difference);
        }

        (_count, _slots[0]) = (count, first);
        (Native.Inputs[0], Native.Outputs[0], _ours[0]) = (input0, silicon0, ours0);
    }

    /// <summary>Executes one case on both sides.</summary>
    /// <param name="slot">The code.</param>
    /// <param name="input">The state.</param>
    /// <param name="silicon">Silicon's normalised result.</param>
    /// <param name="ours">hv's normalised result.</param>
    /// <param name="wanted">The kind of difference asked for: null for one that is none of <see cref="VendorDifferences"/>.</param>
    /// <returns>What differs, or null.</returns>
    public string? RunOne(CodeSlot slot, in CaseRecord input, out CaseRecord silicon, out CaseRecord ours, VendorDifference? wanted = null)
    {
        Begin();
        Place(slot);
        Add(slot) = input;
        string? found = null;
        (Action<int, string>? saved, Action<int, VendorDifference, string>? savedVendor) = (OnDifference, OnVendorDifference);
        OnDifference = (_, difference) => found = wanted is null ? difference : null;
        OnVendorDifference = (_, known, difference) => found = known == wanted ? difference : null;
        Run(new Tally(), confirm: false);
        (OnDifference, OnVendorDifference) = (saved, savedVendor);
        silicon = Native.Outputs[0];
        ours = _ours[0];
        return found;
    }

    /// <summary>What the thread is doing, for a campaign that hangs. Called from another thread: good for a look only.</summary>
    public string Doing()
    {
        int at = _executing;
        return at == Waiting || _slots[at] is not { } slot ? $"a thread waits for the oracle, or compares ({Native.Deaths} workers died)"
            : $"a thread executes {CaseText.Format(slot, in Native.Inputs[at], in Native.Inputs[at])}";
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        Native.Dispose();
        Software.Dispose();
    }

    /// <summary>Executes the batch on both sides and brings the results to one form.</summary>
    private void Execute()
    {
        Native.Data.Clear();
        Software.ClearData();
        Native.Start(_count);
        ReadOnlySpan<CaseRecord> inputs = Native.Inputs;
        for (int i = 0; i < _count; i++)
        {
            _executing = i;
            Software.Execute(in inputs[i], _slots[i].DisturbsSegments, ref _ours[i], _slots[i].EndRip, _slots[i].Repeats);
            Perturbation?.Apply(_slots[i], in inputs[i], ref _ours[i]);
        }

        _executing = Waiting;
        Native.Wait();
        for (int i = 0; i < _count; i++)
        {
            Comparison.NormaliseSilicon(ref Native.Outputs[i], _slots[i]);
            Comparison.NormaliseOurs(ref _ours[i], _slots[i]);
            if (_slots[i].HasExtended)
                SavedPointers.Normalise(ref _ours[i].Extended);
        }
    }

    /// <summary>
    /// Writes outside the window show up when the whole data pages are compared after a batch. What differs must differ in a second run of the
    /// batch too: an x87 environment that is stored there has lost its pointers where the kernel switched away from the worker
    /// (docs/adr/0083-makers.md), and then it is left out.
    /// </summary>
    private void CompareData(Tally tally)
    {
        if (FirstDifferentByte() < 0)
            return;
        Execute();
        int at = FirstDifferentByte();
        if (at < 0)
        {
            tally.Discarded++;
            return;
        }

        tally.Differences++;
        OnDifference?.Invoke(_count - 1, $"{OutsideWindow}: {OracleMap.Data + (uint)at:x} is {Native.Data[at]:x2} not {_data[at]:x2}; " +
            $"some case of this batch wrote there");
    }

    private int FirstDifferentByte()
    {
        Software.ReadData(_data);
        int at = _data.AsSpan().CommonPrefixLength(Native.Data);
        return at == _data.Length ? -1 : at;
    }

    /// <summary>A difference that has been seen once, with both results.</summary>
    private sealed record Unconfirmed(int Index, string Difference, CaseRecord Silicon, CaseRecord Ours);
}
