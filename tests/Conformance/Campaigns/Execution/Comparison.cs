using Hv.Conformance.Campaigns.Cases;
using Hv.Conformance.Campaigns.Forms;
using Hv.Conformance.Oracle;
using Iced.Intel;

namespace Hv.Conformance.Campaigns.Execution;

/// <summary>Brings silicon's and hv's results to one form and compares them.</summary>
public static class Comparison
{
    private const ulong ResumeFlag = 0x1_0000, TrapFlag = 0x100;
    private const ulong TopOfUserSpace = 0x7FFF_FFFF_F000;
    private const int TrapTrace = 2;   // siginfo's si_code for a single step

    /// <summary>Vectors that push an error code (SDM 3A table 6-1).</summary>
    private const uint WithErrorCode = 1 << 8 | 1 << 10 | 1 << 11 | 1 << 12 | 1 << 13 | 1 << 14 | 1 << 17;

    /// <summary>Removes from a result of the worker what belongs to the method, not to the instruction.</summary>
    public static void NormaliseSilicon(ref CaseRecord result, CodeSlot slot)
    {
        // Now and then, under a hypervisor, the trap comes without DR6.BS and so with another code.
        if (result.Vector == 1 && (result.SignalCode == TrapTrace || slot.Way == EntryWay.Stepped) && slot.Instruction.Mnemonic != Mnemonic.Int1)
            result.Vector = Outcome.Completed;
        else if (result.Vector == Outcome.Completed)
            result.Rip = slot.StartRip + (uint)slot.Bytes.Length;
        Normalise(ref result, slot);
    }

    /// <summary>The same for hv's result.</summary>
    public static void NormaliseOurs(ref CaseRecord result, CodeSlot slot) => Normalise(ref result, slot);

    /// <summary>What differs, in words; null when nothing does.</summary>
    public static string? Difference(in CaseRecord input, in CaseRecord silicon, in CaseRecord ours, CodeSlot slot) =>
        Difference(in input, in silicon, in ours, slot, out _);

    /// <summary>As the other, and says whether the result is undefined, so that memory may differ from here on.</summary>
    public static string? Difference(in CaseRecord input, in CaseRecord silicon, in CaseRecord ours, CodeSlot slot, out bool undefinedResult)
    {
        ulong undefined = 0;
        undefinedResult = false;
        if (slot.UndefinedRules.Count > 0)
        {
            Instruction instruction = slot.Instruction;
            undefined = UndefinedFlags.Mask(in instruction, in input, out undefinedResult);
        }

        string? difference = Difference(in silicon, in ours, slot.HasExtended, undefined, undefinedResult);
        if (difference is null || !RoundedResults.Contains(slot.Instruction.Mnemonic))
            return difference;
        CaseRecord reconciled = silicon;
        RoundedResults.Reconcile(ref reconciled.Extended, in ours.Extended);
        return Difference(in reconciled, in ours, slot.HasExtended, undefined, undefinedResult);
    }

    /// <summary>What differs outside the flags <paramref name="undefined"/>; null when nothing does.</summary>
    public static string? Difference(in CaseRecord silicon, in CaseRecord ours, bool extended, ulong undefined, bool resultToo = false)
    {
        if (silicon.Vector == ours.Vector && silicon.Rip == ours.Rip && ((silicon.Rflags ^ ours.Rflags) & ~undefined) == 0
            && silicon.ErrorCode == ours.ErrorCode && silicon.Address == ours.Address
            && ((ReadOnlySpan<ulong>)silicon.Registers).SequenceEqual(ours.Registers)
            && ((ReadOnlySpan<byte>)silicon.Memory).SequenceEqual(ours.Memory)
            && (!extended || ExtendedComparison.Same(in silicon.Extended, in ours.Extended)))
            return null;
        return Describe(in silicon, in ours, extended, undefined, resultToo);
    }

    /// <summary>What a difference is about, without its values: the names in it.</summary>
    public static string Kind(string difference) =>
        string.Join(' ', difference.Split(", ").Select(p => p[..p.IndexOf(' ')]).Distinct());

    /// <summary>Whether a case touched the worker's own pages, which hv's side does not have.</summary>
    public static bool TouchesWorker(in CaseRecord ours) =>
        IsReserved(ours.Rip) || (ours.Vector == 14 && IsReserved(ours.Address));

    // An access may begin a little before the pages it touches.
    private static bool IsReserved(ulong address) => address - (OracleMap.Reserved - 64) < OracleMap.ReservedSize + 64
        || address - (OracleMap.HighReserved - 64) < OracleMap.HighReservedSize + 64;

    private static void Normalise(ref CaseRecord result, CodeSlot slot)
    {
        result.Rflags &= ~ResumeFlag;
        if (slot.Way == EntryWay.Stepped && (result.Vector != Outcome.Completed || !ChangesTrapFlag(slot.Instruction.Mnemonic)))
            result.Rflags &= ~TrapFlag;
        if (result.Vector >= 32 || (WithErrorCode >> (int)result.Vector & 1) == 0)
            result.ErrorCode = 0;
        if (result.Vector != 14)
            result.Address = 0;
        // Linux hides from programs whether a kernel page is present (arch/x86/mm/fault.c, set_signal_archinfo).
        if (result.Address >= TopOfUserSpace)
            result.ErrorCode &= ~1u;
        if (slot.Mode == CodeMode.Bits16)
            result.Registers[4] = (uint)result.Registers[4];
        result.SignalCode = 0;
    }

    private static bool ChangesTrapFlag(Mnemonic mnemonic) =>
        mnemonic is Mnemonic.Popf or Mnemonic.Popfd or Mnemonic.Popfq or Mnemonic.Iret or Mnemonic.Iretd or Mnemonic.Iretq;

    private static string? Describe(in CaseRecord silicon, in CaseRecord ours, bool extended, ulong undefined, bool resultToo)
    {
        var parts = new List<string>();
        if (silicon.Vector != ours.Vector)
            parts.Add($"outcome {CaseText.OutcomeName(silicon.Vector)} not {CaseText.OutcomeName(ours.Vector)}");
        if (silicon.Rip != ours.Rip)
            parts.Add($"rip {silicon.Rip:x} not {ours.Rip:x}");
        if (silicon.ErrorCode != ours.ErrorCode)
            parts.Add($"error code {silicon.ErrorCode:x} not {ours.ErrorCode:x}");
        if (silicon.Address != ours.Address)
            parts.Add($"cr2 {silicon.Address:x} not {ours.Address:x}");
        ulong flags = (silicon.Rflags ^ ours.Rflags) & ~undefined;
        if (flags != 0)
            parts.Add($"flags {CaseText.FlagNames(flags)}: {silicon.Rflags:x} not {ours.Rflags:x}");
        if (!resultToo || silicon.Vector != Outcome.Completed)
        {
            for (int i = 0; i < 16; i++)
                if (silicon.Registers[i] != ours.Registers[i])
                    parts.Add($"{CaseText.RegisterName(i)} {silicon.Registers[i]:x} not {ours.Registers[i]:x}");
            if (extended)
                ExtendedText.Describe(parts, in silicon.Extended, in ours.Extended);
            ReadOnlySpan<byte> a = silicon.Memory;
            int at = a.CommonPrefixLength(ours.Memory);
            if (at < a.Length)
                parts.Add($"memory at +{at:x}: {Convert.ToHexStringLower(a[at..Math.Min(at + 8, a.Length)])} not " +
                    $"{Convert.ToHexStringLower(((ReadOnlySpan<byte>)ours.Memory)[at..Math.Min(at + 8, a.Length)])}");
        }

        return parts.Count == 0 ? null : string.Join(", ", parts);
    }
}
