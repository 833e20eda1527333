using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Hv.Cpu.Decode;
using Hv.Cpu.Execute;
using Hv.Cpu.State;

namespace Hv.Cpu.Simd;

/// <summary>Handlers of operations on vectors of up to 128 bits, by encoding and source. (<see cref="BinaryHandlers"/> are the common case of two
/// whole vectors.)</summary>
internal static class VectorHandlers
{
    [MethodImpl(Threading.Handler)]
    internal static void Unary<TOp, TEncoding, TSource>(ref CpuState s, ref Op op, Processor p)
        where TOp : struct, IVectorUnary<TOp> where TEncoding : struct, IEncoding where TSource : struct, IVectorSource<Vector128<byte>>
    {
        if (!TEncoding.TryBegin(ref s, ref op, p))
            return;
        Vector128<byte> a = TSource.Read(ref s, ref op, p);
        if (TSource.IsMemory && s.Attention != 0)
            return;
        TEncoding.Set(ref s, op.Reg, TOp.Apply(a));
        VectorThreading.Next(ref s, ref op, p);
    }

    [MethodImpl(Threading.Handler)]
    internal static void UnaryImmediate<TOp, TEncoding, TSource>(ref CpuState s, ref Op op, Processor p)
        where TOp : struct, IVectorUnaryImmediate<TOp> where TEncoding : struct, IEncoding where TSource : struct, IVectorSource<Vector128<byte>>
    {
        if (!TEncoding.TryBegin(ref s, ref op, p))
            return;
        Vector128<byte> a = TSource.Read(ref s, ref op, p);
        if (TSource.IsMemory && s.Attention != 0)
            return;
        TEncoding.Set(ref s, op.Reg, TOp.Apply(a, (byte)op.Immediate));
        VectorThreading.Next(ref s, ref op, p);
    }

    [MethodImpl(Threading.Handler)]
    internal static void Binary<TOp, TEncoding, TSource>(ref CpuState s, ref Op op, Processor p)
        where TOp : struct, IVectorBinary<TOp> where TEncoding : struct, IEncoding where TSource : struct, IVectorSource<Vector128<byte>>
    {
        if (!TEncoding.TryBegin(ref s, ref op, p))
            return;
        Vector128<byte> b = TSource.Read(ref s, ref op, p);
        if (TSource.IsMemory && s.Attention != 0)
            return;
        TEncoding.Set(ref s, op.Reg, TOp.Apply(TEncoding.Get(ref s, TEncoding.First(ref op)), b));
        VectorThreading.Next(ref s, ref op, p);
    }

    [MethodImpl(Threading.Handler)]
    internal static void BinaryImmediate<TOp, TEncoding, TSource>(ref CpuState s, ref Op op, Processor p)
        where TOp : struct, IVectorBinaryImmediate<TOp> where TEncoding : struct, IEncoding where TSource : struct, IVectorSource<Vector128<byte>>
    {
        if (!TEncoding.TryBegin(ref s, ref op, p))
            return;
        Vector128<byte> b = TSource.Read(ref s, ref op, p);
        if (TSource.IsMemory && s.Attention != 0)
            return;
        TEncoding.Set(ref s, op.Reg, TOp.Apply(TEncoding.Get(ref s, TEncoding.First(ref op)), b, TEncoding.Immediate(ref op)));
        VectorThreading.Next(ref s, ref op, p);
    }

    /// <summary>The third source is XMM0 in a legacy encoding, and in the immediate's upper half in a VEX encoding.</summary>
    [MethodImpl(Threading.Handler)]
    internal static void Ternary<TOp, TEncoding, TSource>(ref CpuState s, ref Op op, Processor p)
        where TOp : struct, IVectorTernary<TOp> where TEncoding : struct, IEncoding where TSource : struct, IVectorSource<Vector128<byte>>
    {
        Vector128<byte> b = TSource.Read(ref s, ref op, p);
        if (TSource.IsMemory && s.Attention != 0)
            return;
        Vector128<byte> c = TEncoding.Get(ref s, typeof(TEncoding) == typeof(Vex128) ? Fourth(ref op) : 0);
        TEncoding.Set(ref s, op.Reg, TOp.Apply(TEncoding.Get(ref s, TEncoding.First(ref op)), b, c));
        VectorThreading.Next(ref s, ref op, p);
    }

    /// <summary>A shift of a register by an immediate: ModRM.reg is part of the opcode.</summary>
    [MethodImpl(Threading.Handler)]
    internal static void GroupImmediate<TOp, TEncoding>(ref CpuState s, ref Op op, Processor p)
        where TOp : struct, IVectorUnaryImmediate<TOp> where TEncoding : struct, IEncoding
    {
        if (!TEncoding.TryBegin(ref s, ref op, p))
            return;
        TEncoding.Set(ref s, TEncoding.GroupDestination(ref op), TOp.Apply(TEncoding.Get(ref s, op.Rm), TEncoding.Immediate(ref op)));
        VectorThreading.Next(ref s, ref op, p);
    }

    /// <summary>The register in bits 7:4 of the immediate byte.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static int Fourth(ref Op op) => (int)(op.Immediate >> 12 & 15) * 8;
}

/// <summary>Handlers of operations on 256-bit vectors.</summary>
internal static class WideHandlers
{
    [MethodImpl(Threading.Handler)]
    internal static void Unary<TOp, TSource>(ref CpuState s, ref Op op, Processor p)
        where TOp : struct, IVectorUnary<TOp> where TSource : struct, IVectorSource<Vector256<byte>>
    {
        Vector256<byte> a = TSource.Read(ref s, ref op, p);
        if (TSource.IsMemory && s.Attention != 0)
            return;
        VectorRegister.Ymm(ref s, op.Reg) = TOp.Apply(a);
        VectorThreading.Next(ref s, ref op, p);
    }

    [MethodImpl(Threading.Handler)]
    internal static void UnaryImmediate<TOp, TSource>(ref CpuState s, ref Op op, Processor p)
        where TOp : struct, IVectorUnaryImmediate<TOp> where TSource : struct, IVectorSource<Vector256<byte>>
    {
        Vector256<byte> a = TSource.Read(ref s, ref op, p);
        if (TSource.IsMemory && s.Attention != 0)
            return;
        VectorRegister.Ymm(ref s, op.Reg) = TOp.Apply(a, (byte)op.Immediate);
        VectorThreading.Next(ref s, ref op, p);
    }

    [MethodImpl(Threading.Handler)]
    internal static void Binary<TOp, TSource>(ref CpuState s, ref Op op, Processor p)
        where TOp : struct, IVectorBinary<TOp> where TSource : struct, IVectorSource<Vector256<byte>>
    {
        Vector256<byte> b = TSource.Read(ref s, ref op, p);
        if (TSource.IsMemory && s.Attention != 0)
            return;
        VectorRegister.Ymm(ref s, op.Reg) = TOp.Apply(VectorRegister.Ymm(ref s, VectorRegister.Third(ref op)), b);
        VectorThreading.Next(ref s, ref op, p);
    }

    [MethodImpl(Threading.Handler)]
    internal static void BinaryImmediate<TOp, TSource>(ref CpuState s, ref Op op, Processor p)
        where TOp : struct, IVectorBinaryImmediate<TOp> where TSource : struct, IVectorSource<Vector256<byte>>
    {
        Vector256<byte> b = TSource.Read(ref s, ref op, p);
        if (TSource.IsMemory && s.Attention != 0)
            return;
        VectorRegister.Ymm(ref s, op.Reg) = TOp.Apply(VectorRegister.Ymm(ref s, VectorRegister.Third(ref op)), b, Vex128.Immediate(ref op));
        VectorThreading.Next(ref s, ref op, p);
    }

    [MethodImpl(Threading.Handler)]
    internal static void Ternary<TOp, TSource>(ref CpuState s, ref Op op, Processor p)
        where TOp : struct, IVectorTernary<TOp> where TSource : struct, IVectorSource<Vector256<byte>>
    {
        Vector256<byte> b = TSource.Read(ref s, ref op, p);
        if (TSource.IsMemory && s.Attention != 0)
            return;
        VectorRegister.Ymm(ref s, op.Reg) = TOp.Apply(VectorRegister.Ymm(ref s, VectorRegister.Third(ref op)), b,
            VectorRegister.Ymm(ref s, VectorHandlers.Fourth(ref op)));
        VectorThreading.Next(ref s, ref op, p);
    }

    [MethodImpl(Threading.Handler)]
    internal static void GroupImmediate<TOp>(ref CpuState s, ref Op op, Processor p) where TOp : struct, IVectorUnaryImmediate<TOp>
    {
        VectorRegister.Ymm(ref s, VectorRegister.Third(ref op)) = TOp.Apply(VectorRegister.Ymm(ref s, op.Rm), Vex128.Immediate(ref op));
        VectorThreading.Next(ref s, ref op, p);
    }
}
