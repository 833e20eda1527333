using Hv.Cpu.Floating;

namespace Hv.Cpu.Simd;

/// <summary>VCVTPS2PH's lane: rounding by the immediate, and MXCSR.FTZ is not obeyed (SDM 2C VCVTPS2PH).</summary>
internal static class SingleToHalf
{
    private const int ByMxcsr = 4;

    /// <summary>What lanes obey.</summary>
    internal static FloatEnvironment Environment(uint mxcsr, int immediate)
    {
        var environment = FloatEnvironment.FromMxcsr(mxcsr);
        environment.FlushToZero = false;
        if ((immediate & ByMxcsr) == 0)
            environment.Rounding = (RoundingMode)(immediate & 3);
        return environment;
    }

    internal static ulong Soft(ulong source, ref FloatEnvironment environment)
    {
        FloatParts parts = FloatParts.Unpack<Single32>(source, in environment);
        ulong result = FloatConversion.Convert(in parts, ref environment).To<Half16>(ref environment);
        // Where an unmasked underflow delivers nothing, silicon calls a denormal source inexact all the same.
        if (parts.Denormal)
            environment.Flags |= FloatFlags.Inexact;
        return result;
    }
}
