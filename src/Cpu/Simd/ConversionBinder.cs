using Hv.Cpu.Decode;
using Hv.Cpu.State;

namespace Hv.Cpu.Simd;

/// <summary>Chooses among <see cref="ConversionHandlers"/>.</summary>
// SAFETY: only takes the addresses of static methods that have the handlers' signature.
internal static unsafe class ConversionBinder
{
    internal static nint Bind(in Op op) => op.Kind switch
    {
        OpKind.Cvtdq2pd => Vector<Int32ToDouble>(op),
        OpKind.Cvtdq2ps => Vector<Int32ToSingle>(op),
        OpKind.Cvtpd2dq => Vector<DoubleToInt32<Rounding>>(op),
        OpKind.Cvtpd2ps => Vector<DoubleToSingle>(op),
        OpKind.Cvtps2dq => Vector<SingleToInt32<Rounding>>(op),
        OpKind.Cvtps2pd => Vector<SingleToDouble>(op),
        OpKind.Cvttpd2dq => Vector<DoubleToInt32<Truncating>>(op),
        OpKind.Cvttps2dq => Vector<SingleToInt32<Truncating>>(op),
        OpKind.Vcvtph2ps => HalfLoad(op),
        OpKind.Vcvtps2ph => HalfStore(op),
        OpKind.Cvtpi2pd => FromMmx<Int32ToDouble>(),
        OpKind.Cvtpi2ps => FromMmx<Int32ToSingle>(),
        OpKind.Cvtpd2pi => ToMmx<DoubleToInt32<Rounding>>(op),
        OpKind.Cvttpd2pi => ToMmx<DoubleToInt32<Truncating>>(op),
        OpKind.Cvtps2pi => ToMmx<SingleToInt32<Rounding>>(op),
        OpKind.Cvttps2pi => ToMmx<SingleToInt32<Truncating>>(op),
        OpKind.Cvtsd2ss => Scalar<DoubleToSingle, float, VectorRegisterAddress>(op),
        OpKind.Cvtss2sd => Scalar<SingleToDouble, double, VectorRegisterAddress>(op),
        OpKind.Cvtsi2sd when IsQuadword(op) => Scalar<Int64ToDouble, double, GeneralRegisterAddress>(op),
        OpKind.Cvtsi2sd => Scalar<Int32ToDouble, double, GeneralRegisterAddress>(op),
        OpKind.Cvtsi2ss when IsQuadword(op) => Scalar<Int64ToSingle, float, GeneralRegisterAddress>(op),
        OpKind.Cvtsi2ss => Scalar<Int32ToSingle, float, GeneralRegisterAddress>(op),
        OpKind.Cvtsd2si when IsQuadword(op) => General<DoubleToInt64<Rounding>>(op),
        OpKind.Cvtsd2si => General<DoubleToInt32<Rounding>>(op),
        OpKind.Cvttsd2si when IsQuadword(op) => General<DoubleToInt64<Truncating>>(op),
        OpKind.Cvttsd2si => General<DoubleToInt32<Truncating>>(op),
        OpKind.Cvtss2si when IsQuadword(op) => General<SingleToInt64<Rounding>>(op),
        OpKind.Cvtss2si => General<SingleToInt32<Rounding>>(op),
        OpKind.Cvttss2si when IsQuadword(op) => General<SingleToInt64<Truncating>>(op),
        OpKind.Cvttss2si => General<SingleToInt32<Truncating>>(op),
        _ => 0,
    };

    private static bool IsQuadword(in Op op) => op.SizeLog2 == 3;

    private static nint Vector<TLane>(in Op op) where TLane : struct, ILaneConversion => (op.Form & (OpForm.Vex | OpForm.Ymm)) switch
    {
        0 => VectorSource<TLane, SseVector>(op),
        OpForm.Vex => VectorSource<TLane, VexVector>(op),
        _ => VectorSource<TLane, VexWide>(op),
    };

    private static nint VectorSource<TLane, TShape>(in Op op) where TLane : struct, ILaneConversion where TShape : struct, IFloatShape
    {
        // SAFETY: function pointers to static methods of the handlers' signature, for Op.Handler.
        delegate*<ref CpuState, ref Op, Processor, void> handler = op.IsMemory
            ? &ConversionHandlers.Vector<TLane, TShape, MemoryAddress>
            : &ConversionHandlers.Vector<TLane, TShape, VectorRegisterAddress>;
        return (nint)handler;
    }

    private static nint Scalar<TLane, T, TRegister>(in Op op) where TLane : struct, ILaneConversion where TRegister : struct, IOperandAddress
    {
        // SAFETY: function pointers to static methods of the handlers' signature, for Op.Handler.
        delegate*<ref CpuState, ref Op, Processor, void> handler = (op.Form & (OpForm.Vex | OpForm.Memory)) switch
        {
            0 => &ConversionHandlers.Scalar<TLane, T, SseScalar, TRegister>,
            OpForm.Memory => &ConversionHandlers.Scalar<TLane, T, SseScalar, MemoryAddress>,
            OpForm.Vex => &ConversionHandlers.Scalar<TLane, T, VexScalar, TRegister>,
            _ => &ConversionHandlers.Scalar<TLane, T, VexScalar, MemoryAddress>,
        };
        return (nint)handler;
    }

    private static nint General<TLane>(in Op op) where TLane : struct, ILaneConversion
    {
        // SAFETY: function pointers to static methods of the handlers' signature, for Op.Handler.
        delegate*<ref CpuState, ref Op, Processor, void> handler = op.IsMemory
            ? &ConversionHandlers.General<TLane, MemoryAddress>
            : &ConversionHandlers.General<TLane, VectorRegisterAddress>;
        return (nint)handler;
    }

    private static nint FromMmx<TLane>() where TLane : struct, ILaneConversion
    {
        // SAFETY: a function pointer to a static method of the handlers' signature, for Op.Handler.
        delegate*<ref CpuState, ref Op, Processor, void> handler = &MmxConversions.FromMmx<TLane>;
        return (nint)handler;
    }

    private static nint ToMmx<TLane>(in Op op) where TLane : struct, ILaneConversion
    {
        // SAFETY: function pointers to static methods of the handlers' signature, for Op.Handler.
        delegate*<ref CpuState, ref Op, Processor, void> handler = op.IsMemory
            ? &MmxConversions.ToMmx<TLane, MemoryAddress>
            : &MmxConversions.ToMmx<TLane, VectorRegisterAddress>;
        return (nint)handler;
    }

    private static nint HalfLoad(in Op op)
    {
        // SAFETY: function pointers to static methods of the handlers' signature, for Op.Handler.
        delegate*<ref CpuState, ref Op, Processor, void> handler = (op.Form & (OpForm.Ymm | OpForm.Memory)) switch
        {
            0 => &ConversionHandlers.Vector<HalfToSingle, VexVector, VectorRegisterAddress>,
            OpForm.Memory => &ConversionHandlers.Vector<HalfToSingle, VexVector, WholeMemoryAddress>,
            OpForm.Ymm => &ConversionHandlers.Vector<HalfToSingle, VexWide, VectorRegisterAddress>,
            _ => &ConversionHandlers.Vector<HalfToSingle, VexWide, WholeMemoryAddress>,
        };
        return (nint)handler;
    }

    private static nint HalfStore(in Op op)
    {
        // SAFETY: function pointers to static methods of the handlers' signature, for Op.Handler.
        delegate*<ref CpuState, ref Op, Processor, void> handler =
            (op.Form & OpForm.Ymm) != 0 ? &HalfStores.Run<VexWide> : &HalfStores.Run<VexVector>;
        return (nint)handler;
    }
}
