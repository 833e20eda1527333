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
    /// <summary>Answers <paramref name="exit"/>.</summary>
    /// <returns>Whether the vCPU goes on with its slice.</returns>
    public bool Dispatch(VirtualCpu vcpu, in VmExit exit, RunSession session)
    {
        IVcpu processor = vcpu.Processor;
        switch (exit.Reason)
        {
            case ExitReason.Hypercall:
                return Hypercall(vcpu, in exit, session);
            case ExitReason.PortIo:
                processor.Complete(ports.Dispatch(vcpu, exit.PortIo));
                return true;
            case ExitReason.MemoryAccess:
                processor.Complete(memory.Dispatch(vcpu, exit.Memory));
                return true;
            case ExitReason.MsrRead:
                processor.Complete(msrs.Read(vcpu, exit.Msr.Index));
                return true;
            case ExitReason.MsrWrite:
                processor.Complete(msrs.Write(vcpu, exit.Msr.Index, exit.Msr.Value));
                return true;
            case ExitReason.Cpuid:
                Cpuid(processor, vcpu.Index, exit.Cpuid);
                return true;
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

    private bool Hypercall(VirtualCpu vcpu, in VmExit exit, RunSession session)
    {
        IVcpu processor = vcpu.Processor;
        HypercallArguments arguments = HypercallArguments.From(in processor.RegistersButFlags, (exit.Mode & GuestMode.LongModeActive) != 0);
        HypercallOutcome outcome = HypercallOutcome.Invalid;
        if (exit.Cpl == 0 || allowUserHypercalls)
        {
            IHypercallHandler? handler = hypercalls.Find(arguments.Number);
            if (handler is not null)
                outcome = handler.Invoke(vcpu, in arguments);
        }

        if (outcome.Kind == HypercallOutcomeKind.Return)
        {
            processor.Complete(ExitCompletion.RetireWith(arguments.Fit(outcome.Value)));
            return true;
        }

        return Divert(vcpu, in exit, in arguments, outcome, session);
    }

    /// <summary>The outcomes of a hypercall that do not return to the guest at once. Apart from <see cref="Hypercall"/>, whose every call would
    /// otherwise clear
    /// the stack space of the stop's description.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    private static bool Divert(VirtualCpu vcpu, in VmExit exit, in HypercallArguments arguments, HypercallOutcome outcome, RunSession session)
    {
        switch (outcome.Kind)
        {
            case HypercallOutcomeKind.ExitToUser:
                vcpu.Processor.Complete(ExitCompletion.Retire);
                vcpu.Suspend(in arguments);
                Stop(session, StopReason.UserExit, vcpu, in exit, null);
                return false;
            case HypercallOutcomeKind.StopGuest:
                vcpu.Processor.Complete(ExitCompletion.RetireWith(0));
                session.Stop(new StopInfo { Reason = StopReason.Exited, VcpuIndex = vcpu.Index, ExitCode = (int)outcome.Value, Exit = exit });
                return false;
            default:
                vcpu.Processor.Complete(outcome.ToFault());
                return true;
        }
    }

    private void Cpuid(IVcpu processor, int index, CpuidExit query)
    {
        bool follows = CpuidTable.FollowsControls(query.Leaf);
        CpuidResult result = cpuid.Query(query.Leaf, query.Subleaf, index, follows ? processor.Cr4 : 0, follows ? processor.Xcr0 : 0);
        ref GeneralRegisters registers = ref processor.RegistersButFlags;
        registers.Rax = result.Eax;
        registers.Rbx = result.Ebx;
        registers.Rcx = result.Ecx;
        registers.Rdx = result.Edx;
        processor.Complete(ExitCompletion.Retire);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void Stop(RunSession session, StopReason reason, VirtualCpu vcpu, in VmExit exit, string? message) =>
        session.Stop(new StopInfo { Reason = reason, VcpuIndex = vcpu.Index, Message = message, Exit = exit });
}
