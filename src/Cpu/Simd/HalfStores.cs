using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Hv.Cpu.Decode;
using Hv.Cpu.Execute;
using Hv.Cpu.Floating;
using Hv.Cpu.State;

namespace Hv.Cpu.Simd;

/// <summary>VCVTPS2PH: to a register, or to memory of half the vector's size; rounding by the immediate, and MXCSR.FTZ is not obeyed (SDM 2C
/// VCVTPS2PH).</summary>
internal static class HalfStores
{
    private const int ByMxcsr = 4;

    [MethodImpl(Threading.Handler)]
    internal static void Run<TShape>(ref CpuState s, ref Op op, Processor p) where TShape : struct, IFloatShape
    {
        if (!TryRun<TShape>(ref s, ref op, p))
            return;
        VectorThreading.Next(ref s, ref op, p);
    }

    /// <summary>One lane.</summary>
    internal static ulong Lane(ulong source, ref FloatEnvironment environment)
    {
        FloatParts parts = FloatParts.Unpack<Single32>(source, in environment);
        ulong result = FloatConversion.Convert(in parts, ref environment).To<Half16>(ref environment);
        // Where an unmasked underflow delivers nothing, silicon calls a denormal source inexact all the same.
        if (parts.Denormal)
            environment.Flags |= FloatFlags.Inexact;
        return result;
    }

    /// <summary>What the lanes obey.</summary>
    internal static FloatEnvironment Environment(uint mxcsr, int immediate)
    {
        var environment = FloatEnvironment.FromMxcsr(mxcsr);
        environment.FlushToZero = false;
        if ((immediate & ByMxcsr) == 0)
            environment.Rounding = (RoundingMode)(immediate & 3);
        return environment;
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static bool TryRun<TShape>(ref CpuState s, ref Op op, Processor p) where TShape : struct, IFloatShape
    {
        FloatEnvironment environment = Environment(s.Fpu.Mxcsr, (int)op.Immediate);
        Vector256<uint> source = VectorRegister.Ymm(ref s, op.Reg).AsUInt32();
        Vector128<ushort> result = default;
        for (int i = 0; i < (TShape.IsWide ? 8 : 4); i++)
            result = result.WithElement(i, (ushort)Lane(source.GetElement(i), ref environment));

        // MXCSR first: silicon raises #XM before the store's faults, and a store that faults has set the flags.
        if (!FloatHandlers.TryAccept(ref s, ref op, p, in environment))
            return false;
        if (op.IsMemory)
        {
            // Half of it is stored as a whole vector is: it raises no #AC.
            if (TShape.IsWide)
                return VectorMemory.Write128(ref s, ref op, p, result.AsByte(), false);
            s.Staging = result.AsByte().ToVector256();
            return p.StoreVectorSlow(ref s, ref op, VectorMemory.Linear(ref s, ref op, p, 8, true), 8, false);
        }

        VectorRegister.SetZeroing(ref s, op.Rm, result.AsByte());
        return true;
    }
}
