using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Hv.Cpu.Decode;
using Hv.Cpu.Execute;
using Hv.Cpu.Floating;
using Hv.Cpu.State;
using Hv.Cpu.System;

namespace Hv.Cpu.Simd;

/// <summary>
/// Floating-point instructions on lanes (docs/adr/0028-vector-floating-point.md): the host's arithmetic where it is proven to give the guest's result
/// and MXCSR, else the operation in software. Nothing is written before every lane is computed.
/// </summary>
// SAFETY: addresses are IOperandAddress's, for as many bytes as the shape says.
internal static unsafe class FloatHandlers
{
    [MethodImpl(Threading.Handler)]
    internal static void Run<TOperation, T, TShape, TSource>(ref CpuState s, ref Op op, Processor p)
        where TOperation : struct, IFloatOperation
        where TShape : struct, IFloatShape
        where TSource : struct, IOperandAddress
    {
        int size = Shape<TShape>.Size<T>();
        nint second = TSource.Locate(ref s, ref op, p, size, Shape<TShape>.IsAligned(size));
        if (second == 0)
            return;
        nint first = First<TOperation, TShape>(ref s, ref op);
        int immediate = Immediate<TOperation, TShape>(ref op);
        bool certain = !TOperation.Rounds || Mxcsr.IsSettled(s.Fpu.Mxcsr);
        Vector128<T> a = Load<T, TShape>(first), b = Load<T, TShape>(second), low = TOperation.Compute(a, b, immediate), high = default;
        certain &= Covers<T, TShape>(TOperation.Certain(a, b, low));
        if (TShape.IsWide)
        {
            Vector128<T> upperA = Load<T, TShape>(first + 16), upperB = Load<T, TShape>(second + 16);
            high = TOperation.Compute(upperA, upperB, immediate);
            certain &= Covers<T, TShape>(TOperation.Certain(upperA, upperB, high));
        }

        if (!certain)
        {
            // SAFETY: a static method of that signature.
            delegate*<ref CpuState, ref Op, Processor, nint, void> rest = &Rest<TOperation, T, TShape>;
            rest(ref s, ref op, p, second);
            return;
        }

        Store<T, TShape>(ref s, op.Reg, first, low, high);
        VectorThreading.Next(ref s, ref op, p);
    }

    /// <summary>What the handler leaves, called in tail position so that the handler need not save registers. It must not be inlined, but a method that
    /// is marked so makes no tail calls itself: hence the function pointer.</summary>
    [MethodImpl(Threading.Handler)]
    private static void Rest<TOperation, T, TShape>(ref CpuState s, ref Op op, Processor p, nint second)
        where TOperation : struct, IFloatOperation
        where TShape : struct, IFloatShape
    {
        if (!TryRest<TOperation, T, TShape>(ref s, ref op, p, second))
            return;
        VectorThreading.Next(ref s, ref op, p);
    }

    /// <summary>Exact results under an ordinary MXCSR, then everything else in software. False: the exception is recorded.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    private static bool TryRest<TOperation, T, TShape>(ref CpuState s, ref Op op, Processor p, nint second)
        where TOperation : struct, IFloatOperation
        where TShape : struct, IFloatShape
    {
        nint first = First<TOperation, TShape>(ref s, ref op);
        int immediate = Immediate<TOperation, TShape>(ref op);
        Vector256<T> a = LoadAll<T, TShape>(first), b = LoadAll<T, TShape>(second);
        if (TOperation.Rounds && Mxcsr.IsOrdinary(s.Fpu.Mxcsr))
        {
            Vector128<T> low = TOperation.Compute(a.GetLower(), b.GetLower(), immediate);
            Vector128<T> high = TShape.IsWide ? TOperation.Compute(a.GetUpper(), b.GetUpper(), immediate) : default;
            if (IsExact<TOperation, T, TShape>(a.GetLower(), b.GetLower(), low, immediate)
                && (!TShape.IsWide || IsExact<TOperation, T, TShape>(a.GetUpper(), b.GetUpper(), high, immediate)))
            {
                Store<T, TShape>(ref s, op.Reg, first, low, high);
                return true;
            }
        }

        var environment = FloatEnvironment.FromMxcsr(s.Fpu.Mxcsr);
        Vector256<T> result = TOperation.Soft(a, b, Shape<TShape>.Lanes<T>(), immediate, ref environment);
        if (!TryAccept(ref s, ref op, p, in environment))
            return false;
        Store<T, TShape>(ref s, op.Reg, first, result.GetLower(), result.GetUpper());
        return true;
    }

    /// <summary>Merges what an instruction raised into MXCSR. False: an exception is unmasked and recorded: #XM, or #UD where the system does not
    /// know of it (SDM 3A 2.5, CR4.OSXMMEXCPT).</summary>
    internal static bool TryAccept(ref CpuState s, ref Op op, Processor p, in FloatEnvironment environment)
    {
        if (Mxcsr.Accept(ref s.Fpu.Mxcsr, in environment))
            return true;
        p.Raise(ref s, ref op, (s.Sys.Cr4 & ControlBits.Osxmmexcpt) != 0 ? ExceptionVector.SimdFloatingPoint : ExceptionVector.InvalidOpcode);
        return false;
    }

    /// <summary>Reads 128 bits of lanes, or the one lane.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static Vector128<T> Load<T, TShape>(nint address) where TShape : struct, IFloatShape => !TShape.IsScalar
        ? Unsafe.ReadUnaligned<Vector128<T>>((void*)address)
        : typeof(T) == typeof(float)
            ? Vector128.CreateScalar(Unsafe.ReadUnaligned<float>((void*)address)).As<float, T>()
            : Vector128.CreateScalar(Unsafe.ReadUnaligned<double>((void*)address)).As<double, T>();

    /// <summary>Reads all lanes.</summary>
    internal static Vector256<T> LoadAll<T, TShape>(nint address) where TShape : struct, IFloatShape =>
        Vector256.Create(Load<T, TShape>(address), TShape.IsWide ? Load<T, TShape>(address + 16) : default);

    /// <summary>Whether all lanes that are computed are ones.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static bool Covers<T, TShape>(Vector128<T> mask) where TShape : struct, IFloatShape =>
        (~mask.ExtractMostSignificantBits() & Shape<TShape>.LowLanes<T>()) == 0;

    /// <summary>Writes the result; of a scalar instruction the other lanes of the low 128 bits are those at <paramref name="first"/>, which in legacy
    /// encodings is the destination itself.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static void Store<T, TShape>(ref CpuState s, int offset, nint first, Vector128<T> low, Vector128<T> high)
        where TShape : struct, IFloatShape
    {
        if (!TShape.IsVex && TShape.IsScalar)
        {
            Unsafe.WriteUnaligned(ref Unsafe.As<Vector128<byte>, byte>(ref VectorRegister.Xmm(ref s, offset)), low.ToScalar());
            return;
        }

        Vector128<T> result = low;
        if (TShape.IsScalar)
        {
            Vector128<T> rest = Unsafe.ReadUnaligned<Vector128<T>>((void*)first);
            result = typeof(T) == typeof(float)
                ? rest.AsSingle().WithElement(0, low.AsSingle().ToScalar()).As<float, T>()
                : rest.AsDouble().WithElement(0, low.AsDouble().ToScalar()).As<double, T>();
        }

        if (TShape.IsVex)
            VectorRegister.Ymm(ref s, offset) = Vector256.Create(result, TShape.IsWide ? high : Vector128<T>.Zero).AsByte();
        else
            VectorRegister.Xmm(ref s, offset) = result.AsByte();
    }

    private static bool IsExact<TOperation, T, TShape>(Vector128<T> a, Vector128<T> b, Vector128<T> result, int immediate)
        where TOperation : struct, IFloatOperation
        where TShape : struct, IFloatShape => Covers<T, TShape>(TOperation.Certain(a, b, result) & TOperation.Exact(a, b, result, immediate));

    /// <summary>Where the first source is: the destination, or the third register where there is one.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static nint First<TOperation, TShape>(ref CpuState s, ref Op op)
        where TOperation : struct, IFloatOperation
        where TShape : struct, IFloatShape => OperandAddress.OfVector(ref s, HasThird<TOperation, TShape>() ? VectorRegister.Third(ref op) : op.Reg);

    /// <summary>The immediate byte, which lies above the third register's number.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static int Immediate<TOperation, TShape>(ref Op op)
        where TOperation : struct, IFloatOperation
        where TShape : struct, IFloatShape => (byte)(HasThird<TOperation, TShape>() ? op.Immediate >> 8 : op.Immediate);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static bool HasThird<TOperation, TShape>()
        where TOperation : struct, IFloatOperation
        where TShape : struct, IFloatShape => TShape.IsVex && (TShape.IsScalar || !TOperation.IsUnary);
}
