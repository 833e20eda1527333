using System.Runtime.Intrinsics;
using Hv.Conformance.Oracle;
using Iced.Intel;

namespace Hv.Conformance.Campaigns.Forms;

/// <summary>DPPS and DPPD, whose NaN with several NaN products depends on the order of the additions.</summary>
internal static class DotProducts
{
    private const uint QuietSingle = 0x7FC0_0000;
    private const ulong QuietDouble = 0x7FF8_0000_0000_0000;

    /// <summary>Whether two states differ only in elements of the destination that are quiet NaNs on both sides, and the same in all elements of a
    /// lane of <paramref name="silicon"/> that the sum is written to.</summary>
    public static bool DifferByNan(in Instruction instruction, in ExtendedState silicon, in ExtendedState ours)
    {
        int destination = instruction.Op0Register.GetNumber();
        bool single = instruction.Mnemonic is Mnemonic.Dpps or Mnemonic.Vdpps;
        int written = instruction.GetImmediate(instruction.OpCount - 1) is var immediate ? (int)immediate & (single ? 15 : 3) : 0;
        return CaseStates.SameVectors(in silicon, in ours, except: destination)
            && LaneAgrees(silicon.Xmm[destination], ours.Xmm[destination], single, written)
            && LaneAgrees(silicon.Upper[destination], ours.Upper[destination], single, written);
    }

    private static bool LaneAgrees(Vector128<byte> silicon, Vector128<byte> ours, bool single, int written)
    {
        if (silicon == ours)
            return true;
        ulong? sum = null;
        for (int i = 0; i < (single ? 4 : 2); i++)
        {
            ulong left = single ? silicon.AsUInt32()[i] : silicon.AsUInt64()[i];
            ulong right = single ? ours.AsUInt32()[i] : ours.AsUInt64()[i];
            if ((written >> i & 1) == 0)
            {
                if (left != right)
                    return false;
                continue;
            }

            ulong quiet = single ? QuietSingle : QuietDouble;
            if ((left & quiet) != quiet || (right & quiet) != quiet || (sum ?? left) != left)
                return false;
            sum = left;
        }

        return true;
    }
}
