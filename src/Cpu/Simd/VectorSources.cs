using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Hv.Cpu.Decode;
using Hv.Cpu.Execute;
using Hv.Cpu.Memory;
using Hv.Cpu.State;

namespace Hv.Cpu.Simd;

/// <summary>Where the rm operand of a vector instruction is, as a type.</summary>
internal interface IVectorSource<TVector>
{
    /// <summary>Whether reading may fail; then <see cref="CpuState.Attention"/> must be looked at.</summary>
    static abstract bool IsMemory { get; }

    static abstract TVector Read(ref CpuState s, ref Op op, Processor p);
}

/// <summary>A vector register of at most 128 bits.</summary>
internal readonly struct RegisterSource<TEncoding> : IVectorSource<Vector128<byte>> where TEncoding : struct, IEncoding
{
    public static bool IsMemory => false;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<byte> Read(ref CpuState s, ref Op op, Processor p) => TEncoding.Get(ref s, op.Rm);
}

/// <summary>A general register, zero-extended.</summary>
internal readonly struct GeneralSource<TW> : IVectorSource<Vector128<byte>> where TW : struct, IWidth
{
    public static bool IsMemory => false;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<byte> Read(ref CpuState s, ref Op op, Processor p) => Vector128.CreateScalar(TW.Get(ref s, op.Rm)).AsByte();
}

/// <summary>Whether a memory operand must be aligned, as a type.</summary>
internal interface IAlignment
{
    static abstract bool IsRequired { get; }
}

/// <summary>A misaligned operand is #GP(0).</summary>
internal readonly struct Aligned : IAlignment
{
    public static bool IsRequired => true;
}

internal readonly struct Unaligned : IAlignment
{
    public static bool IsRequired => false;
}

/// <summary>16 bytes of memory.</summary>
internal readonly struct Memory128<TAlignment> : IVectorSource<Vector128<byte>> where TAlignment : struct, IAlignment
{
    public static bool IsMemory => true;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<byte> Read(ref CpuState s, ref Op op, Processor p)
    {
        nint at = VectorMemory.Read(ref s, ref op, p, 16, TAlignment.IsRequired);
        return at != 0 ? VectorMemory.Load128(at) : default;
    }
}

/// <summary>1, 2, 4 or 8 bytes of memory, zero-extended.</summary>
internal readonly struct MemoryScalar<TW> : IVectorSource<Vector128<byte>> where TW : struct, IWidth
{
    public static bool IsMemory => true;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<byte> Read(ref CpuState s, ref Op op, Processor p)
    {
        ulong at = VectorMemory.Linear(ref s, ref op, p, TW.Bits / 8, false);
        ref TlbEntry entry = ref TranslationCache.Entry(s.ReadTlb, at);
        ulong value = entry.Tag == TranslationCache.Tag<TW>(at) ? TW.Load((nint)at + entry.Addend) : p.LoadSlow(ref s, ref op, at, TW.Bits / 8);
        return Vector128.CreateScalar(value).AsByte();
    }
}

/// <summary>A YMM register.</summary>
internal readonly struct YmmSource : IVectorSource<Vector256<byte>>
{
    public static bool IsMemory => false;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<byte> Read(ref CpuState s, ref Op op, Processor p) => VectorRegister.Ymm(ref s, op.Rm);
}

/// <summary>32 bytes of memory.</summary>
internal readonly struct Memory256<TAlignment> : IVectorSource<Vector256<byte>> where TAlignment : struct, IAlignment
{
    public static bool IsMemory => true;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<byte> Read(ref CpuState s, ref Op op, Processor p)
    {
        nint at = VectorMemory.Read(ref s, ref op, p, 32, TAlignment.IsRequired);
        return at != 0 ? VectorMemory.Load256(at) : default;
    }
}

/// <summary>A narrower source of a 256-bit form, zero-extended.</summary>
internal readonly struct Widened<TSource> : IVectorSource<Vector256<byte>> where TSource : struct, IVectorSource<Vector128<byte>>
{
    public static bool IsMemory => TSource.IsMemory;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<byte> Read(ref CpuState s, ref Op op, Processor p) => TSource.Read(ref s, ref op, p).ToVector256();
}
