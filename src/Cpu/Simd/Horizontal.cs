using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Hv.Cpu.Simd;

/// <summary>The even and the odd elements of two vectors, the first vector's before the second's.</summary>
internal static class Neighbours
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static Vector128<short> EvenWords(Vector128<byte> a, Vector128<byte> b) => Vector128.Narrow(a.AsInt32(), b.AsInt32());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static Vector128<short> OddWords(Vector128<byte> a, Vector128<byte> b) => Vector128.Narrow(a.AsInt32() >> 16, b.AsInt32() >> 16);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static Vector128<int> EvenDoublewords(Vector128<byte> a, Vector128<byte> b) => Vector128.Narrow(a.AsInt64(), b.AsInt64());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static Vector128<int> OddDoublewords(Vector128<byte> a, Vector128<byte> b) => Vector128.Narrow(a.AsInt64() >>> 32, b.AsInt64() >>> 32);
}

/// <summary>PHADDW (SDM 2B).</summary>
internal readonly struct HorizontalAddWords : IVectorBinary<HorizontalAddWords>
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<byte> Apply(Vector128<byte> a, Vector128<byte> b) => (Neighbours.EvenWords(a, b) + Neighbours.OddWords(a, b)).AsByte();
}

/// <summary>PHADDD.</summary>
internal readonly struct HorizontalAddDoublewords : IVectorBinary<HorizontalAddDoublewords>
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<byte> Apply(Vector128<byte> a, Vector128<byte> b) =>
        (Neighbours.EvenDoublewords(a, b) + Neighbours.OddDoublewords(a, b)).AsByte();
}

/// <summary>PHADDSW.</summary>
internal readonly struct HorizontalAddSaturating : IVectorBinary<HorizontalAddSaturating>
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<byte> Apply(Vector128<byte> a, Vector128<byte> b) =>
        Vector128.AddSaturate(Neighbours.EvenWords(a, b), Neighbours.OddWords(a, b)).AsByte();
}

/// <summary>PHSUBW: the even element minus the odd.</summary>
internal readonly struct HorizontalSubtractWords : IVectorBinary<HorizontalSubtractWords>
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<byte> Apply(Vector128<byte> a, Vector128<byte> b) => (Neighbours.EvenWords(a, b) - Neighbours.OddWords(a, b)).AsByte();
}

/// <summary>PHSUBD.</summary>
internal readonly struct HorizontalSubtractDoublewords : IVectorBinary<HorizontalSubtractDoublewords>
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<byte> Apply(Vector128<byte> a, Vector128<byte> b) =>
        (Neighbours.EvenDoublewords(a, b) - Neighbours.OddDoublewords(a, b)).AsByte();
}

/// <summary>PHSUBSW.</summary>
internal readonly struct HorizontalSubtractSaturating : IVectorBinary<HorizontalSubtractSaturating>
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<byte> Apply(Vector128<byte> a, Vector128<byte> b) =>
        Vector128.SubtractSaturate(Neighbours.EvenWords(a, b), Neighbours.OddWords(a, b)).AsByte();
}
