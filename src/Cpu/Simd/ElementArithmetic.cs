using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Hv.Cpu.Simd;

/// <summary>PADDB, PADDW, PADDD, PADDQ (SDM 2B).</summary>
internal readonly struct Add<T> : IVectorBinary<Add<T>>
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<byte> Apply(Vector128<byte> a, Vector128<byte> b) => (a.As<byte, T>() + b.As<byte, T>()).AsByte();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<byte> Apply(Vector256<byte> a, Vector256<byte> b) => (a.As<byte, T>() + b.As<byte, T>()).AsByte();
}

/// <summary>PSUBB, PSUBW, PSUBD, PSUBQ.</summary>
internal readonly struct Subtract<T> : IVectorBinary<Subtract<T>>
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<byte> Apply(Vector128<byte> a, Vector128<byte> b) => (a.As<byte, T>() - b.As<byte, T>()).AsByte();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<byte> Apply(Vector256<byte> a, Vector256<byte> b) => (a.As<byte, T>() - b.As<byte, T>()).AsByte();
}

/// <summary>PADDSB, PADDSW, PADDUSB, PADDUSW.</summary>
internal readonly struct AddSaturating<T> : IVectorBinary<AddSaturating<T>>
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<byte> Apply(Vector128<byte> a, Vector128<byte> b) => Vector128.AddSaturate(a.As<byte, T>(), b.As<byte, T>()).AsByte();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<byte> Apply(Vector256<byte> a, Vector256<byte> b) => Vector256.AddSaturate(a.As<byte, T>(), b.As<byte, T>()).AsByte();
}

/// <summary>PSUBSB, PSUBSW, PSUBUSB, PSUBUSW.</summary>
internal readonly struct SubtractSaturating<T> : IVectorBinary<SubtractSaturating<T>>
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<byte> Apply(Vector128<byte> a, Vector128<byte> b) =>
        Vector128.SubtractSaturate(a.As<byte, T>(), b.As<byte, T>()).AsByte();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<byte> Apply(Vector256<byte> a, Vector256<byte> b) =>
        Vector256.SubtractSaturate(a.As<byte, T>(), b.As<byte, T>()).AsByte();
}

/// <summary>PMINSB, PMINSW, PMINSD, PMINUB, PMINUW, PMINUD.</summary>
internal readonly struct Minimum<T> : IVectorBinary<Minimum<T>>
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<byte> Apply(Vector128<byte> a, Vector128<byte> b) => Vector128.Min(a.As<byte, T>(), b.As<byte, T>()).AsByte();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<byte> Apply(Vector256<byte> a, Vector256<byte> b) => Vector256.Min(a.As<byte, T>(), b.As<byte, T>()).AsByte();
}

/// <summary>PMAXSB, PMAXSW, PMAXSD, PMAXUB, PMAXUW, PMAXUD.</summary>
internal readonly struct Maximum<T> : IVectorBinary<Maximum<T>>
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<byte> Apply(Vector128<byte> a, Vector128<byte> b) => Vector128.Max(a.As<byte, T>(), b.As<byte, T>()).AsByte();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<byte> Apply(Vector256<byte> a, Vector256<byte> b) => Vector256.Max(a.As<byte, T>(), b.As<byte, T>()).AsByte();
}

/// <summary>PCMPEQB, PCMPEQW, PCMPEQD, PCMPEQQ.</summary>
internal readonly struct Equal<T> : IVectorBinary<Equal<T>>
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<byte> Apply(Vector128<byte> a, Vector128<byte> b) => Vector128.Equals(a.As<byte, T>(), b.As<byte, T>()).AsByte();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<byte> Apply(Vector256<byte> a, Vector256<byte> b) => Vector256.Equals(a.As<byte, T>(), b.As<byte, T>()).AsByte();
}

/// <summary>PCMPGTB, PCMPGTW, PCMPGTD, PCMPGTQ: signed.</summary>
internal readonly struct Greater<T> : IVectorBinary<Greater<T>>
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<byte> Apply(Vector128<byte> a, Vector128<byte> b) => Vector128.GreaterThan(a.As<byte, T>(), b.As<byte, T>()).AsByte();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<byte> Apply(Vector256<byte> a, Vector256<byte> b) => Vector256.GreaterThan(a.As<byte, T>(), b.As<byte, T>()).AsByte();
}

/// <summary>PAVGB: the mean, a half rounded up.</summary>
internal readonly struct AverageBytes : IVectorBinary<AverageBytes>
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<byte> Apply(Vector128<byte> a, Vector128<byte> b) =>
        Sse2.IsSupported ? Sse2.Average(a, b) : (a | b) - ((a ^ b) >>> 1);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<byte> Apply(Vector256<byte> a, Vector256<byte> b) =>
        Avx2.IsSupported ? Avx2.Average(a, b) : Halves.Each<AverageBytes>(a, b);
}

/// <summary>PAVGW.</summary>
internal readonly struct AverageWords : IVectorBinary<AverageWords>
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<byte> Apply(Vector128<byte> a, Vector128<byte> b) =>
        Sse2.IsSupported ? Sse2.Average(a.AsUInt16(), b.AsUInt16()).AsByte() : ((a | b).AsUInt16() - ((a ^ b).AsUInt16() >>> 1)).AsByte();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<byte> Apply(Vector256<byte> a, Vector256<byte> b) =>
        Avx2.IsSupported ? Avx2.Average(a.AsUInt16(), b.AsUInt16()).AsByte() : Halves.Each<AverageWords>(a, b);
}

/// <summary>PABSB, PABSW, PABSD: the absolute value as an unsigned number.</summary>
internal readonly struct Absolute<T> : IVectorUnary<Absolute<T>>
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<byte> Apply(Vector128<byte> a)
    {
        Vector128<T> negative = Vector128.LessThan(a.As<byte, T>(), Vector128<T>.Zero);
        return ((a.As<byte, T>() ^ negative) - negative).AsByte();
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<byte> Apply(Vector256<byte> a)
    {
        Vector256<T> negative = Vector256.LessThan(a.As<byte, T>(), Vector256<T>.Zero);
        return ((a.As<byte, T>() ^ negative) - negative).AsByte();
    }
}

/// <summary>PSIGNB, PSIGNW, PSIGND: the first operand negated, cleared or kept by the sign of the second.</summary>
internal readonly struct Sign<T> : IVectorBinary<Sign<T>>
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<byte> Apply(Vector128<byte> a, Vector128<byte> b)
    {
        Vector128<T> negative = Vector128.LessThan(b.As<byte, T>(), Vector128<T>.Zero);
        Vector128<T> zero = Vector128.Equals(b.As<byte, T>(), Vector128<T>.Zero);
        return Vector128.AndNot((a.As<byte, T>() ^ negative) - negative, zero).AsByte();
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<byte> Apply(Vector256<byte> a, Vector256<byte> b)
    {
        Vector256<T> negative = Vector256.LessThan(b.As<byte, T>(), Vector256<T>.Zero);
        Vector256<T> zero = Vector256.Equals(b.As<byte, T>(), Vector256<T>.Zero);
        return Vector256.AndNot((a.As<byte, T>() ^ negative) - negative, zero).AsByte();
    }
}
