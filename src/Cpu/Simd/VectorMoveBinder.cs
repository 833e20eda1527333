using Hv.Cpu.Decode;
using Hv.Cpu.Execute;

namespace Hv.Cpu.Simd;

/// <summary>Chooses the handlers of moves.</summary>
internal static class VectorMoveBinder
{
    internal static nint Bind(ref Op op, BindContext context)
    {
        nint flat = FlatForms.Bind(op, context);
        if (flat != 0)
            return flat;
        bool store = op.Shape is OpShape.RmReg or OpShape.RmVexReg, wide = op.SizeLog2 == 3;
        return op.Kind switch
        {
            OpKind.Movaps => store ? MoveForms.Store<Aligned>(op) : VectorForms.Unary<Copy, Aligned, Aligned>(op),
            OpKind.Movups => store ? MoveForms.Store<Unaligned>(op) : VectorForms.Unary<Copy, Unaligned, Unaligned>(op),
            OpKind.Movq when (op.Form & OpForm.Mmx) != 0 => store ? MoveForms.Store<Unaligned>(op) : VectorForms.Unary<Copy>(op),
            OpKind.Movq => store ? MoveForms.StoreQuadword(op) : VectorForms.Widening<KeepLow, MemoryScalar<W64>, MemoryScalar<W64>>(op),
            OpKind.Movd when store => wide ? MoveForms.ToGeneral<W64>(op) : MoveForms.ToGeneral<W32>(op),
            OpKind.Movd => wide ? VectorForms.LoadScalar<W64>(op) : VectorForms.LoadScalar<W32>(op),
            OpKind.Movss when store => MoveForms.StoreScalar<uint, W32>(op),
            OpKind.Movss => op.IsMemory ? VectorForms.LoadScalar<W32>(op) : VectorForms.BinaryScalar<MergeLow<uint>, MergeLow<uint>, W32>(op),
            OpKind.Movsd when store => MoveForms.StoreScalar<ulong, W64>(op),
            OpKind.Movsd => op.IsMemory ? VectorForms.LoadScalar<W64>(op) : VectorForms.BinaryScalar<MergeLow<ulong>, MergeLow<ulong>, W64>(op),
            OpKind.Movlps when store => MoveForms.StoreLow<W64>(),
            OpKind.Movlps => VectorForms.BinaryScalar<MergeLow<ulong>, MergeLow<ulong>, W64>(op),
            OpKind.Movhps when store => MoveForms.StoreHigh(),
            OpKind.Movhps => VectorForms.BinaryScalar<UnpackLow<ulong>, UnpackLow<ulong>, W64>(op),
            OpKind.Movhlps => VectorForms.BinaryScalar<MoveHighToLow, MoveHighToLow, W64>(op),
            OpKind.Movddup when (op.Form & OpForm.Ymm) == 0 => VectorForms.Widening<DuplicateDoubles, MemoryScalar<W64>, MemoryScalar<W64>>(op),
            OpKind.Movddup => VectorForms.Unary<DuplicateDoubles>(op),
            OpKind.Movsldup => VectorForms.Unary<DuplicateEvenSingles>(op),
            OpKind.Movshdup => VectorForms.Unary<DuplicateOddSingles>(op),
            OpKind.Movq2dq => MoveForms.MmxToXmm,
            OpKind.Movdq2q => MoveForms.XmmToMmx,
            OpKind.Maskmov => MoveForms.MaskedBytes(ref op),
            OpKind.Vpmaskmovd => MoveForms.Masked<W32>(op),
            OpKind.Vpmaskmovq => MoveForms.Masked<W64>(op),
            OpKind.Movmskps => VectorForms.Signs<float>(op),
            OpKind.Movmskpd => VectorForms.Signs<double>(op),
            OpKind.Pmovmskb => VectorForms.Signs<byte>(op),
            OpKind.Vzeroupper or OpKind.Vzeroall => MoveForms.Zero(op.Kind == OpKind.Vzeroall, context.Key.Is64),
            OpKind.Vpgatherdd => MoveForms.Gather<GatherDd>(),
            OpKind.Vpgatherdq => MoveForms.Gather<GatherDq>(),
            OpKind.Vpgatherqd => MoveForms.Gather<GatherQd>(),
            OpKind.Vpgatherqq => MoveForms.Gather<GatherQq>(),
            _ => BindElement(op, wide),
        };
    }

    private static nint BindElement(in Op op, bool wide) => op.Kind switch
    {
        OpKind.Pinsrb => VectorForms.Insert<InsertElement<byte>, W8, W32>(op),
        OpKind.Pinsrw when (op.Form & OpForm.Mmx) != 0 => VectorForms.Insert<InsertWordMmx, W16, W32>(op),
        OpKind.Pinsrw => VectorForms.Insert<InsertElement<ushort>, W16, W32>(op),
        OpKind.Pinsrd => wide ? VectorForms.Insert<InsertElement<ulong>, W64, W64>(op) : VectorForms.Insert<InsertElement<uint>, W32, W32>(op),
        OpKind.Pextrb => MoveForms.Extract<W8, W32>(op),
        OpKind.Pextrw => op.Shape == OpShape.RegRmImm ? MoveForms.ExtractWord(op) : MoveForms.Extract<W16, W32>(op),
        OpKind.Pextrd => wide ? MoveForms.Extract<W64, W64>(op) : MoveForms.Extract<W32, W32>(op),
        OpKind.Extractps => MoveForms.Extract<W32, W32>(op),
        OpKind.Insertps => VectorForms.InsertSingle(op),
        _ => 0,
    };
}
