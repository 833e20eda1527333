using Hv.Conformance.Campaigns.Cases;
using Hv.Conformance.Oracle;

namespace Hv.Conformance.Campaigns.Execution;

/// <summary>Takes away from a differing case whatever the difference does not need.</summary>
public static class Minimiser
{
    /// <summary>Reduces a case and words it as a finding.</summary>
    public static Finding Reduce(CaseRunner runner, CodeSlot slot, CaseRecord input, string difference)
    {
        string? now = runner.RunOne(slot, in input, out CaseRecord silicon, out _);
        if (now is null)
        {
            // It needs its neighbours in the batch: say so instead of losing it.
            return Word(slot, in input, in silicon, $"{difference} (not when run alone)");
        }

        difference = now;
        CaseRecord plain = CaseText.Default(slot.Mode);
        for (int i = 0; i < 16; i++)
        {
            CaseRecord tried = input;
            tried.Registers[i] = plain.Registers[i];
            Try(runner, slot, tried, ref input, ref silicon, ref difference);
        }

        CaseRecord flags = input;
        flags.Rflags = plain.Rflags | (input.Rflags & 0x100);
        Try(runner, slot, flags, ref input, ref silicon, ref difference);
        for (int size = CaseMemory.Length; size >= 8; size /= 2)
        {
            for (int at = 0; at + size <= CaseMemory.Length; at += size)
            {
                CaseRecord tried = input;
                Span<byte> piece = ((Span<byte>)tried.Memory).Slice(at, size);
                if (piece.IndexOfAnyExcept((byte)0) < 0)
                    continue;
                piece.Clear();
                Try(runner, slot, tried, ref input, ref silicon, ref difference);
            }
        }

        return Word(slot, in input, in silicon, difference);
    }

    private static void Try(CaseRunner runner, CodeSlot slot, CaseRecord tried, ref CaseRecord input, ref CaseRecord silicon, ref string difference)
    {
        if (runner.RunOne(slot, in tried, out CaseRecord result, out _) is not { } still)
            return;
        input = tried;
        silicon = result;
        difference = still;
    }

    private static Finding Word(CodeSlot slot, in CaseRecord input, in CaseRecord silicon, string difference) =>
        new(slot.Instruction.ToString(), slot.Instruction.Mnemonic.ToString(), CaseText.Format(slot, in input, in silicon), difference);
}
