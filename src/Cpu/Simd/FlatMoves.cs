using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Hv.Cpu.Decode;
using Hv.Cpu.Execute;
using Hv.Cpu.Memory;
using Hv.Cpu.State;

namespace Hv.Cpu.Simd;

/// <summary>Loads and stores of vectors and scalars in 64-bit code without a segment base: what programs execute most of all vector instructions. A
/// handler leaves everything but a hit in the translation cache to a method that it calls in tail position, so that it needs no frame.</summary>
internal static class FlatMoves
{
    private const MethodImplOptions Rest = Threading.Handler | MethodImplOptions.NoInlining;

    [MethodImpl(Threading.Handler)]
    internal static void Load128<TEncoding, TAlignment, TA>(ref CpuState s, ref Op op, Processor p)
        where TEncoding : struct, IEncoding where TAlignment : struct, IAlignment where TA : struct, IAddress
    {
        ulong at = TA.Linear(ref s, ref op, p, 16, false);
        ref TlbEntry entry = ref TranslationCache.Entry(s.ReadTlb, at);
        if (IsHit<TAlignment>(ref entry, at, 16))
        {
            TEncoding.Set(ref s, op.Reg, VectorMemory.Load128((nint)at + entry.Addend));
            VectorThreading.Next(ref s, ref op, p);
            return;
        }

        Load128Rest<TEncoding, TAlignment>(ref s, ref op, p, at);
    }

    [MethodImpl(Rest)]
    private static void Load128Rest<TEncoding, TAlignment>(ref CpuState s, ref Op op, Processor p, ulong at)
        where TEncoding : struct, IEncoding where TAlignment : struct, IAlignment
    {
        nint host = p.LoadVectorSlow(ref s, ref op, at, 16, TAlignment.IsRequired);
        if (host == 0)
            return;
        TEncoding.Set(ref s, op.Reg, VectorMemory.Load128(host));
        VectorThreading.Next(ref s, ref op, p);
    }

    [MethodImpl(Threading.Handler)]
    internal static void Load256<TAlignment, TA>(ref CpuState s, ref Op op, Processor p)
        where TAlignment : struct, IAlignment where TA : struct, IAddress
    {
        ulong at = TA.Linear(ref s, ref op, p, 32, false);
        ref TlbEntry entry = ref TranslationCache.Entry(s.ReadTlb, at);
        if (IsHit<TAlignment>(ref entry, at, 32))
        {
            VectorRegister.Ymm(ref s, op.Reg) = VectorMemory.Load256((nint)at + entry.Addend);
            VectorThreading.Next(ref s, ref op, p);
            return;
        }

        Load256Rest<TAlignment>(ref s, ref op, p, at);
    }

    [MethodImpl(Rest)]
    private static void Load256Rest<TAlignment>(ref CpuState s, ref Op op, Processor p, ulong at) where TAlignment : struct, IAlignment
    {
        nint host = p.LoadVectorSlow(ref s, ref op, at, 32, TAlignment.IsRequired);
        if (host == 0)
            return;
        VectorRegister.Ymm(ref s, op.Reg) = VectorMemory.Load256(host);
        VectorThreading.Next(ref s, ref op, p);
    }

    /// <summary>MOVD, MOVQ, MOVSS, MOVSD from memory.</summary>
    [MethodImpl(Threading.Handler)]
    internal static void LoadScalar<TW, TEncoding, TA>(ref CpuState s, ref Op op, Processor p)
        where TW : struct, IWidth where TEncoding : struct, IEncoding where TA : struct, IAddress
    {
        ulong at = TA.Linear(ref s, ref op, p, TW.Bits / 8, false);
        ref TlbEntry entry = ref TranslationCache.Entry(s.ReadTlb, at);
        if (entry.Tag == TranslationCache.Tag<TW>(at))
        {
            TEncoding.Set(ref s, op.Reg, Vector128.CreateScalar(TW.Load((nint)at + entry.Addend)).AsByte());
            VectorThreading.Next(ref s, ref op, p);
            return;
        }

        LoadScalarRest<TW, TEncoding>(ref s, ref op, p, at);
    }

    [MethodImpl(Rest)]
    private static void LoadScalarRest<TW, TEncoding>(ref CpuState s, ref Op op, Processor p, ulong at)
        where TW : struct, IWidth where TEncoding : struct, IEncoding
    {
        ulong value = p.LoadSlow(ref s, ref op, at, TW.Bits / 8);
        if (s.Attention != 0)
            return;
        TEncoding.Set(ref s, op.Reg, Vector128.CreateScalar(value).AsByte());
        VectorThreading.Next(ref s, ref op, p);
    }

    [MethodImpl(Threading.Handler)]
    internal static void Store128<TAlignment, TA>(ref CpuState s, ref Op op, Processor p)
        where TAlignment : struct, IAlignment where TA : struct, IAddress
    {
        ulong at = TA.Linear(ref s, ref op, p, 16, true);
        ref TlbEntry entry = ref TranslationCache.Entry(s.WriteTlb, at);
        if (IsHit<TAlignment>(ref entry, at, 16))
        {
            VectorMemory.Store((nint)at + entry.Addend, VectorRegister.Xmm(ref s, op.Reg));
            VectorThreading.Next(ref s, ref op, p);
            return;
        }

        StoreRest<TAlignment>(ref s, ref op, p, at, 16);
    }

    [MethodImpl(Threading.Handler)]
    internal static void Store256<TAlignment, TA>(ref CpuState s, ref Op op, Processor p)
        where TAlignment : struct, IAlignment where TA : struct, IAddress
    {
        ulong at = TA.Linear(ref s, ref op, p, 32, true);
        ref TlbEntry entry = ref TranslationCache.Entry(s.WriteTlb, at);
        if (IsHit<TAlignment>(ref entry, at, 32))
        {
            VectorMemory.Store((nint)at + entry.Addend, VectorRegister.Ymm(ref s, op.Reg));
            VectorThreading.Next(ref s, ref op, p);
            return;
        }

        StoreRest<TAlignment>(ref s, ref op, p, at, 32);
    }

    [MethodImpl(Rest)]
    private static void StoreRest<TAlignment>(ref CpuState s, ref Op op, Processor p, ulong at, int size) where TAlignment : struct, IAlignment
    {
        s.Staging = VectorRegister.Ymm(ref s, op.Reg);
        if (!p.StoreVectorSlow(ref s, ref op, at, size, TAlignment.IsRequired))
            return;
        VectorThreading.Next(ref s, ref op, p);
    }

    /// <summary>MOVD, MOVQ, MOVSS, MOVSD, MOVLPS, MOVHPS to memory.</summary>
    [MethodImpl(Threading.Handler)]
    internal static void StoreScalar<TW, TPart, TA>(ref CpuState s, ref Op op, Processor p)
        where TW : struct, IWidth where TPart : struct, IVectorPart where TA : struct, IAddress
    {
        ulong at = TA.Linear(ref s, ref op, p, TW.Bits / 8, true);
        ref TlbEntry entry = ref TranslationCache.Entry(s.WriteTlb, at);
        if (entry.Tag == TranslationCache.Tag<TW>(at))
        {
            TW.Store((nint)at + entry.Addend, TPart.Get(ref s, ref op));
            VectorThreading.Next(ref s, ref op, p);
            return;
        }

        StoreScalarRest<TW, TPart>(ref s, ref op, p, at);
    }

    [MethodImpl(Rest)]
    private static void StoreScalarRest<TW, TPart>(ref CpuState s, ref Op op, Processor p, ulong at)
        where TW : struct, IWidth where TPart : struct, IVectorPart
    {
        if (!p.StoreSlow(ref s, ref op, at, TW.Bits / 8, TPart.Get(ref s, ref op)))
            return;
        VectorThreading.Next(ref s, ref op, p);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static bool IsHit<TAlignment>(ref TlbEntry entry, ulong at, int size) where TAlignment : struct, IAlignment =>
        entry.Tag == ((at + (ulong)(size - 1)) & ~0xFFFUL) && (!TAlignment.IsRequired || (at & (ulong)(size - 1)) == 0);
}
