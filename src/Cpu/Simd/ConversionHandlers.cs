using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Hv.Cpu.Decode;
using Hv.Cpu.Execute;
using Hv.Cpu.Floating;
using Hv.Cpu.State;

namespace Hv.Cpu.Simd;

/// <summary>CVT instructions: vectors to vectors, and scalars to and from vector and general registers; see <see cref="FloatHandlers"/>.</summary>
// SAFETY: addresses are IOperandAddress's, for as many bytes as the conversion's lanes have; function pointers are to static methods here.
internal static unsafe class ConversionHandlers
{
    /// <summary>As many lanes as the wider of source and result allows. What is left of the result's 128 bits becomes 0.</summary>
    [MethodImpl(Threading.Handler)]
    internal static void Vector<TLane, TShape, TSource>(ref CpuState s, ref Op op, Processor p)
        where TLane : struct, ILaneConversion
        where TShape : struct, IFloatShape
        where TSource : struct, IOperandAddress
    {
        int size = Count<TLane, TShape>() * TLane.SourceSize;
        nint source = TSource.Locate(ref s, ref op, p, size, Shape<TShape>.IsAligned(size));
        if (source == 0 || !TryVector<TLane, TShape>(ref s, ref op, p, source))
            return;
        VectorThreading.Next(ref s, ref op, p);
    }

    /// <summary>CVTSS2SD, CVTSI2SD and their like: one lane, merged into the first source.</summary>
    [MethodImpl(Threading.Handler)]
    internal static void Scalar<TLane, T, TShape, TSource>(ref CpuState s, ref Op op, Processor p)
        where TLane : struct, ILaneConversion
        where TShape : struct, IFloatShape
        where TSource : struct, IOperandAddress
    {
        nint source = TSource.Locate(ref s, ref op, p, TLane.SourceSize, false);
        if (source == 0)
            return;
        ulong value = Load<TLane>(source), result = TLane.Compute(value);
        if ((TLane.Rounds && !Mxcsr.IsSettled(s.Fpu.Mxcsr)) || !TLane.Certain(value, result))
        {
            delegate*<ref CpuState, ref Op, Processor, ulong, void> rest = &ScalarRest<TLane, T, TShape>;
            rest(ref s, ref op, p, value);
            return;
        }

        Merge<T, TShape>(ref s, ref op, result);
        VectorThreading.Next(ref s, ref op, p);
    }

    /// <summary>CVTSD2SI and its like: one lane to a general register.</summary>
    [MethodImpl(Threading.Handler)]
    internal static void General<TLane, TSource>(ref CpuState s, ref Op op, Processor p)
        where TLane : struct, ILaneConversion
        where TSource : struct, IOperandAddress
    {
        nint source = TSource.Locate(ref s, ref op, p, TLane.SourceSize, false);
        if (source == 0)
            return;
        ulong value = Load<TLane>(source), result = TLane.Compute(value);
        if (!Mxcsr.IsSettled(s.Fpu.Mxcsr) || !TLane.Certain(value, result))
        {
            delegate*<ref CpuState, ref Op, Processor, ulong, void> rest = &GeneralRest<TLane>;
            rest(ref s, ref op, p, value);
            return;
        }

        W64.Set(ref s, op.Reg, result);
        VectorThreading.Next(ref s, ref op, p);
    }

    /// <summary>Converts one lane, by the host where that is proven right.</summary>
    internal static ulong Convert<TLane>(uint mxcsr, ulong value, ref FloatEnvironment environment) where TLane : struct, ILaneConversion
    {
        ulong result = TLane.Compute(value);
        bool certain = TLane.Certain(value, result)
            && (!TLane.Rounds || Mxcsr.IsSettled(mxcsr) || (Mxcsr.IsOrdinary(mxcsr) && TLane.Exact(value, result)));
        return certain ? result : TLane.Soft(value, ref environment);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static bool TryVector<TLane, TShape>(ref CpuState s, ref Op op, Processor p, nint source)
        where TLane : struct, ILaneConversion
        where TShape : struct, IFloatShape
    {
        var environment = FloatEnvironment.FromMxcsr(s.Fpu.Mxcsr);
        Vector256<byte> result = default;
        for (int i = 0; i < Count<TLane, TShape>(); i++)
        {
            ulong bits = Convert<TLane>(s.Fpu.Mxcsr, Load<TLane>(source + i * TLane.SourceSize), ref environment);
            if (TLane.ResultSize == 4)
                Unsafe.Add(ref Unsafe.As<Vector256<byte>, uint>(ref result), i) = (uint)bits;
            else
                Unsafe.Add(ref Unsafe.As<Vector256<byte>, ulong>(ref result), i) = bits;
        }

        if (!FloatHandlers.TryAccept(ref s, ref op, p, in environment))
            return false;
        if (TShape.IsVex)
            VectorRegister.Ymm(ref s, op.Reg) = result;
        else
            VectorRegister.Xmm(ref s, op.Reg) = result.GetLower();
        return true;
    }

    [MethodImpl(Threading.Handler)]
    private static void ScalarRest<TLane, T, TShape>(ref CpuState s, ref Op op, Processor p, ulong value)
        where TLane : struct, ILaneConversion
        where TShape : struct, IFloatShape
    {
        if (!TryScalar<TLane, T, TShape>(ref s, ref op, p, value))
            return;
        VectorThreading.Next(ref s, ref op, p);
    }

    [MethodImpl(Threading.Handler)]
    private static void GeneralRest<TLane>(ref CpuState s, ref Op op, Processor p, ulong value) where TLane : struct, ILaneConversion
    {
        if (!TryGeneral<TLane>(ref s, ref op, p, value))
            return;
        VectorThreading.Next(ref s, ref op, p);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static bool TryScalar<TLane, T, TShape>(ref CpuState s, ref Op op, Processor p, ulong value)
        where TLane : struct, ILaneConversion
        where TShape : struct, IFloatShape
    {
        var environment = FloatEnvironment.FromMxcsr(s.Fpu.Mxcsr);
        ulong result = Convert<TLane>(s.Fpu.Mxcsr, value, ref environment);
        if (!FloatHandlers.TryAccept(ref s, ref op, p, in environment))
            return false;
        Merge<T, TShape>(ref s, ref op, result);
        return true;
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static bool TryGeneral<TLane>(ref CpuState s, ref Op op, Processor p, ulong value) where TLane : struct, ILaneConversion
    {
        var environment = FloatEnvironment.FromMxcsr(s.Fpu.Mxcsr);
        ulong result = Convert<TLane>(s.Fpu.Mxcsr, value, ref environment);
        if (!FloatHandlers.TryAccept(ref s, ref op, p, in environment))
            return false;
        W64.Set(ref s, op.Reg, result);
        return true;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Merge<T, TShape>(ref CpuState s, ref Op op, ulong bits) where TShape : struct, IFloatShape
    {
        nint first = OperandAddress.OfVector(ref s, TShape.IsVex ? VectorRegister.Third(ref op) : op.Reg);
        FloatHandlers.Store<T, TShape>(ref s, op.Reg, first, Vector128.CreateScalar(bits).As<ulong, T>(), default);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static int Count<TLane, TShape>()
        where TLane : struct, ILaneConversion
        where TShape : struct, IFloatShape => (TShape.IsWide ? 32 : 16) / Math.Max(TLane.SourceSize, TLane.ResultSize);

    /// <summary>Reads a source lane.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static ulong Load<TLane>(nint address) where TLane : struct, ILaneConversion => TLane.SourceSize switch
    {
        2 => Unsafe.ReadUnaligned<ushort>((void*)address),
        4 => Unsafe.ReadUnaligned<uint>((void*)address),
        _ => Unsafe.ReadUnaligned<ulong>((void*)address),
    };
}
