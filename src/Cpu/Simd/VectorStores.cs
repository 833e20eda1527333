using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Hv.Cpu.Decode;
using Hv.Cpu.Execute;
using Hv.Cpu.Memory;
using Hv.Cpu.State;

namespace Hv.Cpu.Simd;

/// <summary>Part of the vector register in ModRM.reg, as a type: what a narrow store or a move to a general register takes.</summary>
internal interface IVectorPart
{
    /// <summary>Checks what must be checked before the operands. False: a fault is recorded.</summary>
    static abstract bool TryBegin(ref CpuState s, ref Op op, Processor p);

    /// <summary>The part, in the low bits.</summary>
    static abstract ulong Get(ref CpuState s, ref Op op);

    static abstract void Finish(ref CpuState s);
}

/// <summary>The low bits of an XMM register.</summary>
internal readonly struct LowPart : IVectorPart
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static bool TryBegin(ref CpuState s, ref Op op, Processor p) => true;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Get(ref CpuState s, ref Op op) => VectorRegister.Xmm(ref s, op.Reg).AsUInt64().ToScalar();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Finish(ref CpuState s)
    {
    }
}

/// <summary>The low bits of an MMX register. A store that faults has cleared TOP already, and nothing else.</summary>
internal readonly struct MmxPart : IVectorPart
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool TryBegin(ref CpuState s, ref Op op, Processor p)
    {
        if (!MmxRegister.TryBegin(ref s, ref op, p))
            return false;
        MmxRegister.ClearTop(ref s);
        return true;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Get(ref CpuState s, ref Op op) => MmxRegister.Get(ref s, op.Reg);

    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static void Finish(ref CpuState s) => MmxRegister.Finish(ref s);
}

/// <summary>The high quadword of an XMM register.</summary>
internal readonly struct HighPart : IVectorPart
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static bool TryBegin(ref CpuState s, ref Op op, Processor p) => true;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Get(ref CpuState s, ref Op op) => VectorRegister.Xmm(ref s, op.Reg).AsUInt64().GetElement(1);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Finish(ref CpuState s)
    {
    }
}

/// <summary>The element of an XMM register that the immediate chooses (PEXTRB, PEXTRW, PEXTRD, PEXTRQ, EXTRACTPS).</summary>
internal readonly struct ElementPart<TW> : IVectorPart where TW : struct, IWidth
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static bool TryBegin(ref CpuState s, ref Op op, Processor p) => true;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Get(ref CpuState s, ref Op op) =>
        TW.Truncate(ByteShift.Right(VectorRegister.Xmm(ref s, op.Reg), (int)op.Immediate * (TW.Bits / 8) & 15).AsUInt64().ToScalar());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Finish(ref CpuState s)
    {
    }
}

/// <summary>Moves from vector registers to memory, to general registers, and to the register in ModRM.rm.</summary>
internal static class VectorStores
{
    [MethodImpl(Threading.Handler)]
    internal static void Memory128<TAlignment>(ref CpuState s, ref Op op, Processor p) where TAlignment : struct, IAlignment
    {
        if (!VectorMemory.Write128(ref s, ref op, p, VectorRegister.Xmm(ref s, op.Reg), TAlignment.IsRequired))
            return;
        VectorThreading.Next(ref s, ref op, p);
    }

    [MethodImpl(Threading.Handler)]
    internal static void Memory256<TAlignment>(ref CpuState s, ref Op op, Processor p) where TAlignment : struct, IAlignment
    {
        if (!VectorMemory.Write256(ref s, ref op, p, VectorRegister.Ymm(ref s, op.Reg), TAlignment.IsRequired))
            return;
        VectorThreading.Next(ref s, ref op, p);
    }

    /// <summary>VEXTRACTF128, VEXTRACTI128 to memory.</summary>
    [MethodImpl(Threading.Handler)]
    internal static void HalfToMemory(ref CpuState s, ref Op op, Processor p)
    {
        if (!VectorMemory.Write128(ref s, ref op, p, Half(ref s, ref op), false))
            return;
        VectorThreading.Next(ref s, ref op, p);
    }

    /// <summary>VEXTRACTF128, VEXTRACTI128 to a register.</summary>
    [MethodImpl(Threading.Handler)]
    internal static void HalfToRegister(ref CpuState s, ref Op op, Processor p)
    {
        VectorRegister.SetZeroing(ref s, op.Rm, Half(ref s, ref op));
        VectorThreading.Next(ref s, ref op, p);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<byte> Half(ref CpuState s, ref Op op) =>
        (op.Immediate & 1) == 0 ? VectorRegister.Ymm(ref s, op.Reg).GetLower() : VectorRegister.Ymm(ref s, op.Reg).GetUpper();

    /// <summary>The store encoding of a move between registers.</summary>
    [MethodImpl(Threading.Handler)]
    internal static void Register<TEncoding>(ref CpuState s, ref Op op, Processor p) where TEncoding : struct, IEncoding
    {
        if (!TEncoding.TryBegin(ref s, ref op, p))
            return;
        TEncoding.Set(ref s, op.Rm, TEncoding.Get(ref s, op.Reg));
        VectorThreading.Next(ref s, ref op, p);
    }

    [MethodImpl(Threading.Handler)]
    internal static void YmmRegister(ref CpuState s, ref Op op, Processor p)
    {
        VectorRegister.Ymm(ref s, op.Rm) = VectorRegister.Ymm(ref s, op.Reg);
        VectorThreading.Next(ref s, ref op, p);
    }

    /// <summary>MOVQ xmm, xmm in its store encoding.</summary>
    [MethodImpl(Threading.Handler)]
    internal static void QuadwordToRegister<TEncoding>(ref CpuState s, ref Op op, Processor p) where TEncoding : struct, IEncoding
    {
        TEncoding.Set(ref s, op.Rm, KeepLow.Apply(TEncoding.Get(ref s, op.Reg)));
        VectorThreading.Next(ref s, ref op, p);
    }

    /// <summary>MOVSS and MOVSD between registers in their store encoding.</summary>
    [MethodImpl(Threading.Handler)]
    internal static void MergeToRegister<T, TEncoding>(ref CpuState s, ref Op op, Processor p) where TEncoding : struct, IEncoding
    {
        Vector128<byte> a = TEncoding.Get(ref s, typeof(TEncoding) == typeof(Vex128) ? VectorRegister.Third(ref op) : op.Rm);
        TEncoding.Set(ref s, op.Rm, MergeLow<T>.Apply(a, TEncoding.Get(ref s, op.Reg)));
        VectorThreading.Next(ref s, ref op, p);
    }

    /// <summary>Stores a part of a register.</summary>
    [MethodImpl(Threading.Handler)]
    internal static void PartToMemory<TW, TPart>(ref CpuState s, ref Op op, Processor p) where TW : struct, IWidth where TPart : struct, IVectorPart
    {
        if (!TPart.TryBegin(ref s, ref op, p))
            return;
        ulong at = VectorMemory.Linear(ref s, ref op, p, TW.Bits / 8, true);
        ref TlbEntry entry = ref TranslationCache.Entry(s.WriteTlb, at);
        if (entry.Tag == TranslationCache.Tag<TW>(at))
            TW.Store((nint)at + entry.Addend, TPart.Get(ref s, ref op));
        else if (!p.StoreSlow(ref s, ref op, at, TW.Bits / 8, TPart.Get(ref s, ref op)))
            return;
        TPart.Finish(ref s);
        VectorThreading.Next(ref s, ref op, p);
    }

    /// <summary>Moves a part of a register to the general register in ModRM.rm.</summary>
    [MethodImpl(Threading.Handler)]
    internal static void PartToGeneral<TW, TPart>(ref CpuState s, ref Op op, Processor p) where TW : struct, IWidth where TPart : struct, IVectorPart
    {
        if (!TPart.TryBegin(ref s, ref op, p))
            return;
        TW.Set(ref s, op.Rm, TPart.Get(ref s, ref op));
        TPart.Finish(ref s);
        VectorThreading.Next(ref s, ref op, p);
    }
}
