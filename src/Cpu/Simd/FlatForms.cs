using Hv.Cpu.Decode;
using Hv.Cpu.Execute;
using Hv.Cpu.State;

namespace Hv.Cpu.Simd;

/// <summary>The handlers of <see cref="FlatMoves"/>.</summary>
// SAFETY: only takes the addresses of static methods that have the handlers' signature.
internal static unsafe class FlatForms
{
    /// <summary>The handler of a move between memory and XMM or YMM registers whose address is flat; 0 when there is none.</summary>
    internal static nint Bind(in Op op, BindContext context)
    {
        if (!op.IsMemory || (op.Form & OpForm.Mmx) != 0)
            return 0;
        return context.AddressForm(op) switch { 0 => Bind<Flat64>(op), 3 => Bind<Flat64Base>(op), _ => 0 };
    }

    private static nint Bind<TA>(in Op op) where TA : struct, IAddress
    {
        bool store = op.Shape == OpShape.RmReg;
        return op.Kind switch
        {
            OpKind.Movaps => store ? Store<Aligned, TA>(op) : Load<Aligned, TA>(op),
            OpKind.Movups => store ? Store<Unaligned, TA>(op) : Load<Unaligned, TA>(op),
            OpKind.Movd when op.SizeLog2 == 2 => store ? Store<W32, LowPart, TA>() : LoadScalar<W32, TA>(op),
            OpKind.Movd or OpKind.Movq or OpKind.Movsd => store ? Store<W64, LowPart, TA>() : LoadScalar<W64, TA>(op),
            OpKind.Movss => store ? Store<W32, LowPart, TA>() : LoadScalar<W32, TA>(op),
            OpKind.Movlps when store => Store<W64, LowPart, TA>(),
            OpKind.Movhps when store => Store<W64, HighPart, TA>(),
            _ => 0,
        };
    }

    private static nint Load<TAlignment, TA>(in Op op) where TAlignment : struct, IAlignment where TA : struct, IAddress =>
        (op.Form & (OpForm.Vex | OpForm.Ymm)) switch
        {
            0 => H(&FlatMoves.Load128<Sse, TAlignment, TA>),
            OpForm.Vex => H(&FlatMoves.Load128<Vex128, TAlignment, TA>),
            _ => H(&FlatMoves.Load256<TAlignment, TA>),
        };

    private static nint LoadScalar<TW, TA>(in Op op) where TW : struct, IWidth where TA : struct, IAddress =>
        (op.Form & OpForm.Vex) != 0 ? H(&FlatMoves.LoadScalar<TW, Vex128, TA>) : H(&FlatMoves.LoadScalar<TW, Sse, TA>);

    private static nint Store<TAlignment, TA>(in Op op) where TAlignment : struct, IAlignment where TA : struct, IAddress =>
        (op.Form & OpForm.Ymm) != 0 ? H(&FlatMoves.Store256<TAlignment, TA>) : H(&FlatMoves.Store128<TAlignment, TA>);

    private static nint Store<TW, TPart, TA>() where TW : struct, IWidth where TPart : struct, IVectorPart where TA : struct, IAddress =>
        H(&FlatMoves.StoreScalar<TW, TPart, TA>);

    private static nint H(delegate*<ref CpuState, ref Op, Processor, void> handler) => (nint)handler;
}
