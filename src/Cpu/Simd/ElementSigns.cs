using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Hv.Cpu.Decode;
using Hv.Cpu.Execute;
using Hv.Cpu.State;

namespace Hv.Cpu.Simd;

/// <summary>PMOVMSKB, MOVMSKPS, MOVMSKPD: the signs of elements of T as the bits of a general register, and PEXTRW's first encoding.</summary>
internal static class ElementSigns
{
    [MethodImpl(Threading.Handler)]
    internal static void Register<T, TEncoding>(ref CpuState s, ref Op op, Processor p) where TEncoding : struct, IEncoding
    {
        if (!TEncoding.TryBegin(ref s, ref op, p))
            return;
        W32.Set(ref s, op.Reg, TEncoding.Get(ref s, op.Rm).As<byte, T>().ExtractMostSignificantBits());
        TEncoding.Finish(ref s);
        VectorThreading.Next(ref s, ref op, p);
    }

    [MethodImpl(Threading.Handler)]
    internal static void YmmRegister<T>(ref CpuState s, ref Op op, Processor p)
    {
        W32.Set(ref s, op.Reg, VectorRegister.Ymm(ref s, op.Rm).As<byte, T>().ExtractMostSignificantBits());
        VectorThreading.Next(ref s, ref op, p);
    }

    /// <summary>PEXTRW with the general register in ModRM.reg.</summary>
    [MethodImpl(Threading.Handler)]
    internal static void ExtractWord<TEncoding>(ref CpuState s, ref Op op, Processor p) where TEncoding : struct, IEncoding
    {
        if (!TEncoding.TryBegin(ref s, ref op, p))
            return;
        int at = (int)op.Immediate * 2 & (typeof(TEncoding) == typeof(Mmx) ? 7 : 15);
        W32.Set(ref s, op.Reg, (ushort)ByteShift.Right(TEncoding.Get(ref s, op.Rm), at).AsUInt64().ToScalar());
        TEncoding.Finish(ref s);
        VectorThreading.Next(ref s, ref op, p);
    }
}

/// <summary>PTEST, VTESTPS, VTESTPD: ZF and CF, the other four flags clear.</summary>
internal static class VectorTests
{
    /// <summary>128 bits; the source is zero-extended.</summary>
    [MethodImpl(Threading.Handler)]
    internal static void Test<TTest, TSource>(ref CpuState s, ref Op op, Processor p)
        where TTest : struct, IVectorTest where TSource : struct, IVectorSource<Vector128<byte>>
    {
        Vector128<byte> b = TSource.Read(ref s, ref op, p);
        if (TSource.IsMemory && s.Attention != 0)
            return;
        Vector128<byte> a = VectorRegister.Xmm(ref s, op.Reg);
        Flags.Put(ref s, Result(VectorTest.IsDisjoint<TTest>(a, b), VectorTest.IsSubset<TTest>(a, b)));
        VectorThreading.Next(ref s, ref op, p);
    }

    [MethodImpl(Threading.Handler)]
    internal static void TestWide<TTest, TSource>(ref CpuState s, ref Op op, Processor p)
        where TTest : struct, IVectorTest where TSource : struct, IVectorSource<Vector256<byte>>
    {
        Vector256<byte> b = TSource.Read(ref s, ref op, p);
        if (TSource.IsMemory && s.Attention != 0)
            return;
        Vector256<byte> a = VectorRegister.Ymm(ref s, op.Reg);
        Flags.Put(ref s, Result(VectorTest.IsDisjoint<TTest>(a, b), VectorTest.IsSubset<TTest>(a, b)));
        VectorThreading.Next(ref s, ref op, p);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static ulong Result(bool zero, bool carry) => (zero ? Flags.Zf : 0) | (carry ? Flags.Cf : 0);
}
