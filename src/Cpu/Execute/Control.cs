using System.Runtime.CompilerServices;
using Hv.Cpu.Decode;
using Hv.Cpu.State;

namespace Hv.Cpu.Execute;

/// <summary>Handlers that the machinery of blocks needs itself.</summary>
// SAFETY: takes the addresses of static methods that have the handlers' signature; the running block outlives its handlers.
internal static unsafe class Control
{
    // SAFETY: function pointers to static methods of the handlers' signature, for Op.Handler.
    private static readonly delegate*<ref CpuState, ref Op, Processor, void> s_blockEnd = &BlockEndHandler, s_leaveHere = &LeaveHereHandler,
        s_undefined = &UndefinedHandler, s_notAvailable = &NotAvailableHandler,
        s_violation = &FetchViolationHandler, s_badTarget = &BranchHandlers.BadTarget;

    /// <summary>Falls through to the next block.</summary>
    internal static nint BlockEnd => (nint)s_blockEnd;

    /// <summary>Leaves the block before this operation: what the operations of a dead block are bound to.</summary>
    internal static nint LeaveHere => (nint)s_leaveHere;

    /// <summary>#UD.</summary>
    internal static nint Undefined => (nint)s_undefined;

    /// <summary>#NM.</summary>
    internal static nint NotAvailable => (nint)s_notAvailable;

    /// <summary>A direct branch whose target may not be executed.</summary>
    internal static nint BadTarget => (nint)s_badTarget;

    /// <summary>#GP(0) by the fetch.</summary>
    internal static nint FetchViolation => (nint)s_violation;

    [MethodImpl(Threading.Handler)]
    private static void BlockEndHandler(ref CpuState s, ref Op op, Processor p) => Threading.Follow(ref s, ref op, p, 0);

    [MethodImpl(Threading.Handler)]
    private static void LeaveHereHandler(ref CpuState s, ref Op op, Processor p)
    {
        s.Gpr.Rip = s.BlockRip + op.RipDelta;
        s.Remaining += Threading.Left(ref s, ref op);
    }

    [MethodImpl(Threading.Handler)]
    private static void UndefinedHandler(ref CpuState s, ref Op op, Processor p) => p.Raise(ref s, ref op, ExceptionVector.InvalidOpcode);

    [MethodImpl(Threading.Handler)]
    private static void NotAvailableHandler(ref CpuState s, ref Op op, Processor p) => p.Raise(ref s, ref op, ExceptionVector.DeviceNotAvailable);

    [MethodImpl(Threading.Handler)]
    private static void FetchViolationHandler(ref CpuState s, ref Op op, Processor p) => p.Raise(ref s, ref op, ExceptionVector.GeneralProtection, 0);
}
