using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Hv.Cpu.Decode;
using Hv.Cpu.Execute;
using Hv.Cpu.State;

namespace Hv.Cpu.Simd;

/// <summary>How many vector registers code of a size reaches, as a type.</summary>
internal interface IRegisterCount
{
    static abstract int Count { get; }
}

/// <summary>64-bit code.</summary>
internal readonly struct Sixteen : IRegisterCount
{
    public static int Count => 16;
}

/// <summary>Other code, which leaves the upper eight registers alone (SDM 2C VZEROALL, VZEROUPPER).</summary>
internal readonly struct Eight : IRegisterCount
{
    public static int Count => 8;
}

/// <summary>VZEROUPPER and VZEROALL.</summary>
internal static class ZeroUpper
{
    [MethodImpl(Threading.Handler)]
    internal static void Upper<TCount>(ref CpuState s, ref Op op, Processor p) where TCount : struct, IRegisterCount
    {
        for (int i = 0; i < TCount.Count; i++)
            VectorRegister.SetZeroing(ref s, i * 8, VectorRegister.Xmm(ref s, i * 8));
        VectorThreading.Next(ref s, ref op, p);
    }

    [MethodImpl(Threading.Handler)]
    internal static void All<TCount>(ref CpuState s, ref Op op, Processor p) where TCount : struct, IRegisterCount
    {
        for (int i = 0; i < TCount.Count; i++)
            VectorRegister.Ymm(ref s, i * 8) = Vector256<byte>.Zero;
        VectorThreading.Next(ref s, ref op, p);
    }
}
