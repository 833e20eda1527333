using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Hv.Cpu.Simd;

/// <summary>A whole vector: MOVAPS and its kind.</summary>
internal readonly struct Copy : IVectorUnary<Copy>
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static Vector128<byte> Apply(Vector128<byte> a) => a;
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static Vector256<byte> Apply(Vector256<byte> a) => a;
}

/// <summary>The low quadword, zero-extended: MOVQ.</summary>
internal readonly struct KeepLow : IVectorUnary<KeepLow>
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<byte> Apply(Vector128<byte> a) => a.GetLower().ToVector128();
}

/// <summary>The lowest element of the second operand in the first: MOVSS, MOVSD, MOVLPS, MOVLPD. T is a doubleword or a quadword.</summary>
internal readonly struct MergeLow<T> : IVectorBinary<MergeLow<T>>
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<byte> Apply(Vector128<byte> a, Vector128<byte> b) =>
        Vector128<T>.Count == 2 ? Vector128.Create(b.GetLower(), a.GetUpper())
        : Vector128.ConditionalSelect(Vector128.CreateScalar(uint.MaxValue).AsByte(), b, a);
}

/// <summary>MOVHLPS: the second operand's high quadword becomes the low one.</summary>
internal readonly struct MoveHighToLow : IVectorBinary<MoveHighToLow>
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<byte> Apply(Vector128<byte> a, Vector128<byte> b) => Vector128.Create(b.GetUpper(), a.GetUpper());
}

/// <summary>PINSRB, PINSRW, PINSRD, PINSRQ: the second operand's lowest element replaces the one that the immediate chooses. T is unsigned.</summary>
internal readonly struct InsertElement<T> : IVectorBinaryImmediate<InsertElement<T>>
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<byte> Apply(Vector128<byte> a, Vector128<byte> b, byte immediate)
    {
        var at = (byte)(immediate & (Vector128<T>.Count - 1));
        Vector128<T> chosen = Vector128.Equals(Vector128<T>.Indices, Number(at));
        return Vector128.ConditionalSelect(chosen, Vector128.Create(b.As<byte, T>().ToScalar()), a.As<byte, T>()).AsByte();
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<T> Number(byte value) => Vector128<T>.Count switch
    {
        16 => Vector128.Create(value).As<byte, T>(),
        8 => Vector128.Create((ushort)value).As<ushort, T>(),
        4 => Vector128.Create((uint)value).As<uint, T>(),
        _ => Vector128.Create((ulong)value).As<ulong, T>(),
    };
}

/// <summary>PINSRW on MMX registers.</summary>
internal readonly struct InsertWordMmx : IVectorBinaryImmediate<InsertWordMmx>
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<byte> Apply(Vector128<byte> a, Vector128<byte> b, byte immediate) =>
        InsertElement<ushort>.Apply(a, b, (byte)(immediate & 3));
}

/// <summary>INSERTPS from memory, where there is but one element to choose from.</summary>
internal readonly struct InsertSingleFromMemory : IVectorBinaryImmediate<InsertSingleFromMemory>
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<byte> Apply(Vector128<byte> a, Vector128<byte> b, byte immediate) => InsertSingle.Apply(a, b, (byte)(immediate & 0x3F));
}
