using Hv.Cpu.Decode;
using Hv.Cpu.Execute;

namespace Hv.Cpu.Simd;

/// <summary>Chooses the handlers of arithmetic on vectors of integers.</summary>
internal static class IntegerBinder
{
    internal static nint Bind(in Op op) => op.Kind switch
    {
        OpKind.Paddb => VectorBinder.Binary<Add<byte>>(op),
        OpKind.Paddw => VectorBinder.Binary<Add<ushort>>(op),
        OpKind.Paddd => VectorBinder.Binary<Add<uint>>(op),
        OpKind.Paddq => VectorBinder.Binary<Add<ulong>>(op),
        OpKind.Paddsb => VectorBinder.Binary<AddSaturating<sbyte>>(op),
        OpKind.Paddsw => VectorBinder.Binary<AddSaturating<short>>(op),
        OpKind.Paddusb => VectorBinder.Binary<AddSaturating<byte>>(op),
        OpKind.Paddusw => VectorBinder.Binary<AddSaturating<ushort>>(op),
        OpKind.Psubb => VectorBinder.Binary<Subtract<byte>>(op),
        OpKind.Psubw => VectorBinder.Binary<Subtract<ushort>>(op),
        OpKind.Psubd => VectorBinder.Binary<Subtract<uint>>(op),
        OpKind.Psubq => VectorBinder.Binary<Subtract<ulong>>(op),
        OpKind.Psubsb => VectorBinder.Binary<SubtractSaturating<sbyte>>(op),
        OpKind.Psubsw => VectorBinder.Binary<SubtractSaturating<short>>(op),
        OpKind.Psubusb => VectorBinder.Binary<SubtractSaturating<byte>>(op),
        OpKind.Psubusw => VectorBinder.Binary<SubtractSaturating<ushort>>(op),
        OpKind.Pminsb => VectorBinder.Binary<Minimum<sbyte>>(op),
        OpKind.Pminsw => VectorBinder.Binary<Minimum<short>>(op),
        OpKind.Pminsd => VectorBinder.Binary<Minimum<int>>(op),
        OpKind.Pminub => VectorBinder.Binary<Minimum<byte>>(op),
        OpKind.Pminuw => VectorBinder.Binary<Minimum<ushort>>(op),
        OpKind.Pminud => VectorBinder.Binary<Minimum<uint>>(op),
        OpKind.Pmaxsb => VectorBinder.Binary<Maximum<sbyte>>(op),
        OpKind.Pmaxsw => VectorBinder.Binary<Maximum<short>>(op),
        OpKind.Pmaxsd => VectorBinder.Binary<Maximum<int>>(op),
        OpKind.Pmaxub => VectorBinder.Binary<Maximum<byte>>(op),
        OpKind.Pmaxuw => VectorBinder.Binary<Maximum<ushort>>(op),
        OpKind.Pmaxud => VectorBinder.Binary<Maximum<uint>>(op),
        OpKind.Pavgb => VectorBinder.Binary<AverageBytes>(op),
        OpKind.Pavgw => VectorBinder.Binary<AverageWords>(op),
        OpKind.Pabsb => VectorForms.Unary<Absolute<sbyte>>(op),
        OpKind.Pabsw => VectorForms.Unary<Absolute<short>>(op),
        OpKind.Pabsd => VectorForms.Unary<Absolute<int>>(op),
        OpKind.Psignb => VectorBinder.Binary<Sign<sbyte>>(op),
        OpKind.Psignw => VectorBinder.Binary<Sign<short>>(op),
        OpKind.Psignd => VectorBinder.Binary<Sign<int>>(op),
        OpKind.Pcmpeqb => VectorBinder.Binary<Equal<byte>>(op),
        OpKind.Pcmpeqw => VectorBinder.Binary<Equal<ushort>>(op),
        OpKind.Pcmpeqd => VectorBinder.Binary<Equal<uint>>(op),
        OpKind.Pcmpeqq => VectorBinder.Binary<Equal<ulong>>(op),
        OpKind.Pcmpgtb => VectorBinder.Binary<Greater<sbyte>>(op),
        OpKind.Pcmpgtw => VectorBinder.Binary<Greater<short>>(op),
        OpKind.Pcmpgtd => VectorBinder.Binary<Greater<int>>(op),
        OpKind.Pcmpgtq => VectorBinder.Binary<Greater<long>>(op),
        OpKind.Ptest => VectorForms.Test<AllBits>(op),
        OpKind.Vtestps => VectorForms.Test<SingleSigns>(op),
        OpKind.Vtestpd => VectorForms.Test<DoubleSigns>(op),
        OpKind.Pcmpestri or OpKind.Pcmpestrm or OpKind.Pcmpistri or OpKind.Pcmpistrm => VectorForms.Strings(op),
        <= OpKind.Packusdw => BindProducts(op),
        _ => BindShifts(op),
    };

    private static nint BindProducts(in Op op)
    {
        bool mmx = (op.Form & OpForm.Mmx) != 0;
        return op.Kind switch
        {
            OpKind.Pmullw => VectorBinder.Binary<MultiplyLow<short>>(op),
            OpKind.Pmulld => VectorBinder.Binary<MultiplyLow<int>>(op),
            OpKind.Pmulhw => VectorBinder.Binary<MultiplyHigh>(op),
            OpKind.Pmulhuw => VectorBinder.Binary<MultiplyHighUnsigned>(op),
            OpKind.Pmulhrsw => VectorBinder.Binary<MultiplyHighRounded>(op),
            OpKind.Pmuldq => VectorBinder.Binary<MultiplyEven>(op),
            OpKind.Pmuludq => VectorBinder.Binary<MultiplyEvenUnsigned>(op),
            OpKind.Pmaddwd => VectorBinder.Binary<MultiplyAddWords>(op),
            OpKind.Pmaddubsw => VectorBinder.Binary<MultiplyAddBytes>(op),
            OpKind.Psadbw => VectorBinder.Binary<SumDifferences>(op),
            OpKind.Mpsadbw => VectorForms.BinaryImmediate<MultipleSumDifferences>(op),
            OpKind.Phminposuw => VectorForms.Unary<MinimumPosition>(op),
            OpKind.Phaddw => mmx ? Joined<HorizontalAddWords>(op) : VectorBinder.Binary<HorizontalAddWords>(op),
            OpKind.Phaddd => mmx ? Joined<HorizontalAddDoublewords>(op) : VectorBinder.Binary<HorizontalAddDoublewords>(op),
            OpKind.Phaddsw => mmx ? Joined<HorizontalAddSaturating>(op) : VectorBinder.Binary<HorizontalAddSaturating>(op),
            OpKind.Phsubw => mmx ? Joined<HorizontalSubtractWords>(op) : VectorBinder.Binary<HorizontalSubtractWords>(op),
            OpKind.Phsubd => mmx ? Joined<HorizontalSubtractDoublewords>(op) : VectorBinder.Binary<HorizontalSubtractDoublewords>(op),
            OpKind.Phsubsw => mmx ? Joined<HorizontalSubtractSaturating>(op) : VectorBinder.Binary<HorizontalSubtractSaturating>(op),
            OpKind.Packsswb => mmx ? Joined<PackSignedWords>(op) : VectorBinder.Binary<PackSignedWords>(op),
            OpKind.Packuswb => mmx ? Joined<PackUnsignedWords>(op) : VectorBinder.Binary<PackUnsignedWords>(op),
            OpKind.Packssdw => mmx ? Joined<PackSignedDoublewords>(op) : VectorBinder.Binary<PackSignedDoublewords>(op),
            OpKind.Packusdw => VectorBinder.Binary<PackUnsignedDoublewords>(op),
            _ => 0,
        };
    }

    private static nint Joined<TOp>(in Op op) where TOp : struct, IVectorBinary<TOp> => VectorForms.BinaryMmx<Joined<TOp>, MemoryScalar<W64>>(op);

    private static nint BindShifts(in Op op) => op.Kind switch
    {
        OpKind.Psllw => Shift<ShiftLeft<ushort>>(op),
        OpKind.Pslld => Shift<ShiftLeft<uint>>(op),
        OpKind.Psllq => Shift<ShiftLeft<ulong>>(op),
        OpKind.Psrlw => Shift<ShiftRight<ushort>>(op),
        OpKind.Psrld => Shift<ShiftRight<uint>>(op),
        OpKind.Psrlq => Shift<ShiftRight<ulong>>(op),
        OpKind.Psraw => Shift<ShiftRightArithmetic<short>>(op),
        OpKind.Psrad => Shift<ShiftRightArithmetic<int>>(op),
        OpKind.Pslldq => VectorForms.GroupImmediate<ShiftBytesLeft>(op),
        OpKind.Psrldq => VectorForms.GroupImmediate<ShiftBytesRight>(op),
        OpKind.Vpsllvd => VectorBinder.Binary<ShiftLeftEach<uint>>(op),
        OpKind.Vpsllvq => VectorBinder.Binary<ShiftLeftEach<ulong>>(op),
        OpKind.Vpsrlvd => VectorBinder.Binary<ShiftRightEach<uint>>(op),
        OpKind.Vpsrlvq => VectorBinder.Binary<ShiftRightEach<ulong>>(op),
        OpKind.Vpsravd => VectorBinder.Binary<ShiftRightArithmeticEach>(op),
        _ => 0,
    };

    /// <summary>By an immediate, or by the low quadword of an operand of 128 bits (64 in MMX).</summary>
    private static nint Shift<TShift>(in Op op) where TShift : struct, IElementShift =>
        op.Shape is OpShape.RmImm or OpShape.VexRm ? VectorForms.GroupImmediate<ByImmediate<TShift>>(op)
            : VectorForms.BinaryNarrow<ByVector<TShift>>(op);
}
