using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Hv.Cpu.Decode;
using Hv.Cpu.Execute;
using Hv.Cpu.State;

namespace Hv.Cpu.Simd;

/// <summary>Handlers of instructions with two vector sources: legacy SSE, whose destination is the first source and whose memory operand must be
/// aligned (SDM 1 10.4.1.1), and VEX, whose memory operand need not be and which zeroes what lies above the vector (SDM 1 14.4.1, 14.9). What is not
/// a hit in the translation cache goes to a method that is called in tail position, so that a handler needs no frame.</summary>
internal static class BinaryHandlers
{
    [MethodImpl(Threading.Handler)]
    internal static void SseRegister<TOperation>(ref CpuState s, ref Op op, Processor p) where TOperation : struct, IVectorBinary<TOperation>
    {
        ref Vector128<byte> destination = ref VectorRegister.Xmm(ref s, op.Reg);
        destination = TOperation.Apply(destination, VectorRegister.Xmm(ref s, op.Rm));
        VectorThreading.Next(ref s, ref op, p);
    }

    [MethodImpl(Threading.Handler)]
    internal static void SseMemory<TOperation>(ref CpuState s, ref Op op, Processor p) where TOperation : struct, IVectorBinary<TOperation>
    {
        nint hit = VectorMemory.Hit(ref s, ref op, 16, true);
        if (hit != 0)
        {
            ref Vector128<byte> destination = ref VectorRegister.Xmm(ref s, op.Reg);
            destination = TOperation.Apply(destination, VectorMemory.Load128(hit));
            VectorThreading.Next(ref s, ref op, p);
            return;
        }

        SseMemoryRest<TOperation>(ref s, ref op, p);
    }

    [MethodImpl(Threading.Handler | MethodImplOptions.NoInlining)]
    private static void SseMemoryRest<TOperation>(ref CpuState s, ref Op op, Processor p) where TOperation : struct, IVectorBinary<TOperation>
    {
        nint at = VectorMemory.Read(ref s, ref op, p, 16, true);
        if (at == 0)
            return;
        ref Vector128<byte> destination = ref VectorRegister.Xmm(ref s, op.Reg);
        destination = TOperation.Apply(destination, VectorMemory.Load128(at));
        VectorThreading.Next(ref s, ref op, p);
    }

    [MethodImpl(Threading.Handler)]
    internal static void XmmRegister<TOperation>(ref CpuState s, ref Op op, Processor p) where TOperation : struct, IVectorBinary<TOperation>
    {
        VectorRegister.SetZeroing(ref s, op.Reg,
            TOperation.Apply(VectorRegister.Xmm(ref s, VectorRegister.Third(ref op)), VectorRegister.Xmm(ref s, op.Rm)));
        VectorThreading.Next(ref s, ref op, p);
    }

    [MethodImpl(Threading.Handler)]
    internal static void XmmMemory<TOperation>(ref CpuState s, ref Op op, Processor p) where TOperation : struct, IVectorBinary<TOperation>
    {
        nint hit = VectorMemory.Hit(ref s, ref op, 16, false);
        if (hit != 0)
        {
            VectorRegister.SetZeroing(ref s, op.Reg,
                TOperation.Apply(VectorRegister.Xmm(ref s, VectorRegister.Third(ref op)), VectorMemory.Load128(hit)));
            VectorThreading.Next(ref s, ref op, p);
            return;
        }

        XmmMemoryRest<TOperation>(ref s, ref op, p);
    }

    [MethodImpl(Threading.Handler | MethodImplOptions.NoInlining)]
    private static void XmmMemoryRest<TOperation>(ref CpuState s, ref Op op, Processor p) where TOperation : struct, IVectorBinary<TOperation>
    {
        nint at = VectorMemory.Read(ref s, ref op, p, 16, false);
        if (at == 0)
            return;
        VectorRegister.SetZeroing(ref s, op.Reg, TOperation.Apply(VectorRegister.Xmm(ref s, VectorRegister.Third(ref op)), VectorMemory.Load128(at)));
        VectorThreading.Next(ref s, ref op, p);
    }

    [MethodImpl(Threading.Handler)]
    internal static void YmmRegister<TOperation>(ref CpuState s, ref Op op, Processor p) where TOperation : struct, IVectorBinary<TOperation>
    {
        VectorRegister.Ymm(ref s, op.Reg) =
            TOperation.Apply(VectorRegister.Ymm(ref s, VectorRegister.Third(ref op)), VectorRegister.Ymm(ref s, op.Rm));
        VectorThreading.Next(ref s, ref op, p);
    }

    [MethodImpl(Threading.Handler)]
    internal static void YmmMemory<TOperation>(ref CpuState s, ref Op op, Processor p) where TOperation : struct, IVectorBinary<TOperation>
    {
        nint hit = VectorMemory.Hit(ref s, ref op, 32, false);
        if (hit != 0)
        {
            VectorRegister.Ymm(ref s, op.Reg) = TOperation.Apply(VectorRegister.Ymm(ref s, VectorRegister.Third(ref op)), VectorMemory.Load256(hit));
            VectorThreading.Next(ref s, ref op, p);
            return;
        }

        YmmMemoryRest<TOperation>(ref s, ref op, p);
    }

    [MethodImpl(Threading.Handler | MethodImplOptions.NoInlining)]
    private static void YmmMemoryRest<TOperation>(ref CpuState s, ref Op op, Processor p) where TOperation : struct, IVectorBinary<TOperation>
    {
        nint at = VectorMemory.Read(ref s, ref op, p, 32, false);
        if (at == 0)
            return;
        VectorRegister.Ymm(ref s, op.Reg) = TOperation.Apply(VectorRegister.Ymm(ref s, VectorRegister.Third(ref op)), VectorMemory.Load256(at));
        VectorThreading.Next(ref s, ref op, p);
    }
}
