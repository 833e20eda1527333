using System.Runtime.InteropServices;
using Hv.Conformance.Oracle;

namespace Hv.Conformance.Campaigns.Execution;

/// <summary>Compares x87, SSE and AVX state.</summary>
public static class ExtendedComparison
{
    // The bytes of an area that are state: not MXCSR_MASK, which is the processor's, nor the header, whose bits say how the state was tracked.
    private const int BeforeMask = 28, LegacyEnd = 416;

    /// <summary>Whether two states are the same.</summary>
    public static bool Same(in ExtendedState a, in ExtendedState b)
    {
        ReadOnlySpan<byte> left = MemoryMarshal.AsBytes(MemoryMarshal.CreateReadOnlySpan(in a, 1));
        ReadOnlySpan<byte> right = MemoryMarshal.AsBytes(MemoryMarshal.CreateReadOnlySpan(in b, 1));
        return left[..BeforeMask].SequenceEqual(right[..BeforeMask])
            && left[ExtendedState.X87Offset..LegacyEnd].SequenceEqual(right[ExtendedState.X87Offset..LegacyEnd])
            && left[ExtendedState.UpperOffset..].SequenceEqual(right[ExtendedState.UpperOffset..]);
    }
}
