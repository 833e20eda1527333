using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Hv.Cpu.Decode;
using Hv.Cpu.Execute;
using Hv.Cpu.Floating;
using Hv.Cpu.State;

namespace Hv.Cpu.Simd;

/// <summary>Conversions of two lanes between MMX and XMM registers. With an MMX register they are MMX instructions to the x87 state, which changes even
/// where they raise #XM, but not where their memory operand faults; from memory to an XMM register they are not (SDM 2A CVTPI2PD; CVTPI2PS on silicon
/// too).</summary>
internal static class MmxConversions
{
    /// <summary>CVTPI2PS, which keeps the upper half of the XMM register, and CVTPI2PD.</summary>
    [MethodImpl(Threading.Handler)]
    internal static void FromMmx<TLane>(ref CpuState s, ref Op op, Processor p) where TLane : struct, ILaneConversion
    {
        if (op.IsMemory)
        {
            nint source = MemoryAddress.Locate(ref s, ref op, p, 8, false);
            if (source == 0 || !TryFromMmx<TLane>(ref s, ref op, p, ConversionHandlers.Load<Int64ToDouble>(source)))
                return;
        }
        else
        {
            if (!MmxRegister.TryBegin(ref s, ref op, p))
                return;
            MmxRegister.Finish(ref s);
            if (!TryFromMmx<TLane>(ref s, ref op, p, MmxRegister.Get(ref s, op.Rm)))
                return;
        }

        VectorThreading.Next(ref s, ref op, p);
    }

    /// <summary>CVTPS2PI, CVTPD2PI and their truncating forms.</summary>
    [MethodImpl(Threading.Handler)]
    internal static void ToMmx<TLane, TSource>(ref CpuState s, ref Op op, Processor p)
        where TLane : struct, ILaneConversion
        where TSource : struct, IOperandAddress
    {
        if (!MmxRegister.TryBegin(ref s, ref op, p))
            return;
        nint source = TSource.Locate(ref s, ref op, p, 2 * TLane.SourceSize, TLane.SourceSize == 8);
        if (source == 0)
            return;
        MmxRegister.Finish(ref s);
        if (!TryToMmx<TLane>(ref s, ref op, p, source))
            return;
        VectorThreading.Next(ref s, ref op, p);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static bool TryFromMmx<TLane>(ref CpuState s, ref Op op, Processor p, ulong lanes) where TLane : struct, ILaneConversion
    {
        var environment = FloatEnvironment.FromMxcsr(s.Fpu.Mxcsr);
        ulong first = ConversionHandlers.Convert<TLane>(s.Fpu.Mxcsr, (uint)lanes, ref environment);
        ulong second = ConversionHandlers.Convert<TLane>(s.Fpu.Mxcsr, lanes >> 32, ref environment);
        if (!FloatHandlers.TryAccept(ref s, ref op, p, in environment))
            return false;
        ref ulong low = ref Unsafe.As<Vector128<byte>, ulong>(ref VectorRegister.Xmm(ref s, op.Reg));
        low = TLane.ResultSize == 4 ? first | second << 32 : first;
        if (TLane.ResultSize == 8)
            Unsafe.Add(ref low, 1) = second;
        return true;
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static bool TryToMmx<TLane>(ref CpuState s, ref Op op, Processor p, nint source) where TLane : struct, ILaneConversion
    {
        var environment = FloatEnvironment.FromMxcsr(s.Fpu.Mxcsr);
        ulong first = ConversionHandlers.Convert<TLane>(s.Fpu.Mxcsr, ConversionHandlers.Load<TLane>(source), ref environment);
        ulong second = ConversionHandlers.Convert<TLane>(s.Fpu.Mxcsr, ConversionHandlers.Load<TLane>(source + TLane.SourceSize), ref environment);
        if (!FloatHandlers.TryAccept(ref s, ref op, p, in environment))
            return false;
        MmxRegister.Set(ref s, op.Reg, first | second << 32);
        return true;
    }
}
