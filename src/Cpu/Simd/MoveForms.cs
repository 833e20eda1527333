using Hv.Cpu.Decode;
using Hv.Cpu.Execute;
using Hv.Cpu.State;

namespace Hv.Cpu.Simd;

/// <summary>The handlers of moves whose destination is memory, a general register or the register in ModRM.rm, and of moves under a mask.</summary>
// SAFETY: only takes the addresses of static methods that have the handlers' signature.
internal static unsafe class MoveForms
{
    /// <summary>The store encoding of a move of a whole vector.</summary>
    internal static nint Store<TAlignment>(in Op op) where TAlignment : struct, IAlignment =>
        (op.Form & (OpForm.Mmx | OpForm.Vex | OpForm.Ymm | OpForm.Memory)) switch
        {
            OpForm.Mmx => H(&VectorStores.Register<Mmx>),
            OpForm.Mmx | OpForm.Memory => H(&VectorStores.PartToMemory<W64, MmxPart>),
            0 => H(&VectorStores.Register<Sse>),
            OpForm.Vex => H(&VectorStores.Register<Vex128>),
            OpForm.Memory or OpForm.Vex | OpForm.Memory => H(&VectorStores.Memory128<TAlignment>),
            OpForm.Vex | OpForm.Ymm => H(&VectorStores.YmmRegister),
            _ => H(&VectorStores.Memory256<TAlignment>),
        };

    /// <summary>MOVQ's store encoding.</summary>
    internal static nint StoreQuadword(in Op op) => (op.Form & (OpForm.Vex | OpForm.Memory)) switch
    {
        0 => H(&VectorStores.QuadwordToRegister<Sse>),
        OpForm.Vex => H(&VectorStores.QuadwordToRegister<Vex128>),
        _ => StoreLow<W64>(),
    };

    /// <summary>The store encoding of MOVSS or MOVSD, whose element is T.</summary>
    internal static nint StoreScalar<T, TW>(in Op op) where TW : struct, IWidth => (op.Form & (OpForm.Vex | OpForm.Memory)) switch
    {
        0 => H(&VectorStores.MergeToRegister<T, Sse>),
        OpForm.Vex => H(&VectorStores.MergeToRegister<T, Vex128>),
        _ => StoreLow<TW>(),
    };

    /// <summary>The low bits of an XMM register to memory.</summary>
    internal static nint StoreLow<TW>() where TW : struct, IWidth => H(&VectorStores.PartToMemory<TW, LowPart>);

    /// <summary>The high quadword of an XMM register to memory.</summary>
    internal static nint StoreHigh() => H(&VectorStores.PartToMemory<W64, HighPart>);

    /// <summary>MOVD's and MOVQ's moves to memory or a general register.</summary>
    internal static nint ToGeneral<TW>(in Op op) where TW : struct, IWidth => (op.Form & (OpForm.Mmx | OpForm.Memory)) switch
    {
        OpForm.Mmx => H(&VectorStores.PartToGeneral<TW, MmxPart>),
        OpForm.Mmx | OpForm.Memory => H(&VectorStores.PartToMemory<TW, MmxPart>),
        OpForm.Memory => StoreLow<TW>(),
        _ => H(&VectorStores.PartToGeneral<TW, LowPart>),
    };

    /// <summary>An element of TW to memory, or zero-extended to <typeparamref name="TGeneral"/>'s general register.</summary>
    internal static nint Extract<TW, TGeneral>(in Op op) where TW : struct, IWidth where TGeneral : struct, IWidth =>
        op.IsMemory ? H(&VectorStores.PartToMemory<TW, ElementPart<TW>>) : H(&VectorStores.PartToGeneral<TGeneral, ElementPart<TW>>);

    /// <summary>PEXTRW with the general register in ModRM.reg.</summary>
    internal static nint ExtractWord(in Op op) =>
        (op.Form & OpForm.Mmx) != 0 ? H(&ElementSigns.ExtractWord<Mmx>) : H(&ElementSigns.ExtractWord<Sse>);

    /// <summary>VEXTRACTF128.</summary>
    internal static nint ExtractHalf(in Op op) => op.IsMemory ? H(&VectorStores.HalfToMemory) : H(&VectorStores.HalfToRegister);

    internal static nint MmxToXmm => H(&MmxTransfers.ToXmm);

    internal static nint XmmToMmx => H(&MmxTransfers.ToMmx);

    /// <summary>VPMASKMOV, as a load or as a store.</summary>
    internal static nint Masked<TW>(in Op op) where TW : struct, IWidth =>
        op.Shape == OpShape.RmVexReg ? H(&MaskedMoves.Store<TW>) : H(&MaskedMoves.Load<TW>);

    /// <summary>MASKMOVDQU and MASKMOVQ: DS:RDI, which the instruction does not name, becomes the memory operand.</summary>
    internal static nint MaskedBytes(ref Op op)
    {
        op.Base = Registers.Rdi;
        return (op.Form & OpForm.Mmx) != 0 ? H(&MaskedMoves.StoreBytesMmx) : H(&MaskedMoves.StoreBytes);
    }

    internal static nint Gather<TShape>() where TShape : struct, IGatherShape => H(&Gathers.Gather<TShape>);

    /// <summary>VZEROUPPER and VZEROALL.</summary>
    internal static nint Zero(bool all, bool is64)
    {
        if (all)
            return is64 ? H(&ZeroUpper.All<Sixteen>) : H(&ZeroUpper.All<Eight>);
        return is64 ? H(&ZeroUpper.Upper<Sixteen>) : H(&ZeroUpper.Upper<Eight>);
    }

    private static nint H(delegate*<ref CpuState, ref Op, Processor, void> handler) => (nint)handler;
}
