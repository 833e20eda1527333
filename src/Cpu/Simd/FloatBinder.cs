using Hv.Cpu.Decode;
using Hv.Cpu.State;

namespace Hv.Cpu.Simd;

/// <summary>Chooses among <see cref="FloatHandlers"/>, and passes conversions and fused multiplications on.</summary>
// SAFETY: only takes the addresses of static methods that have the handlers' signature.
internal static unsafe class FloatBinder
{
    internal static nint Bind(in Op op) => op.Kind switch
    {
        >= OpKind.Vfmaddsub132ps => FusedBinder.Bind(op),
        >= OpKind.Cvtdq2pd => ConversionBinder.Bind(op),
        OpKind.Addps or OpKind.Addss => Lanes<Addition, float>(op, OpKind.Addss),
        OpKind.Addpd or OpKind.Addsd => Lanes<Addition, double>(op, OpKind.Addsd),
        OpKind.Mulps or OpKind.Mulss => Lanes<Multiplication, float>(op, OpKind.Mulss),
        OpKind.Mulpd or OpKind.Mulsd => Lanes<Multiplication, double>(op, OpKind.Mulsd),
        OpKind.Subps or OpKind.Subss => Lanes<Subtraction, float>(op, OpKind.Subss),
        OpKind.Subpd or OpKind.Subsd => Lanes<Subtraction, double>(op, OpKind.Subsd),
        OpKind.Divps or OpKind.Divss => Lanes<Division, float>(op, OpKind.Divss),
        OpKind.Divpd or OpKind.Divsd => Lanes<Division, double>(op, OpKind.Divsd),
        OpKind.Minps or OpKind.Minss => Lanes<FloatMinimum, float>(op, OpKind.Minss),
        OpKind.Minpd or OpKind.Minsd => Lanes<FloatMinimum, double>(op, OpKind.Minsd),
        OpKind.Maxps or OpKind.Maxss => Lanes<FloatMaximum, float>(op, OpKind.Maxss),
        OpKind.Maxpd or OpKind.Maxsd => Lanes<FloatMaximum, double>(op, OpKind.Maxsd),
        OpKind.Sqrtps or OpKind.Sqrtss => Lanes<SquareRoot, float>(op, OpKind.Sqrtss),
        OpKind.Sqrtpd or OpKind.Sqrtsd => Lanes<SquareRoot, double>(op, OpKind.Sqrtsd),
        OpKind.Cmpps or OpKind.Cmpss => Compare<float>(op, OpKind.Cmpss),
        OpKind.Cmppd or OpKind.Cmpsd => Compare<double>(op, OpKind.Cmpsd),
        OpKind.Rcpps or OpKind.Rcpss => Lanes<Reciprocal, float>(op, OpKind.Rcpss),
        OpKind.Rsqrtps or OpKind.Rsqrtss => Lanes<ReciprocalSquareRoot, float>(op, OpKind.Rsqrtss),
        OpKind.Haddps => Vector<Horizontal<Addition>, float>(op),
        OpKind.Haddpd => Vector<Horizontal<Addition>, double>(op),
        OpKind.Hsubps => Vector<Horizontal<Subtraction>, float>(op),
        OpKind.Hsubpd => Vector<Horizontal<Subtraction>, double>(op),
        OpKind.Addsubps => Vector<AlternateAddition, float>(op),
        OpKind.Addsubpd => Vector<AlternateAddition, double>(op),
        OpKind.Dpps => Vector<DotProduct, float>(op),
        OpKind.Dppd => Vector<DotProduct, double>(op),
        OpKind.Roundps or OpKind.Roundss => Lanes<RoundToIntegral, float>(op, OpKind.Roundss),
        OpKind.Roundpd or OpKind.Roundsd => Lanes<RoundToIntegral, double>(op, OpKind.Roundsd),
        OpKind.Comiss => Flags<SignalingQuietNan, float>(op),
        OpKind.Comisd => Flags<SignalingQuietNan, double>(op),
        OpKind.Ucomiss => Flags<SilentQuietNan, float>(op),
        OpKind.Ucomisd => Flags<SilentQuietNan, double>(op),
        _ => 0,
    };

    /// <summary>An instruction that has a scalar form too, of kind <paramref name="scalar"/>.</summary>
    private static nint Lanes<TOperation, T>(in Op op, OpKind scalar) where TOperation : struct, IFloatOperation
    {
        if (op.Kind != scalar)
            return Vector<TOperation, T>(op);
        return (op.Form & OpForm.Vex) != 0 ? Source<TOperation, T, VexScalar>(op) : Source<TOperation, T, SseScalar>(op);
    }

    private static nint Compare<T>(in Op op, OpKind scalar) => (op.Form & OpForm.Vex) != 0
        ? Lanes<Comparison<VexPredicates>, T>(op, scalar)
        : Lanes<Comparison<SsePredicates>, T>(op, scalar);

    private static nint Vector<TOperation, T>(in Op op) where TOperation : struct, IFloatOperation => (op.Form & (OpForm.Vex | OpForm.Ymm)) switch
    {
        0 => Source<TOperation, T, SseVector>(op),
        OpForm.Vex => Source<TOperation, T, VexVector>(op),
        _ => Source<TOperation, T, VexWide>(op),
    };

    private static nint Source<TOperation, T, TShape>(in Op op) where TOperation : struct, IFloatOperation where TShape : struct, IFloatShape
    {
        // SAFETY: function pointers to static methods of the handlers' signature, for Op.Handler.
        delegate*<ref CpuState, ref Op, Processor, void> handler = op.IsMemory
            ? &FloatHandlers.Run<TOperation, T, TShape, MemoryAddress>
            : &FloatHandlers.Run<TOperation, T, TShape, VectorRegisterAddress>;
        return (nint)handler;
    }

    private static nint Flags<TNan, T>(in Op op) where TNan : struct, IQuietNan
    {
        // SAFETY: function pointers to static methods of the handlers' signature, for Op.Handler.
        delegate*<ref CpuState, ref Op, Processor, void> handler = op.IsMemory
            ? &FlagComparisons.Run<TNan, T, MemoryAddress>
            : &FlagComparisons.Run<TNan, T, VectorRegisterAddress>;
        return (nint)handler;
    }
}

/// <summary>Chooses among <see cref="FusedHandlers"/>.</summary>
// SAFETY: only takes the addresses of static methods that have the handlers' signature.
internal static unsafe class FusedBinder
{
    private const int PerOrder = 20;

    /// <summary>By the kinds' order: 132, 213, 231; in each the alternating two, then four that have scalar forms; in each ...S, then ...D.</summary>
    internal static nint Bind(in Op op)
    {
        int n = op.Kind - OpKind.Vfmaddsub132ps;
        return n < PerOrder ? Order<Order132>(op, n) : n < 2 * PerOrder ? Order<Order213>(op, n - PerOrder) : Order<Order231>(op, n - 2 * PerOrder);
    }

    private static nint Order<TOrder>(in Op op, int n) where TOrder : struct, IFusedOrder
    {
        bool isDouble = (n & 1) != 0, isScalar = n >= 4 && (n & 2) != 0;
        return n switch
        {
            < 2 => Lane<AlternateFromSubtract, TOrder>(op, isDouble, isScalar),
            < 4 => Lane<AlternateFromAdd, TOrder>(op, isDouble, isScalar),
            < 8 => Lane<AddProduct, TOrder>(op, isDouble, isScalar),
            < 12 => Lane<SubtractFromProduct, TOrder>(op, isDouble, isScalar),
            < 16 => Lane<AddNegatedProduct, TOrder>(op, isDouble, isScalar),
            _ => Lane<SubtractFromNegatedProduct, TOrder>(op, isDouble, isScalar),
        };
    }

    private static nint Lane<TSigns, TOrder>(in Op op, bool isDouble, bool isScalar)
        where TSigns : struct, IFusedSigns
        where TOrder : struct, IFusedOrder =>
        isDouble ? Extent<TSigns, TOrder, double>(op, isScalar) : Extent<TSigns, TOrder, float>(op, isScalar);

    private static nint Extent<TSigns, TOrder, T>(in Op op, bool isScalar)
        where TSigns : struct, IFusedSigns
        where TOrder : struct, IFusedOrder =>
        isScalar ? Source<TSigns, TOrder, T, VexScalar>(op)
        : (op.Form & OpForm.Ymm) != 0 ? Source<TSigns, TOrder, T, VexWide>(op)
        : Source<TSigns, TOrder, T, VexVector>(op);

    private static nint Source<TSigns, TOrder, T, TShape>(in Op op)
        where TSigns : struct, IFusedSigns
        where TOrder : struct, IFusedOrder
        where TShape : struct, IFloatShape
    {
        // SAFETY: function pointers to static methods of the handlers' signature, for Op.Handler.
        delegate*<ref CpuState, ref Op, Processor, void> handler = op.IsMemory
            ? &FusedHandlers.Run<TSigns, TOrder, T, TShape, MemoryAddress>
            : &FusedHandlers.Run<TSigns, TOrder, T, TShape, VectorRegisterAddress>;
        return (nint)handler;
    }
}
