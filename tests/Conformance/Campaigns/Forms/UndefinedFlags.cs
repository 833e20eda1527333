using Hv.Conformance.Oracle;
using Iced.Intel;

namespace Hv.Conformance.Campaigns.Forms;

/// <summary>When a flag is undefined.</summary>
public enum UndefinedWhen : byte
{
    Always,
    CountIsNotZero,
    CountIsAboveOne,

    /// <summary>The masked count is at least the operand's size.</summary>
    CountReachesSize,

    /// <summary>The masked count is above the operand's size (SHLD and SHRD of 16 bits only).</summary>
    CountExceedsSize,
}

/// <summary>One statement of a manual that leaves flags (or the result) undefined.</summary>
/// <param name="Instructions">The instructions it is about.</param>
/// <param name="Flags">RFLAGS bits.</param>
/// <param name="When">The condition.</param>
/// <param name="Citation">Where it says so.</param>
/// <param name="ResultToo">Whether the destination is undefined too.</param>
public sealed record UndefinedRule(Mnemonic[] Instructions, ulong Flags, UndefinedWhen When, string Citation, bool ResultToo = false);

/// <summary>What the manuals leave undefined, instruction by instruction. Only these bits are ever left out of a comparison.</summary>
public static class UndefinedFlags
{
    public const ulong Cf = 1, Pf = 4, Af = 0x10, Zf = 0x40, Sf = 0x80, Of = 0x800, All = Cf | Pf | Af | Zf | Sf | Of;

    /// <summary>The table.</summary>
    public static IReadOnlyList<UndefinedRule> Rules { get; } =
    [
        new([Mnemonic.And, Mnemonic.Or, Mnemonic.Xor, Mnemonic.Test], Af, UndefinedWhen.Always, "SDM 2 AND, OR, TEST, XOR: AF is undefined"),
        new([Mnemonic.Andn, Mnemonic.Blsi, Mnemonic.Blsmsk, Mnemonic.Blsr, Mnemonic.Bzhi], Af | Pf, UndefinedWhen.Always,
            "SDM 2 ANDN, BLSI, BLSMSK, BLSR, BZHI: AF and PF are undefined"),
        new([Mnemonic.Bextr], Af | Sf | Pf, UndefinedWhen.Always, "SDM 2A BEXTR: AF, SF and PF are undefined"),
        new([Mnemonic.Bsf, Mnemonic.Bsr], Cf | Of | Sf | Af | Pf, UndefinedWhen.Always, "SDM 2A BSF, BSR: CF, OF, SF, AF and PF are undefined"),
        new([Mnemonic.Bt, Mnemonic.Btc, Mnemonic.Btr, Mnemonic.Bts], Of | Sf | Af | Pf, UndefinedWhen.Always,
            "SDM 2A BT, BTC, BTR, BTS: OF, SF, AF and PF are undefined"),
        new([Mnemonic.Lzcnt, Mnemonic.Tzcnt], Of | Sf | Pf | Af, UndefinedWhen.Always, "SDM 2 LZCNT, TZCNT: OF, SF, PF and AF are undefined"),
        new([Mnemonic.Mul, Mnemonic.Imul], Sf | Zf | Af | Pf, UndefinedWhen.Always, "SDM 2 MUL, IMUL: SF, ZF, AF and PF are undefined"),
        new([Mnemonic.Div, Mnemonic.Idiv], All, UndefinedWhen.Always, "SDM 2 DIV, IDIV: CF, OF, SF, ZF, AF and PF are undefined"),
        new([Mnemonic.Aaa, Mnemonic.Aas], Of | Sf | Zf | Pf, UndefinedWhen.Always, "SDM 2A AAA, AAS: OF, SF, ZF and PF are undefined"),
        new([Mnemonic.Aad, Mnemonic.Aam], Of | Af | Cf, UndefinedWhen.Always, "SDM 2A AAD, AAM: OF, AF and CF are undefined"),
        new([Mnemonic.Daa, Mnemonic.Das], Of, UndefinedWhen.Always, "SDM 2A DAA, DAS: OF is undefined"),
        new([Mnemonic.Shl, Mnemonic.Sal, Mnemonic.Shr, Mnemonic.Sar], Af, UndefinedWhen.CountIsNotZero,
            "SDM 2B SAL/SAR/SHL/SHR: AF is undefined for a non-zero count"),
        new([Mnemonic.Shl, Mnemonic.Sal, Mnemonic.Shr, Mnemonic.Sar], Of, UndefinedWhen.CountIsAboveOne,
            "SDM 2B SAL/SAR/SHL/SHR: OF is affected only by 1-bit shifts, otherwise undefined"),
        new([Mnemonic.Shl, Mnemonic.Sal, Mnemonic.Shr], Cf, UndefinedWhen.CountReachesSize,
            "SDM 2B SAL/SAR/SHL/SHR: CF is undefined for SHL and SHR where the count is the operand's size or more"),
        new([Mnemonic.Rol, Mnemonic.Ror, Mnemonic.Rcl, Mnemonic.Rcr], Of, UndefinedWhen.CountIsAboveOne,
            "SDM 2B RCL/RCR/ROL/ROR: OF is defined only for 1-bit rotates"),
        new([Mnemonic.Shld, Mnemonic.Shrd], Af, UndefinedWhen.CountIsNotZero, "SDM 2B SHLD, SHRD: AF is undefined for a non-zero count"),
        new([Mnemonic.Shld, Mnemonic.Shrd], Of, UndefinedWhen.CountIsAboveOne, "SDM 2B SHLD, SHRD: OF is undefined for a shift of more than one bit"),
        new([Mnemonic.Shld, Mnemonic.Shrd], All, UndefinedWhen.CountExceedsSize,
            "SDM 2B SHLD, SHRD: with a count above the operand's size the result and the flags are undefined", ResultToo: true),
        new([Mnemonic.Bswap], 0, UndefinedWhen.CountExceedsSize, "SDM 2A BSWAP: the result for a 16-bit register is undefined", ResultToo: true),
    ];

    private static readonly Dictionary<Mnemonic, UndefinedRule[]> _byMnemonic = Rules
        .SelectMany(r => r.Instructions.Select(m => (m, r))).GroupBy(p => p.m).ToDictionary(g => g.Key, g => g.Select(p => p.r).ToArray());

    /// <summary>The rules about one instruction.</summary>
    public static IReadOnlyList<UndefinedRule> Concerning(Mnemonic mnemonic) => _byMnemonic.GetValueOrDefault(mnemonic) ?? [];

    /// <summary>The flags undefined after this instruction from this state.</summary>
    public static ulong Mask(in Instruction instruction, in CaseRecord input, out bool resultToo)
    {
        ulong mask = 0;
        resultToo = false;
        if (!_byMnemonic.TryGetValue(instruction.Mnemonic, out UndefinedRule[]? rules))
            return 0;
        foreach (UndefinedRule rule in rules)
        {
            if (!Holds(rule.When, in instruction, in input))
                continue;
            mask |= rule.Flags;
            resultToo |= rule.ResultToo;
        }

        return mask;
    }

    private static bool Holds(UndefinedWhen when, in Instruction instruction, in CaseRecord input)
    {
        if (when == UndefinedWhen.Always)
            return true;
        int size = OperandBits(in instruction);
        if (instruction.Mnemonic == Mnemonic.Bswap)
            return size == 16;
        int last = instruction.OpCount - 1;
        int count = instruction.GetOpKind(last) == OpKind.Register ? (int)(input.Registers[1] & 0xFF) : (int)instruction.GetImmediate(last);
        count &= size == 64 ? 63 : 31;
        return when switch
        {
            UndefinedWhen.CountIsNotZero => count != 0,
            UndefinedWhen.CountIsAboveOne => count > 1,
            UndefinedWhen.CountReachesSize => count >= size,
            _ => count > size,
        };
    }

    private static int OperandBits(in Instruction instruction) =>
        instruction.Op0Kind == OpKind.Register ? instruction.Op0Register.GetSize() * 8 : instruction.MemorySize.GetSize() * 8;
}
