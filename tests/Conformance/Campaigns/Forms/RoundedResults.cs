using Hv.Conformance.Oracle;
using Iced.Intel;

namespace Hv.Conformance.Campaigns.Forms;

/// <summary>The x87 functions whose results processors do not round correctly and hv does (docs/adr/0025-x87-transcendentals.md). What they push or
/// replace may differ by one unit in the last place, and C1, which says how it was rounded; nothing else may.</summary>
public static class RoundedResults
{
    /// <summary>What allows it.</summary>
    public const string Citation = "SDM 1 8.3.10: the error is below 1 ulp; docs/adr/0025-x87-transcendentals.md";

    private const ushort C1 = 1 << 9, SignBit = 0x8000;

    /// <summary>The instructions.</summary>
    public static IReadOnlyList<Mnemonic> Instructions { get; } =
        [Mnemonic.F2xm1, Mnemonic.Fyl2x, Mnemonic.Fyl2xp1, Mnemonic.Fptan, Mnemonic.Fpatan, Mnemonic.Fsin, Mnemonic.Fcos, Mnemonic.Fsincos];

    /// <summary>Whether an instruction is one of them.</summary>
    public static bool Contains(Mnemonic mnemonic) => Instructions.Contains(mnemonic);

    /// <summary>Gives silicon's state the results of ours that are near enough.</summary>
    public static void Reconcile(ref ExtendedState silicon, in ExtendedState ours)
    {
        if (silicon.Top != ours.Top)
            return;
        // FPTAN and FSINCOS leave two results.
        for (int i = 0; i < 2; i++)
        {
            if (IsNear(silicon.Stack[i], ours.Stack[i]))
                silicon.Stack[i] = ours.Stack[i];
        }

        silicon.Status = (ushort)(silicon.Status & ~C1 | ours.Status & C1);
    }

    private static bool IsNear(StackRegister a, StackRegister b) =>
        ((a.SignExponent ^ b.SignExponent) & SignBit) == 0 && Int128.Abs(Magnitude(a) - Magnitude(b)) <= 1;

    /// <summary>A number that counts the values of the format in order.</summary>
    private static Int128 Magnitude(StackRegister a) => ((Int128)(a.SignExponent & 0x7FFF) << 63) + (a.Significand & long.MaxValue);
}
