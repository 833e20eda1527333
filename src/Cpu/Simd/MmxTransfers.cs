using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Hv.Cpu.Decode;
using Hv.Cpu.Execute;
using Hv.Cpu.State;

namespace Hv.Cpu.Simd;

/// <summary>Moves between MMX and XMM registers, which are MMX instructions to the x87 state and SSE2 instructions otherwise.</summary>
internal static class MmxTransfers
{
    /// <summary>MOVQ2DQ.</summary>
    [MethodImpl(Threading.Handler)]
    internal static void ToXmm(ref CpuState s, ref Op op, Processor p)
    {
        if (!MmxRegister.TryBegin(ref s, ref op, p))
            return;
        VectorRegister.Xmm(ref s, op.Reg) = Vector128.CreateScalar(MmxRegister.Get(ref s, op.Rm)).AsByte();
        MmxRegister.Finish(ref s);
        VectorThreading.Next(ref s, ref op, p);
    }

    /// <summary>MOVDQ2Q.</summary>
    [MethodImpl(Threading.Handler)]
    internal static void ToMmx(ref CpuState s, ref Op op, Processor p)
    {
        if (!MmxRegister.TryBegin(ref s, ref op, p))
            return;
        MmxRegister.Set(ref s, op.Reg, VectorRegister.Xmm(ref s, op.Rm).AsUInt64().ToScalar());
        MmxRegister.Finish(ref s);
        VectorThreading.Next(ref s, ref op, p);
    }
}
