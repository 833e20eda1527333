using Hv.Conformance.Campaigns.Cases;
using Hv.Conformance.Oracle;
using Iced.Intel;

namespace Hv.Conformance.Campaigns.Forms;

/// <summary>What rows of <see cref="VendorDifferences"/> ask about a case.</summary>
internal static class CaseTraits
{
    /// <summary>Vectors (SDM 3A table 6-1).</summary>
    public const uint Undefined = 6, StackFault = 12, General = 13, Page = 14, Alignment = 17;

    /// <summary>RFLAGS.AC.</summary>
    public const ulong AlignmentFlag = 0x4_0000;

    /// <summary>Bits of a page fault's error code.</summary>
    public const uint Fetch = 0x10, WriteOrFetch = 0x12;

    private static readonly byte[] _prefixes =
        [0x26, 0x2E, 0x36, 0x3E, 0x64, 0x65, 0x66, 0x67, 0xF0, 0xF2, 0xF3, .. Enumerable.Range(0x40, 16).Select(rex => (byte)rex)];

    /// <summary>E8, E9 or 0F 80..8F after prefixes: with a 32-bit displacement it may be too long for Iced, and with a 16-bit one it is
    /// not.</summary>
    public static bool HasBranchOpcode(CodeSlot slot)
    {
        ReadOnlySpan<byte> rest = slot.Bytes.AsSpan().TrimStart(_prefixes);
        return rest.Length > 1 && (rest[0] is 0xE8 or 0xE9 || (rest[0] == 0x0F && rest[1] is >= 0x80 and <= 0x8F));
    }

    /// <summary>The fault of fetching too much: the 16th byte, the end of a 16-bit segment, a missing page.</summary>
    public static bool EndsEarly(CodeSlot slot, in CaseRecord result) =>
        (result.Vector == General && (slot.Bytes.Length >= 15 || slot.Mode == CodeMode.Bits16))
            || (result.Vector == Page && (result.ErrorCode & Fetch) != 0);

    /// <summary>Whether the general registers are the same in the bits of <paramref name="mask"/>.</summary>
    public static bool SameRegisters(in CaseRecord a, in CaseRecord b, ulong mask, Register except = Register.None)
    {
        for (int i = 0; i < 16; i++)
            if (((a.Registers[i] ^ b.Registers[i]) & mask) != 0 && except.GetFullRegister() != Register.RAX + i)
                return false;
        return true;
    }

    /// <summary>Whether MOVS or CMPS, of whose two operands either may fault first, has faulted on both sides.</summary>
    public static bool FaultsInTwoOperands(CodeSlot slot, in CaseRecord silicon, in CaseRecord ours) =>
        slot.Instruction.IsStringInstruction && silicon.Vector < 32 && ours.Vector < 32 && silicon.Rip == ours.Rip
            && slot.Instruction.Mnemonic is Mnemonic.Movsb or Mnemonic.Movsw or Mnemonic.Movsd or Mnemonic.Movsq
                or Mnemonic.Cmpsb or Mnemonic.Cmpsw or Mnemonic.Cmpsd or Mnemonic.Cmpsq;

    /// <summary>RETF or IRET.</summary>
    public static bool IsFarReturn(CodeSlot slot) => slot.Instruction.Mnemonic is Mnemonic.Retf or Mnemonic.Iret or Mnemonic.Iretd or Mnemonic.Iretq;

    /// <summary>Any branch that stays in its segment.</summary>
    public static bool IsNearBranch(in Instruction instruction) =>
        instruction.IsJccShortOrNear || instruction.IsJmpShortOrNear || instruction.IsCallNear || instruction.IsJmpNearIndirect
            || instruction.IsCallNearIndirect
        || instruction.IsLoop || instruction.IsLoopcc || instruction.IsJcxShort || instruction.Mnemonic == Mnemonic.Ret;

    /// <summary>Whether a legacy or REX prefix is there.</summary>
    public static bool HasPrefix(CodeSlot slot, byte prefix) => slot.Bytes.AsSpan(0, PrefixCount(slot)).Contains(prefix);

    /// <summary>How many legacy and REX prefixes there are; outside 64-bit code INC and DEC count as such.</summary>
    public static int PrefixCount(CodeSlot slot) => slot.Bytes.Length - slot.Bytes.AsSpan().TrimStart(_prefixes).Length;
}
