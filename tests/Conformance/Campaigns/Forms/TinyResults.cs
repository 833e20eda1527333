using Hv.Conformance.Oracle;
using Iced.Intel;

namespace Hv.Conformance.Campaigns.Forms;

/// <summary>x87 instructions whose result is too small for a normal number: AMD's processors report an underflow where Intel's and hv do
/// not.</summary>
internal static class TinyResults
{
    private const int UnderflowFlag = 0x10, C1 = 0x200, Summary = 0x8080;
    private const ulong SignBit = 0x8000;

    // An unmasked underflow multiplies by 2^24576 (SDM 1 8.5.5): the exponents of denormals and of the smallest normal number then.
    private const int ScaledLeast = 0x6001 - 64, ScaledMost = 0x6001;

    /// <summary>Whether an instruction is one of them.</summary>
    public static bool Has(Mnemonic mnemonic) =>
        RoundedResults.Contains(mnemonic) || mnemonic is Mnemonic.Fprem or Mnemonic.Fprem1 or Mnemonic.Fscale;

    /// <summary>Whether two states differ by a reported underflow alone: masked, in its flag (and, as functions are not rounded correctly, in the
    /// last place); unmasked, in a result that is scaled too, and in the pointers that come with the exception.</summary>
    public static bool Agree(in ExtendedState silicon, in ExtendedState ours)
    {
        bool masked = (silicon.Control & UnderflowFlag) != 0;
        int mayDiffer = UnderflowFlag | C1 | (masked ? 0 : Summary);
        if ((silicon.Status & UnderflowFlag) == 0 || (ours.Status & UnderflowFlag) != 0 || ((silicon.Status ^ ours.Status) & ~mayDiffer) != 0)
            return false;
        ExtendedState reconciled = silicon;
        RoundedResults.Reconcile(ref reconciled, in ours);
        reconciled.Status = ours.Status;
        if (!masked)
        {
            reconciled.SetPointers(in ours);
            for (int i = 0; i < 2; i++)
            {
                StackRegister a = silicon.Stack[i], b = ours.Stack[i];
                if (((a.SignExponent ^ b.SignExponent) & SignBit) == 0 && (b.SignExponent & ~SignBit) <= 1
                    && (int)(a.SignExponent & 0x7FFF) is >= ScaledLeast and <= ScaledMost)
                    reconciled.Stack[i] = b;
            }
        }

        return Execution.ExtendedComparison.Same(in reconciled, in ours);
    }
}
