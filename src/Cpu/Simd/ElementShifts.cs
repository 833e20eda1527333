using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Hv.Cpu.Simd;

/// <summary>A shift of every element by one count, which is not masked: a count of the element's width or more shifts everything out (SDM 2B PSLLW).
/// The count is an immediate or the low quadword of the second operand, for 256-bit forms too.</summary>
internal interface IElementShift
{
    static abstract Vector128<byte> Shift(Vector128<byte> a, ulong count);

    static abstract Vector256<byte> Shift(Vector256<byte> a, ulong count);
}

/// <summary>PSLLW, PSLLD, PSLLQ.</summary>
internal readonly struct ShiftLeft<T> : IElementShift
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<byte> Shift(Vector128<byte> a, ulong count) =>
        count < ElementBits<T>.Value ? (a.As<byte, T>() << (int)count).AsByte() : default;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<byte> Shift(Vector256<byte> a, ulong count) =>
        count < ElementBits<T>.Value ? (a.As<byte, T>() << (int)count).AsByte() : default;
}

/// <summary>PSRLW, PSRLD, PSRLQ.</summary>
internal readonly struct ShiftRight<T> : IElementShift
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<byte> Shift(Vector128<byte> a, ulong count) =>
        count < ElementBits<T>.Value ? (a.As<byte, T>() >>> (int)count).AsByte() : default;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<byte> Shift(Vector256<byte> a, ulong count) =>
        count < ElementBits<T>.Value ? (a.As<byte, T>() >>> (int)count).AsByte() : default;
}

/// <summary>PSRAW, PSRAD; T is signed.</summary>
internal readonly struct ShiftRightArithmetic<T> : IElementShift
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<byte> Shift(Vector128<byte> a, ulong count) =>
        (a.As<byte, T>() >> (int)Math.Min(count, ElementBits<T>.Value - 1)).AsByte();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<byte> Shift(Vector256<byte> a, ulong count) =>
        (a.As<byte, T>() >> (int)Math.Min(count, ElementBits<T>.Value - 1)).AsByte();
}

/// <summary>A shift by the low quadword of the second operand.</summary>
internal readonly struct ByVector<TShift> : IVectorBinary<ByVector<TShift>> where TShift : struct, IElementShift
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<byte> Apply(Vector128<byte> a, Vector128<byte> b) => TShift.Shift(a, b.AsUInt64().ToScalar());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<byte> Apply(Vector256<byte> a, Vector256<byte> b) => TShift.Shift(a, b.AsUInt64().ToScalar());
}

/// <summary>A shift by an immediate.</summary>
internal readonly struct ByImmediate<TShift> : IVectorUnaryImmediate<ByImmediate<TShift>> where TShift : struct, IElementShift
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<byte> Apply(Vector128<byte> a, byte imm) => TShift.Shift(a, imm);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<byte> Apply(Vector256<byte> a, byte imm) => TShift.Shift(a, imm);
}

/// <summary>Bits of an element type.</summary>
internal static class ElementBits<T>
{
    internal static ulong Value => 128 / (ulong)Vector128<T>.Count;
}

/// <summary>PSLLDQ: whole bytes, in each 128-bit half.</summary>
internal readonly struct ShiftBytesLeft : IVectorUnaryImmediate<ShiftBytesLeft>
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<byte> Apply(Vector128<byte> a, byte imm) => ByteShift.Left(a, imm);
}

/// <summary>PSRLDQ.</summary>
internal readonly struct ShiftBytesRight : IVectorUnaryImmediate<ShiftBytesRight>
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<byte> Apply(Vector128<byte> a, byte imm) => ByteShift.Right(a, imm);
}

/// <summary>PALIGNR: bytes <c>imm</c> and up of the second operand with the first above it.</summary>
internal readonly struct AlignRight : IVectorBinaryImmediate<AlignRight>
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<byte> Apply(Vector128<byte> a, Vector128<byte> b, byte imm) =>
        imm < 16 ? ByteShift.Right(b, imm) | ByteShift.Left(a, 16 - imm) : ByteShift.Right(a, imm - 16);
}

/// <summary>PALIGNR on MMX registers: operands of 8 bytes.</summary>
internal readonly struct AlignRightMmx : IVectorBinaryImmediate<AlignRightMmx>
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<byte> Apply(Vector128<byte> a, Vector128<byte> b, byte imm) =>
        ByteShift.Right(Vector128.Create(b.GetLower(), a.GetLower()), imm);
}

/// <summary>A vector moved by whole bytes; zeros come in. A count of 16 or more leaves nothing.</summary>
internal static class ByteShift
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static Vector128<byte> Right(Vector128<byte> a, int count) => Move(a, count);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static Vector128<byte> Left(Vector128<byte> a, int count) => Move(a, -count);

    // Indices outside the vector select zero; those of a byte's count wrap, so it is held to what moves everything out.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<byte> Move(Vector128<byte> a, int from) =>
        Vector128.Shuffle(a, Vector128.Create((byte)Math.Clamp(from, -16, 16)) + Vector128.CreateSequence<byte>(0, 1));
}

/// <summary>VPSLLVD, VPSLLVQ: each element by its own count, which is not masked.</summary>
internal readonly struct ShiftLeftEach<T> : IVectorBinary<ShiftLeftEach<T>>
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<byte> Apply(Vector128<byte> a, Vector128<byte> b) => EachShift<T>.Left(a, b);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<byte> Apply(Vector256<byte> a, Vector256<byte> b) =>
        !Avx2.IsSupported ? Halves.Each<ShiftLeftEach<T>>(a, b)
        : typeof(T) == typeof(ulong) ? Avx2.ShiftLeftLogicalVariable(a.AsUInt64(), b.AsUInt64()).AsByte()
        : Avx2.ShiftLeftLogicalVariable(a.AsUInt32(), b.AsUInt32()).AsByte();
}

/// <summary>VPSRLVD, VPSRLVQ.</summary>
internal readonly struct ShiftRightEach<T> : IVectorBinary<ShiftRightEach<T>>
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<byte> Apply(Vector128<byte> a, Vector128<byte> b) => EachShift<T>.Right(a, b);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<byte> Apply(Vector256<byte> a, Vector256<byte> b) =>
        !Avx2.IsSupported ? Halves.Each<ShiftRightEach<T>>(a, b)
        : typeof(T) == typeof(ulong) ? Avx2.ShiftRightLogicalVariable(a.AsUInt64(), b.AsUInt64()).AsByte()
        : Avx2.ShiftRightLogicalVariable(a.AsUInt32(), b.AsUInt32()).AsByte();
}

/// <summary>VPSRAVD.</summary>
internal readonly struct ShiftRightArithmeticEach : IVectorBinary<ShiftRightArithmeticEach>
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<byte> Apply(Vector128<byte> a, Vector128<byte> b) =>
        Avx2.IsSupported ? Avx2.ShiftRightArithmeticVariable(a.AsInt32(), b.AsUInt32()).AsByte()
        : Vector128.Create(One(a, b, 0), One(a, b, 1), One(a, b, 2), One(a, b, 3)).AsByte();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<byte> Apply(Vector256<byte> a, Vector256<byte> b) =>
        Avx2.IsSupported ? Avx2.ShiftRightArithmeticVariable(a.AsInt32(), b.AsUInt32()).AsByte() : Halves.Each<ShiftRightArithmeticEach>(a, b);

    private static int One(Vector128<byte> a, Vector128<byte> b, int i) => a.AsInt32().GetElement(i) >> (int)Math.Min(31, b.AsUInt32().GetElement(i));
}

/// <summary>Logical shifts of doublewords or quadwords by counts of their own.</summary>
internal static class EachShift<T>
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static Vector128<byte> Left(Vector128<byte> a, Vector128<byte> b)
    {
        if (Avx2.IsSupported)
        {
            return typeof(T) == typeof(ulong) ? Avx2.ShiftLeftLogicalVariable(a.AsUInt64(), b.AsUInt64()).AsByte()
                : Avx2.ShiftLeftLogicalVariable(a.AsUInt32(), b.AsUInt32()).AsByte();
        }

        return typeof(T) == typeof(ulong) ? Vector128.Create(Left(a, b, 0), Left(a, b, 1)).AsByte()
            : Vector128.Create((uint)Left(a, b, 0), (uint)Left(a, b, 1), (uint)Left(a, b, 2), (uint)Left(a, b, 3)).AsByte();
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static Vector128<byte> Right(Vector128<byte> a, Vector128<byte> b)
    {
        if (Avx2.IsSupported)
        {
            return typeof(T) == typeof(ulong) ? Avx2.ShiftRightLogicalVariable(a.AsUInt64(), b.AsUInt64()).AsByte()
                : Avx2.ShiftRightLogicalVariable(a.AsUInt32(), b.AsUInt32()).AsByte();
        }

        return typeof(T) == typeof(ulong) ? Vector128.Create(Right(a, b, 0), Right(a, b, 1)).AsByte()
            : Vector128.Create((uint)Right(a, b, 0), (uint)Right(a, b, 1), (uint)Right(a, b, 2), (uint)Right(a, b, 3)).AsByte();
    }

    private static ulong Left(Vector128<byte> a, Vector128<byte> b, int i) =>
        Element(b, i) < ElementBits<T>.Value ? Element(a, i) << (int)Element(b, i) : 0;

    private static ulong Right(Vector128<byte> a, Vector128<byte> b, int i) =>
        Element(b, i) < ElementBits<T>.Value ? Element(a, i) >> (int)Element(b, i) : 0;

    private static ulong Element(Vector128<byte> a, int i) => typeof(T) == typeof(ulong) ? a.AsUInt64().GetElement(i) : a.AsUInt32().GetElement(i);
}
