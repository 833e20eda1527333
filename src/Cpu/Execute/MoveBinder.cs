using Hv.Cpu.Decode;
using Hv.Cpu.State;

namespace Hv.Cpu.Execute;

/// <summary>Chooses among <see cref="MoveHandlers"/>.</summary>
// SAFETY: only takes the addresses of static methods that have the handlers' signature.
internal static unsafe class MoveBinder
{
    // SAFETY: function pointers to static methods of the handlers' signature, for Op.Handler, throughout.
    internal static nint Bind(ref Op op, BindContext context)
    {
        delegate*<ref CpuState, ref Op, Processor, void> handler;
        switch (op.Kind)
        {
            case OpKind.Mov:
                return op.SizeLog2 switch
                {
                    0 => Mov<W8>(ref op, context),
                    1 => Mov<W16>(ref op, context),
                    2 =>
                Mov<W32>(ref op, context),
                    _ => Mov<W64>(ref op, context)
                };
            case OpKind.Movzx8: return Wider<W8, ZeroExtend>(op, context);
            case OpKind.Movzx16: return Wider<W16, ZeroExtend>(op, context);
            case OpKind.Movsx8: return Wider<W8, SignExtend>(op, context);
            case OpKind.Movsx16: return Wider<W16, SignExtend>(op, context);
            case OpKind.Movsxd: return op.SizeLog2 == 1 ? Wider<W16, SignExtend>(op, context) : Wider<W32, SignExtend>(op, context);
            case OpKind.Lea when op.SizeLog2 == 3 && (op.Form & OpForm.AddressMask) == OpForm.Address64: handler = &MoveHandlers.Lea64; break;
            case OpKind.Cmpxchg8b: handler = &MoveHandlers.CmpxchgPair<W32>; break;
            case OpKind.Cmpxchg16b: handler = &MoveHandlers.CmpxchgPair<W64>; break;
            case OpKind.Cbw:
                handler = op.SizeLog2 == 1 ? &MoveHandlers.Cbw<W16, W8> : op.SizeLog2 == 2 ? &MoveHandlers.Cbw<W32, W16>
                : &MoveHandlers.Cbw<W64, W32>; break;
            case OpKind.Xlat: handler = &MoveHandlers.Xlat; break;
            case OpKind.Rdpid: handler = &MoveHandlers.Rdpid; break;
            default: return op.SizeLog2 switch { 0 => Sized<W8>(op), 1 => Sized<W16>(op), 2 => Sized<W32>(op), _ => Sized<W64>(op) };
        }

        return (nint)handler;
    }

    private static nint Mov<TW>(ref Op op, BindContext context) where TW : struct, IWidth
    {
        delegate*<ref CpuState, ref Op, Processor, void> handler;
        if (op.IsMemory)
        {
            return context.AddressForm(op) switch
            {
                0 => MovMemory<TW, Flat64>(op),
                1 => MovMemory<TW, Flat32>(op),
                3 => MovMemory<TW, Flat64Base>(op),
                _ => MovMemory<TW, Segmented>(op),
            };
        }

        if (op.Shape == OpShape.RmReg)
            (op.Reg, op.Rm, op.Shape) = (op.Rm, op.Reg, OpShape.RegRm);
        handler = op.Shape == OpShape.RmImm ? &MoveHandlers.RegImm<TW> : &MoveHandlers.RegReg<TW, TW, ZeroExtend>;
        return (nint)handler;
    }

    private static nint MovMemory<TW, TA>(in Op op) where TW : struct, IWidth where TA : struct, IAddress
    {
        delegate*<ref CpuState, ref Op, Processor, void> handler = op.Shape switch
        {
            OpShape.RegRm => &MoveHandlers.Load<TW, TW, ZeroExtend, TA>,
            OpShape.RmImm => &MoveHandlers.Store<TW, TA, ImmSource>,
            _ => &MoveHandlers.Store<TW, TA, RegSource>,
        };
        return (nint)handler;
    }

    private static nint Wider<TSource, TExtend>(in Op op, BindContext context)
        where TSource : struct, IWidth where TExtend : struct, IExtend => op.SizeLog2 switch
        {
            1 => Wider<W16, TSource, TExtend>(op, context),
            2 => Wider<W32, TSource, TExtend>(op, context),
            _ => Wider<W64, TSource, TExtend>(op, context),
        };

    private static nint Wider<TW, TSource, TExtend>(in Op op, BindContext context)
        where TW : struct, IWidth where TSource : struct, IWidth where TExtend : struct, IExtend
    {
        delegate*<ref CpuState, ref Op, Processor, void> handler;
        if (!op.IsMemory)
        {
            handler = &MoveHandlers.RegReg<TW, TSource, TExtend>;
        }
        else
        {
            handler = context.AddressForm(op) switch
            {
                0 => &MoveHandlers.Load<TW, TSource, TExtend, Flat64>,
                1 => &MoveHandlers.Load<TW, TSource, TExtend, Flat32>,
                3 => &MoveHandlers.Load<TW, TSource, TExtend, Flat64Base>,
                _ => &MoveHandlers.Load<TW, TSource, TExtend, Segmented>,
            };
        }

        return (nint)handler;
    }

    private static nint Sized<TW>(in Op op) where TW : struct, IWidth
    {
        delegate*<ref CpuState, ref Op, Processor, void> handler = op.Kind switch
        {
            OpKind.MovFromMoffs => &MoveHandlers.FromMoffs<TW>,
            OpKind.MovToMoffs => &MoveHandlers.ToMoffs<TW>,
            OpKind.Movbe => op.Shape == OpShape.RegRm ? &MoveHandlers.MovbeLoad<TW> : &MoveHandlers.MovbeStore<TW>,
            OpKind.Bswap => &MoveHandlers.Bswap<TW>,
            OpKind.Lea => &MoveHandlers.Lea<TW>,
            OpKind.Xchg => &MoveHandlers.Xchg<TW>,
            OpKind.Xadd => &MoveHandlers.Xadd<TW>,
            OpKind.Cmpxchg => &MoveHandlers.Cmpxchg<TW>,
            OpKind.Cwd => &MoveHandlers.Cwd<TW>,
            OpKind.Rdrand or OpKind.Rdseed => &MoveHandlers.Random<TW>,
            _ => null,
        };
        return (nint)handler;
    }
}
