using System.Runtime.CompilerServices;

namespace Hv.Cpu.Simd;

/// <summary>How an instruction is encoded and how much of its registers it computes, as a type. Every use is a constant.</summary>
internal interface IFloatShape
{
    /// <summary>Encoded with VEX: what lies above the result becomes 0, and memory operands need no alignment (SDM 1 14.4.1, 14.9).</summary>
    static abstract bool IsVex { get; }

    /// <summary>One lane; the others are the first source's.</summary>
    static abstract bool IsScalar { get; }

    /// <summary>256 bits.</summary>
    static abstract bool IsWide { get; }
}

/// <summary>ADDSD.</summary>
internal readonly struct SseScalar : IFloatShape
{
    public static bool IsVex => false;

    public static bool IsScalar => true;

    public static bool IsWide => false;
}

/// <summary>ADDPD.</summary>
internal readonly struct SseVector : IFloatShape
{
    public static bool IsVex => false;

    public static bool IsScalar => false;

    public static bool IsWide => false;
}

/// <summary>VADDSD.</summary>
internal readonly struct VexScalar : IFloatShape
{
    public static bool IsVex => true;

    public static bool IsScalar => true;

    public static bool IsWide => false;
}

/// <summary>VADDPD of XMM registers.</summary>
internal readonly struct VexVector : IFloatShape
{
    public static bool IsVex => true;

    public static bool IsScalar => false;

    public static bool IsWide => false;
}

/// <summary>VADDPD of YMM registers.</summary>
internal readonly struct VexWide : IFloatShape
{
    public static bool IsVex => true;

    public static bool IsScalar => false;

    public static bool IsWide => true;
}

/// <summary>Sizes that follow from a shape and its lanes.</summary>
internal static class Shape<TShape> where TShape : struct, IFloatShape
{
    /// <summary>Bytes that are computed.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static int Size<T>() => TShape.IsScalar ? Unsafe.SizeOf<T>() : TShape.IsWide ? 32 : 16;

    /// <summary>Whether a memory operand of <paramref name="size"/> bytes must be aligned: whole vectors of SSE (SDM 1 10.4.1.1).</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static bool IsAligned(int size) => !TShape.IsVex && size == 16;

    /// <summary>A bit for each lane that is computed.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static uint Lanes<T>() => (1u << Size<T>() / Unsafe.SizeOf<T>()) - 1;

    /// <summary>As <see cref="Lanes{T}"/>, of the lower 128 bits.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static uint LowLanes<T>() => Lanes<T>() & ((1u << 16 / Unsafe.SizeOf<T>()) - 1);
}
