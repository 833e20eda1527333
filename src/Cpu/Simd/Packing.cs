using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Hv.Cpu.Simd;

/// <summary>PACKSSWB: words to signed bytes with saturation, the first operand's before the second's (SDM 2B).</summary>
internal readonly struct PackSignedWords : IVectorBinary<PackSignedWords>
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<byte> Apply(Vector128<byte> a, Vector128<byte> b) =>
        Sse2.IsSupported ? Sse2.PackSignedSaturate(a.AsInt16(), b.AsInt16()).AsByte() : Vector128.Narrow(Clamp(a), Clamp(b)).AsByte();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<byte> Apply(Vector256<byte> a, Vector256<byte> b) =>
        Avx2.IsSupported ? Avx2.PackSignedSaturate(a.AsInt16(), b.AsInt16()).AsByte() : Halves.Each<PackSignedWords>(a, b);

    private static Vector128<short> Clamp(Vector128<byte> a) =>
        Vector128.Min(Vector128.Max(a.AsInt16(), Vector128.Create((short)sbyte.MinValue)), Vector128.Create((short)sbyte.MaxValue));
}

/// <summary>PACKUSWB: signed words to unsigned bytes.</summary>
internal readonly struct PackUnsignedWords : IVectorBinary<PackUnsignedWords>
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<byte> Apply(Vector128<byte> a, Vector128<byte> b) =>
        Sse2.IsSupported ? Sse2.PackUnsignedSaturate(a.AsInt16(), b.AsInt16()) : Vector128.Narrow(Clamp(a), Clamp(b));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<byte> Apply(Vector256<byte> a, Vector256<byte> b) =>
        Avx2.IsSupported ? Avx2.PackUnsignedSaturate(a.AsInt16(), b.AsInt16()) : Halves.Each<PackUnsignedWords>(a, b);

    private static Vector128<ushort> Clamp(Vector128<byte> a) =>
        Vector128.Min(Vector128.Max(a.AsInt16(), Vector128<short>.Zero), Vector128.Create((short)byte.MaxValue)).AsUInt16();
}

/// <summary>PACKSSDW.</summary>
internal readonly struct PackSignedDoublewords : IVectorBinary<PackSignedDoublewords>
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<byte> Apply(Vector128<byte> a, Vector128<byte> b) =>
        Sse2.IsSupported ? Sse2.PackSignedSaturate(a.AsInt32(), b.AsInt32()).AsByte() : Vector128.Narrow(Clamp(a), Clamp(b)).AsByte();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<byte> Apply(Vector256<byte> a, Vector256<byte> b) =>
        Avx2.IsSupported ? Avx2.PackSignedSaturate(a.AsInt32(), b.AsInt32()).AsByte() : Halves.Each<PackSignedDoublewords>(a, b);

    private static Vector128<int> Clamp(Vector128<byte> a) =>
        Vector128.Min(Vector128.Max(a.AsInt32(), Vector128.Create((int)short.MinValue)), Vector128.Create((int)short.MaxValue));
}

/// <summary>PACKUSDW.</summary>
internal readonly struct PackUnsignedDoublewords : IVectorBinary<PackUnsignedDoublewords>
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<byte> Apply(Vector128<byte> a, Vector128<byte> b) =>
        Sse41.IsSupported ? Sse41.PackUnsignedSaturate(a.AsInt32(), b.AsInt32()).AsByte() : Vector128.Narrow(Clamp(a), Clamp(b)).AsByte();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<byte> Apply(Vector256<byte> a, Vector256<byte> b) =>
        Avx2.IsSupported ? Avx2.PackUnsignedSaturate(a.AsInt32(), b.AsInt32()).AsByte() : Halves.Each<PackUnsignedDoublewords>(a, b);

    private static Vector128<uint> Clamp(Vector128<byte> a) =>
        Vector128.Min(Vector128.Max(a.AsInt32(), Vector128<int>.Zero), Vector128.Create((int)ushort.MaxValue)).AsUInt32();
}

/// <summary>PUNPCKLBW, PUNPCKLWD, PUNPCKLDQ (UNPCKLPS), PUNPCKLQDQ (UNPCKLPD): the low elements of both operands in turn. T is unsigned.</summary>
internal readonly struct UnpackLow<T> : IVectorBinary<UnpackLow<T>>
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<byte> Apply(Vector128<byte> a, Vector128<byte> b)
    {
        if (typeof(T) == typeof(byte))
            return Sse2.IsSupported ? Sse2.UnpackLow(a, b) : (Vector128.WidenLower(a) | Vector128.WidenLower(b) << 8).AsByte();
        if (typeof(T) == typeof(ushort))
        {
            return Sse2.IsSupported ? Sse2.UnpackLow(a.AsUInt16(), b.AsUInt16()).AsByte()
                : (Vector128.WidenLower(a.AsUInt16()) | Vector128.WidenLower(b.AsUInt16()) << 16).AsByte();
        }

        if (typeof(T) == typeof(uint))
        {
            return Sse2.IsSupported ? Sse2.UnpackLow(a.AsUInt32(), b.AsUInt32()).AsByte()
                : (Vector128.WidenLower(a.AsUInt32()) | Vector128.WidenLower(b.AsUInt32()) << 32).AsByte();
        }

        return Vector128.Create(a.GetLower(), b.GetLower());
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<byte> Apply(Vector256<byte> a, Vector256<byte> b)
    {
        if (!Avx2.IsSupported)
            return Halves.Each<UnpackLow<T>>(a, b);
        if (typeof(T) == typeof(byte))
            return Avx2.UnpackLow(a, b);
        if (typeof(T) == typeof(ushort))
            return Avx2.UnpackLow(a.AsUInt16(), b.AsUInt16()).AsByte();
        return typeof(T) == typeof(uint) ? Avx2.UnpackLow(a.AsUInt32(), b.AsUInt32()).AsByte() : Avx2.UnpackLow(a.AsUInt64(), b.AsUInt64()).AsByte();
    }
}

/// <summary>PUNPCKHBW, PUNPCKHWD, PUNPCKHDQ (UNPCKHPS), PUNPCKHQDQ (UNPCKHPD): the high elements.</summary>
internal readonly struct UnpackHigh<T> : IVectorBinary<UnpackHigh<T>>
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<byte> Apply(Vector128<byte> a, Vector128<byte> b)
    {
        if (typeof(T) == typeof(byte))
            return Sse2.IsSupported ? Sse2.UnpackHigh(a, b) : (Vector128.WidenUpper(a) | Vector128.WidenUpper(b) << 8).AsByte();
        if (typeof(T) == typeof(ushort))
        {
            return Sse2.IsSupported ? Sse2.UnpackHigh(a.AsUInt16(), b.AsUInt16()).AsByte()
                : (Vector128.WidenUpper(a.AsUInt16()) | Vector128.WidenUpper(b.AsUInt16()) << 16).AsByte();
        }

        if (typeof(T) == typeof(uint))
        {
            return Sse2.IsSupported ? Sse2.UnpackHigh(a.AsUInt32(), b.AsUInt32()).AsByte()
                : (Vector128.WidenUpper(a.AsUInt32()) | Vector128.WidenUpper(b.AsUInt32()) << 32).AsByte();
        }

        return Vector128.Create(a.GetUpper(), b.GetUpper());
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<byte> Apply(Vector256<byte> a, Vector256<byte> b)
    {
        if (!Avx2.IsSupported)
            return Halves.Each<UnpackHigh<T>>(a, b);
        if (typeof(T) == typeof(byte))
            return Avx2.UnpackHigh(a, b);
        if (typeof(T) == typeof(ushort))
            return Avx2.UnpackHigh(a.AsUInt16(), b.AsUInt16()).AsByte();
        return typeof(T) == typeof(uint) ? Avx2.UnpackHigh(a.AsUInt32(), b.AsUInt32()).AsByte()
            : Avx2.UnpackHigh(a.AsUInt64(), b.AsUInt64()).AsByte();
    }
}

/// <summary>The MMX form of an operation that makes half as many elements of each operand (packs, horizontal sums): both operands fill one
/// vector, and the result's halves are equal.</summary>
internal readonly struct Joined<TOp> : IVectorBinary<Joined<TOp>> where TOp : struct, IVectorBinary<TOp>
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<byte> Apply(Vector128<byte> a, Vector128<byte> b)
    {
        var both = Vector128.Create(a.GetLower(), b.GetLower());
        return TOp.Apply(both, both);
    }
}

/// <summary>PUNPCKHBW, PUNPCKHWD, PUNPCKHDQ on MMX registers: the high 4 bytes of each operand.</summary>
internal readonly struct UnpackHighMmx<T> : IVectorBinary<UnpackHighMmx<T>>
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<byte> Apply(Vector128<byte> a, Vector128<byte> b) =>
        UnpackLow<T>.Apply((a.AsUInt64() >>> 32).AsByte(), (b.AsUInt64() >>> 32).AsByte());
}

/// <summary>PMOVSX and PMOVZX: the low elements of the operand, widened from <typeparamref name="TFrom"/> to <typeparamref name="TTo"/>; the sign is
/// copied when <typeparamref name="TFrom"/> is signed. The result fills the vector, so the operand is a half, a quarter or an eighth of it.</summary>
internal readonly struct Extend<TFrom, TTo> : IVectorUnary<Extend<TFrom, TTo>>
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<byte> Apply(Vector128<byte> a)
    {
        Vector128<byte> words = typeof(TFrom) == typeof(sbyte) ? Vector128.WidenLower(a.AsSByte()).AsByte()
            : typeof(TFrom) == typeof(byte) ? Vector128.WidenLower(a).AsByte() : a;
        if (Vector128<TTo>.Count == 8)
            return words;
        Vector128<byte> doublewords = Vector128<TFrom>.Count < 8 ? words
            : IsSigned ? Vector128.WidenLower(words.AsInt16()).AsByte() : Vector128.WidenLower(words.AsUInt16()).AsByte();
        if (Vector128<TTo>.Count == 4)
            return doublewords;
        return IsSigned ? Vector128.WidenLower(doublewords.AsInt32()).AsByte() : Vector128.WidenLower(doublewords.AsUInt32()).AsByte();
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<byte> Apply(Vector256<byte> a)
    {
        // What the upper half is made of begins 16 bytes of the result on: that many elements.
        Vector128<byte> source = a.GetLower();
        return Vector256.Create(Apply(source), Apply(ByteShift.Right(source, Vector128<TTo>.Count * (16 / Vector128<TFrom>.Count))));
    }

    private static bool IsSigned => typeof(TFrom) == typeof(sbyte) || typeof(TFrom) == typeof(short) || typeof(TFrom) == typeof(int);
}
