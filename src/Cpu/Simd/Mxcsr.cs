using Hv.Cpu.Floating;

namespace Hv.Cpu.Simd;

/// <summary>MXCSR: what a vector instruction obeys, and how what it raised is merged (SDM 1 10.2.3, 11.5).</summary>
internal static class Mxcsr
{
    private const uint Inexact = 1 << 5, InexactMask = 1 << 12, RoundingMask = 3 << 13;

    /// <summary>What decides about a result that is normal, of operands that are: it may be inexact, and that is all. FTZ, DAZ and the other masks have
    /// no say.</summary>
    private const uint Deciding = InexactMask | RoundingMask;

    private const FloatFlags BeforeComputation = FloatFlags.Invalid | FloatFlags.Denormal | FloatFlags.DivideByZero;

    /// <summary>Whether results are the host's own as long as nothing but inexact is raised: nearest, and inexact
    /// masked.</summary>
    internal static bool IsOrdinary(uint mxcsr) => (mxcsr & Deciding) == InexactMask;

    /// <summary>As <see cref="IsOrdinary"/>, and inexact is raised already, so that raising it again is nothing to be seen.</summary>
    internal static bool IsSettled(uint mxcsr) => (mxcsr & (Deciding | Inexact)) == (InexactMask | Inexact);

    /// <summary>
    /// Merges what an instruction raised over all its lanes. An unmasked exception found before the computation hides those found after it, in every
    /// lane (SDM 1 11.5.3). False: the instruction faults, and writes nothing else.
    /// </summary>
    internal static bool Accept(ref uint mxcsr, in FloatEnvironment environment)
    {
        FloatFlags raised = environment.Flags, unmasked = ~environment.Masks;
        if ((raised & BeforeComputation & unmasked) != 0)
            raised &= BeforeComputation;
        mxcsr |= (uint)(raised | environment.Earlier);
        return (raised & unmasked) == 0;
    }
}
