using Hv.Cpu.Decode;
using Hv.Cpu.Simd;
using Hv.Cpu.State;
using Hv.Cpu.System;
using Hv.Cpu.X87;

namespace Hv.Cpu.Execute;

/// <summary>What a binding depends on beside the operation.</summary>
/// <param name="Key">The mode.</param>
/// <param name="FlagsLive">Whether anything can see the flags that the operation computes.</param>
/// <param name="Limit">The last offset in CS that a branch may go to; all ones in 64-bit code.</param>
internal readonly record struct BindContext(ModeKey Key, bool FlagsLive, ulong Limit = ulong.MaxValue)
{
    /// <summary>The form of the operation's address: 0 <see cref="Flat64"/>, 1 <see cref="Flat32"/>, 2 <see cref="Segmented"/>, 3 <see
    /// cref="Flat64Base"/>.</summary>
    internal int AddressForm(in Op op)
    {
        OpForm size = op.Form & OpForm.AddressMask;
        if (Key.Is64)
            return op.Segment >= (byte)SegmentNumber.Fs ? 2 : size != OpForm.Address64 ? 1 : op.Index == CpuState.ZeroOffset ? 3 : 0;
        if (size != OpForm.Address32)
            return 2;
        return (SegmentNumber)op.Segment switch
        {
            SegmentNumber.Ds or SegmentNumber.Es when Key.Has(ModeKey.FlatData) => 1,
            SegmentNumber.Ss when Key.Has(ModeKey.FlatStack) => 1,
            _ => 2,
        };
    }

    /// <summary>The form of the stack: 0 <see cref="Stack64"/>, 1 <see cref="Stack32"/>, 2 <see cref="StackSegmented32"/>, 3 <see
    /// cref="Stack16"/>.</summary>
    internal int StackForm => Key.Is64 ? 0 : !Key.Has(ModeKey.Stack32) ? 3 : Key.Has(ModeKey.FlatStack) ? 1 : 2;
}

/// <summary>Chooses the handler of an operation. Groups of instructions have binders of their own, next to their handlers.</summary>
internal static class Binder
{
    internal static nint Bind(ref Op op, BindContext context)
    {
        nint handler = op.Kind switch
        {
            OpKind.Invalid => Control.Undefined,
            OpKind.FetchViolation => Control.FetchViolation,
            OpKind.X87Escape => X87Decoding.Bind(in op),
            <= OpKind.Emms => SystemHandlers.Bind(ref op),
            <= OpKind.Test => AluBinder.Bind(ref op, context),
            <= OpKind.Not => UnaryBinder.Bind(op, context),
            <= OpKind.Shrd => ShiftBinder.Bind(op, context),
            <= OpKind.Idiv => MultiplyBinder.Bind(ref op, context),
            <= OpKind.Shrx => BitBinder.Bind(op, context),
            <= OpKind.Rdpid => MoveBinder.Bind(ref op, context),
            <= OpKind.Leave => StackBinder.Bind(op, context),
            <= OpKind.Jg => BranchBinder.Bind(op, context),
            <= OpKind.Cmovg => ConditionalBinder.Bind(op, context),
            < OpKind.Andps => RestBinder.Bind(op, context),
            _ => VectorBinder.Bind(ref op, context),
        };
        return handler != 0 ? handler : Control.Undefined;
    }
}
