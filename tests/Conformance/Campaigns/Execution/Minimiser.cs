using Hv.Conformance.Campaigns.Cases;
using Hv.Conformance.Campaigns.Forms;
using Hv.Conformance.Oracle;

namespace Hv.Conformance.Campaigns.Execution;

/// <summary>Takes away from a differing case whatever the difference does not need.</summary>
public static class Minimiser
{
    /// <summary>Reduces a case and words it as a finding.</summary>
    /// <param name="runner">Both sides.</param>
    /// <param name="slot">The code.</param>
    /// <param name="input">The state.</param>
    /// <param name="difference">What differed.</param>
    /// <param name="effort">What it may cost.</param>
    /// <param name="known">The kind of vendor difference it is, or null.</param>
    public static Finding Reduce(CaseRunner runner, CodeSlot slot, CaseRecord input, string difference, Effort effort, VendorDifference? known = null)
    {
        effort.Take(runner.Native.Deaths);
        string? now = runner.RunOne(slot, in input, out CaseRecord silicon, out _, known);
        if (now is null)
        {
            // It needs its neighbours in the batch: say so instead of losing it.
            return Word(slot, in input, in silicon, $"{difference} (not when run alone)");
        }

        difference = now;
        var wanted = new Goal(silicon.Vector, [.. Comparison.Kind(now).Split(' ')], known, effort);
        CaseRecord plain = CaseText.Default(slot.Mode);
        for (int i = 0; i < 16; i++)
        {
            CaseRecord tried = input;
            tried.Registers[i] = plain.Registers[i];
            Try(runner, slot, tried, wanted, ref input, ref silicon, ref difference);
        }

        if (slot.HasExtended)
            ReduceExtended(runner, slot, wanted, ref input, ref silicon, ref difference);
        CaseRecord flags = input;
        flags.Rflags = plain.Rflags | (input.Rflags & 0x100);
        Try(runner, slot, flags, wanted, ref input, ref silicon, ref difference);
        for (int size = CaseMemory.Length; size >= 8; size /= 2)
        {
            for (int at = 0; at + size <= CaseMemory.Length; at += size)
            {
                CaseRecord tried = input;
                Span<byte> piece = ((Span<byte>)tried.Memory).Slice(at, size);
                if (piece.IndexOfAnyExcept((byte)0) < 0)
                    continue;
                piece.Clear();
                Try(runner, slot, tried, wanted, ref input, ref silicon, ref difference);
            }
        }

        return Word(slot, in input, in silicon, difference);
    }

    /// <summary>Register by register, then the control words.</summary>
    private static void ReduceExtended(CaseRunner runner, CodeSlot slot, Goal wanted, ref CaseRecord input, ref CaseRecord silicon,
        ref string difference)
    {
        ExtendedState plain = ExtendedText.Default;
        for (int i = 0; i < 16; i++)
        {
            CaseRecord tried = input;
            tried.Extended.Upper[i] = default;
            Try(runner, slot, tried, wanted, ref input, ref silicon, ref difference);
            tried = input;
            tried.Extended.Xmm[i] = default;
            Try(runner, slot, tried, wanted, ref input, ref silicon, ref difference);
        }

        for (int i = 0; i < 8; i++)
        {
            CaseRecord tried = input;
            tried.Extended.Stack[i] = default;
            Try(runner, slot, tried, wanted, ref input, ref silicon, ref difference);
        }

        CaseRecord words = input;
        words.Extended.Mxcsr = plain.Mxcsr;
        Try(runner, slot, words, wanted, ref input, ref silicon, ref difference);
        words = input;
        words.Extended.Control = plain.Control;
        words.Extended.Status &= 0x3800;
        Try(runner, slot, words, wanted, ref input, ref silicon, ref difference);
        words = input;
        words.Extended.Status = plain.Status;
        words.Extended.Tags = plain.Tags;
        Try(runner, slot, words, wanted, ref input, ref silicon, ref difference);
        words = input;
        words.Extended.Opcode = 0;
        words.Extended.InstructionPointer = words.Extended.OperandPointer = 0;
        Try(runner, slot, words, wanted, ref input, ref silicon, ref difference);
    }

    private static void Try(CaseRunner runner, CodeSlot slot, CaseRecord tried, Goal wanted, ref CaseRecord input, ref CaseRecord silicon,
        ref string difference)
    {
        if (!wanted.Effort.Take(runner.Native.Deaths))
            return;
        if (runner.RunOne(slot, in tried, out CaseRecord result, out _, wanted.Known) is not { } still || result.Vector != wanted.Vector
            || !wanted.Names.IsSupersetOf(Comparison.Kind(still).Split(' ')))
            return;
        input = tried;
        silicon = result;
        difference = still;
    }

    /// <summary>What must stay: silicon's outcome, and nothing that did not differ before; and what may be spent.</summary>
    private sealed record Goal(uint Vector, HashSet<string> Names, VendorDifference? Known, Effort Effort);

    /// <summary>Words a case as a finding, as it is.</summary>
    public static Finding Word(CodeSlot slot, in CaseRecord input, in CaseRecord silicon, string difference) =>
        new(slot.Instruction.ToString(), slot.Instruction.Mnemonic.ToString(), CaseText.Format(slot, in input, in silicon), difference);
}
