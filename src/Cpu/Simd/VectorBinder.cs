using Hv.Cpu.Decode;
using Hv.Cpu.Execute;
using Hv.Cpu.State;

namespace Hv.Cpu.Simd;

/// <summary>
/// Chooses the handlers of vector instructions. What decides whether they exist (CR0.EM, CR4.OSFXSR, CR4.OSXSAVE and XCR0, then CR0.TS: SDM 3A table
/// 2-2, SDM 2A tables 2-21 to 2-26) is part of the mode that a block is built for, so that no handler asks.
/// </summary>
// SAFETY: only takes the addresses of static methods that have the handlers' signature.
internal static unsafe class VectorBinder
{
    internal static nint Bind(ref Op op, BindContext context)
    {
        if (!Exists(op, context.Key))
            return Control.Undefined;
        if (context.Key.Has(ModeKey.TaskSwitched))
            return Control.NotAvailable;
        return op.Kind switch
        {
            <= OpKind.Pxor => LogicBinder.Bind(op),
            <= OpKind.Vfnmsub231sd => FloatBinder.Bind(op),
            <= OpKind.Vpgatherqq => VectorMoveBinder.Bind(ref op, context),
            <= OpKind.Vpsravd => IntegerBinder.Bind(op),
            <= OpKind.Sha256msg2 => ShuffleBinder.Bind(ref op, context),
            _ => 0,
        };
    }

    /// <summary>The handler for <paramref name="op"/>'s encoding of an operation on two vectors.</summary>
    internal static nint Binary<TOperation>(in Op op) where TOperation : struct, IVectorBinary<TOperation>
    {
        if ((op.Form & OpForm.Mmx) != 0)
            return VectorForms.BinaryMmx<TOperation, MemoryScalar<W64>>(op);
        // SAFETY: function pointers to static methods of the handlers' signature, for Op.Handler.
        delegate*<ref CpuState, ref Op, Processor, void> handler = (op.Form & (OpForm.Vex | OpForm.Ymm | OpForm.Memory)) switch
        {
            0 => &BinaryHandlers.SseRegister<TOperation>,
            OpForm.Memory => &BinaryHandlers.SseMemory<TOperation>,
            OpForm.Vex => &BinaryHandlers.XmmRegister<TOperation>,
            OpForm.Vex | OpForm.Memory => &BinaryHandlers.XmmMemory<TOperation>,
            OpForm.Vex | OpForm.Ymm => &BinaryHandlers.YmmRegister<TOperation>,
            _ => &BinaryHandlers.YmmMemory<TOperation>,
        };
        return (nint)handler;
    }

    private static bool Exists(in Op op, ModeKey key)
    {
        if ((op.Form & OpForm.Vex) != 0)
            return key.Has(ModeKey.Avx);
        return (op.Form & OpForm.Mmx) != 0 ? !key.Has(ModeKey.NoCoprocessor) : key.Has(ModeKey.Sse);
    }
}
