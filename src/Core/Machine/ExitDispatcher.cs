using System.Runtime.CompilerServices;
using Hv.Core.Cpuid;
using Hv.Core.Devices;
using Hv.Core.Exits;
using Hv.Core.Hypercalls;
using Hv.Core.Msr;
using Hv.Core.Registers;

namespace Hv.Core.Machine;

/// <summary>Answers one exit: frozen tables, no allocation.</summary>
[SkipLocalsInit]
internal sealed class ExitDispatcher(
    IBackend backend, HypercallTable hypercalls, MsrDispatcher msrs, PortDispatcher ports, MemoryDispatcher memory, CpuidTable cpuid,
    bool allowUserHypercalls)
{
    /// <summary>Answers <paramref name="exit"/>. Inlined where it is called, as is what it calls for the exits of every day: each call on the way is a
    /// tenth of such an exit.</summary>
    /// <returns>Whether the vCPU goes on with its slice.</returns>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public bool Dispatch(VirtualCpu vcpu, in VmExit exit, RunSession session)
    {
        IVcpu processor = vcpu.Processor;
        ExitCompletion completion;
        switch (exit.Reason)
        {
            case ExitReason.Hypercall:
                HypercallArguments arguments =
                    HypercallArguments.From(in processor.RegistersButFlags, (exit.Mode & GuestMode.LongModeActive) != 0);
                HypercallOutcome outcome = Invoke(vcpu, exit.Cpl, in arguments);
                if (outcome.Kind != HypercallOutcomeKind.Return)
                    return Divert(vcpu, in exit, in arguments, outcome, session);
                completion = ExitCompletion.RetireWith(arguments.Fit(outcome.Value));
                break;
            case ExitReason.PortIo:
                completion = ports.Dispatch(vcpu, exit.PortIo);
                break;
            case ExitReason.MsrRead:
                completion = msrs.Read(vcpu, exit.Msr.Index);
                break;
            case ExitReason.MsrWrite:
                completion = msrs.Write(vcpu, exit.Msr.Index, exit.Msr.Value);
                break;
            case ExitReason.Cpuid:
                Cpuid(processor, vcpu.Index, exit.Cpuid);
                completion = ExitCompletion.Retire;
                break;
            case ExitReason.MemoryAccess:
                completion = memory.Dispatch(vcpu, exit.Memory);
                break;
            default:
                return DispatchRare(vcpu, in exit, session);
        }

        // The one place where they end, so that the compiler inlines the backend's part once.
        processor.Complete(completion);
        return true;
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private bool DispatchRare(VirtualCpu vcpu, in VmExit exit, RunSession session)
    {
        IVcpu processor = vcpu.Processor;
        switch (exit.Reason)
        {
            case ExitReason.Exception:
                // Interception is for observers: the guest gets its exception.
                ExceptionExit e = exit.Exception;
                processor.Complete(ExitCompletion.Fault(e.Vector, e.HasErrorCode, e.ErrorCode, e.Address));
                return true;
            case ExitReason.InterruptWindow:
                vcpu.DeliverInterrupt();
                return true;
            case ExitReason.Cancelled:
                // A kick meant for a run that is over already, or for this one, which the caller sees.
                return true;
            case ExitReason.BudgetExpired:
                return false;
            case ExitReason.Halt:
                vcpu.Activity = VcpuActivity.Halted;
                return false;
            case ExitReason.Shutdown:
                vcpu.Activity = VcpuActivity.Shutdown;
                Stop(session, StopReason.GuestShutdown, vcpu, in exit, null);
                return false;
            case ExitReason.EntryFailed:
                Stop(session, StopReason.EntryFailed, vcpu, in exit, processor.LastFailure);
                return false;
            case ExitReason.InternalError:
                Stop(session, StopReason.InternalError, vcpu, in exit, processor.LastFailure);
                return false;
            default:
                Stop(session, StopReason.UnhandledExit, vcpu, in exit, backend.Describe(exit.Raw));
                return false;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private HypercallOutcome Invoke(VirtualCpu vcpu, byte cpl, in HypercallArguments arguments) =>
        (cpl == 0 || allowUserHypercalls) && hypercalls.Find(arguments.Number) is { } handler
            ? handler.Invoke(vcpu, in arguments)
            : HypercallOutcome.Invalid;

    /// <summary>The outcomes of a hypercall that do not return to the guest at once. Apart from <see cref="Dispatch"/>, whose every call would otherwise
    /// clear the stack space of the stop's description.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    private static bool Divert(VirtualCpu vcpu, in VmExit exit, in HypercallArguments arguments, HypercallOutcome outcome, RunSession session)
    {
        IVcpu processor = vcpu.Processor;
        switch (outcome.Kind)
        {
            case HypercallOutcomeKind.ExitToUser:
                processor.Complete(ExitCompletion.Retire);
                vcpu.Suspend(in arguments);
                Stop(session, StopReason.UserExit, vcpu, in exit, null);
                return false;
            case HypercallOutcomeKind.StopGuest:
                processor.Complete(ExitCompletion.RetireWith(0));
                session.Stop(new StopInfo { Reason = StopReason.Exited, VcpuIndex = vcpu.Index, ExitCode = (int)outcome.Value, Exit = exit });
                return false;
            default:
                processor.Complete(outcome.ToFault());
                return true;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void Cpuid(IVcpu processor, int index, CpuidExit query)
    {
        if (CpuidTable.FollowsVcpu(query.Leaf))
            PutOfVcpu(processor, index, query);
        else
            Put(processor, in cpuid.Find(query.Leaf, query.Subleaf));
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private void PutOfVcpu(IVcpu processor, int index, CpuidExit query) =>
        Put(processor, cpuid.Query(query.Leaf, query.Subleaf, index, processor.Cr4, processor.Xcr0));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Put(IVcpu processor, in CpuidResult result)
    {
        ref GeneralRegisters registers = ref processor.RegistersButFlags;
        registers.Rax = result.Eax;
        registers.Rbx = result.Ebx;
        registers.Rcx = result.Ecx;
        registers.Rdx = result.Edx;
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void Stop(RunSession session, StopReason reason, VirtualCpu vcpu, in VmExit exit, string? message) =>
        session.Stop(new StopInfo { Reason = reason, VcpuIndex = vcpu.Index, Message = message, Exit = exit });
}
