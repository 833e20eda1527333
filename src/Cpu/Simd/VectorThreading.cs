using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.Arm;
using System.Runtime.Intrinsics.X86;
using Hv.Cpu.Decode;
using Hv.Cpu.Execute;
using Hv.Cpu.State;

namespace Hv.Cpu.Simd;

/// <summary>How a vector handler goes on. On a host without vector instructions .NET computes vectors in memory, and a handler with such locals
/// cannot jump to the next (docs/adr/0021-tail-threaded-handlers.md): there it returns to the run loop.</summary>
internal static class VectorThreading
{
    /// <summary>Goes on with the operation after <paramref name="op"/>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static void Next(ref CpuState s, ref Op op, Processor p)
    {
        if (Vector128.IsHardwareAccelerated)
            Threading.Next(ref s, ref op, p);
        else
            p.LeaveAfter(ref s, ref op);
    }

    /// <summary>As <see cref="Next"/>, after a fused multiply-add, which .NET computes lane by lane in memory on a host without that
    /// instruction.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static void NextFused(ref CpuState s, ref Op op, Processor p)
    {
        if (Fma.IsSupported || AdvSimd.IsSupported)
            Threading.Next(ref s, ref op, p);
        else
            p.LeaveAfter(ref s, ref op);
    }
}
