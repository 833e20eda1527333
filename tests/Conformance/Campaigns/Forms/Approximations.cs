using System.Runtime.Intrinsics;
using Hv.Conformance.Oracle;
using Iced.Intel;

namespace Hv.Conformance.Campaigns.Forms;

/// <summary>RCPPS and RSQRTPS, whose results the manuals only bound: a relative error of at most 1.5 * 2^-12 (SDM 2B, APM 4 RCPPS, RSQRTPS). Two
/// results for one operand are then within 3 * 2^-12 of each other.</summary>
internal static class Approximations
{
    private const double Bound = 3.0 / 4096;

    /// <summary>Whether an instruction is one of them.</summary>
    public static bool Has(Mnemonic mnemonic) =>
        mnemonic is Mnemonic.Rcpps or Mnemonic.Rcpss or Mnemonic.Rsqrtps or Mnemonic.Rsqrtss or Mnemonic.Vrcpps or Mnemonic.Vrcpss
            or Mnemonic.Vrsqrtps or Mnemonic.Vrsqrtss;

    /// <summary>Whether two states differ only in elements of the destination, and those by no more than the bound.</summary>
    public static bool Agree(in Instruction instruction, in ExtendedState a, in ExtendedState b)
    {
        int destination = instruction.Op0Register.GetNumber();
        bool scalar = instruction.Mnemonic is Mnemonic.Rcpss or Mnemonic.Rsqrtss or Mnemonic.Vrcpss or Mnemonic.Vrsqrtss;
        for (int i = 0; i < 16; i++)
        {
            for (int element = 0; element < 8; element++)
            {
                float left = Element(in a, i, element), right = Element(in b, i, element);
                if (BitConverter.SingleToUInt32Bits(left) == BitConverter.SingleToUInt32Bits(right))
                    continue;
                if (i != destination || (scalar && element != 0) || !(Math.Abs((double)left - right) <= Bound * Math.Abs((double)right)))
                    return false;
            }
        }

        return true;
    }

    private static float Element(in ExtendedState state, int register, int element) =>
        (element < 4 ? state.Xmm[register] : state.Upper[register]).AsSingle().GetElement(element & 3);
}
