using System.Runtime.Intrinsics;
using Hv.Conformance.Oracle;
using Iced.Intel;

namespace Hv.Conformance.Campaigns.Forms;

/// <summary>AVX2 gathers, whose mask shows after a fault what was not yet done.</summary>
internal static class Gathers
{
    /// <summary>Whether an instruction is one.</summary>
    public static bool Has(in Instruction instruction) => instruction.IsVsib && instruction.OpCount == 3 && instruction.Op2Kind == OpKind.Register;

    /// <summary>Whether the state after a fault is <paramref name="ours"/>, but for a mask whose signs are not spread and, where the registers have
    /// 128 bits, upper halves that stayed.</summary>
    public static bool Agree(in Instruction instruction, in ExtendedState input, in ExtendedState silicon, in ExtendedState ours)
    {
        int destination = instruction.Op0Register.GetNumber();
        int mask = instruction.Op2Register.GetNumber();
        bool wide = instruction.Mnemonic is Mnemonic.Vgatherdpd or Mnemonic.Vgatherqpd or Mnemonic.Vpgatherdq or Mnemonic.Vpgatherqq;
        for (int i = 0; i < 16; i++)
        {
            bool uppersAgree = silicon.Upper[i] == ours.Upper[i] || ((i == mask || i == destination) && instruction.Op2Register.IsXMM()
                && silicon.Upper[i] == input.Upper[i] && ours.Upper[i] == Vector128<byte>.Zero);
            if (i != mask && !(uppersAgree && silicon.Xmm[i] == ours.Xmm[i]))
                return false;
            if (i == mask && !(Spread(silicon.Xmm[i], wide) == ours.Xmm[i] && (uppersAgree || Spread(silicon.Upper[i], wide) == ours.Upper[i])))
                return false;
        }

        return true;
    }

    private static Vector128<byte> Spread(Vector128<byte> mask, bool wide) =>
        wide ? Vector128.ShiftRightArithmetic(mask.AsInt64(), 63).AsByte() : Vector128.ShiftRightArithmetic(mask.AsInt32(), 31).AsByte();
}
