using System.Diagnostics;
using Hv.Backends.Svm.Silicon;
using Hv.Core.Exits;
using Hv.Core.Registers;
using Hv.Cpu.State;
using Hv.Cpu.System;
using Hv.Cpu.Virtualization;

namespace Hv.Backends.Svm.Hypervisor;

/// <summary>Answers to exits: results, RIP past the instruction, injected faults, and the exits that the hypervisor answers itself.</summary>
public sealed partial class SvmVcpu
{
    /// <inheritdoc/>
    public void Complete(ExitCompletion completion)
    {
        Debug.Assert(_awaitsCompletion, "there is no exit to complete");
        if (!_awaitsCompletion)
            return;
        _awaitsCompletion = false;
        ref Vmcb vmcb = ref Vmcb;
        ref CpuState s = ref _core.Engine.State;
        if (completion.Kind == CompletionKind.Fault)
        {
            InjectFault(completion, ref vmcb, ref s);
            return;
        }

        bool hasValue = completion.Kind == CompletionKind.RetireWith;
        var io = new IoInformation(vmcb.Control.ExitInfo1);
        switch (_exitReason)
        {
            // The instruction emulator's work is done by executing the instruction again with the answer (docs/adr/0054-svm-instruction-emulator.md).
            case ExitReason.MemoryAccess:
            case ExitReason.PortIo when io.IsString:
                _core.Engine.CompleteDeviceAccess(hasValue ? completion.Value : ulong.MaxValue);
                return;

            case ExitReason.PortIo when io.IsIn:
                s.Gpr.Rax = MergeRax(s.Gpr.Rax, hasValue ? completion.Value : ulong.MaxValue, io.Size);
                break;

            // The host has dealt with the cause: the instruction runs again.
            case ExitReason.Exception:
                return;

            case ExitReason.MsrRead when hasValue:
                s.Gpr.Rax = (uint)completion.Value;
                s.Gpr.Rdx = completion.Value >> 32;
                break;

            case ExitReason.Hypercall when hasValue:
                s.Gpr.Rax = completion.Value;
                break;
        }

        ulong next = vmcb.Control.NextRip;
        if (next == 0)
        {
            ExitSite site = SvmExitCapture.SiteOf(in vmcb);
            if (site.InstructionLength == 0)
                return;
            next = SvmExitCapture.AfterInstruction(in vmcb, site);
        }

        Retire(ref vmcb, ref s, next);
    }

    // MSR accesses are the hypervisor's for two registers alone.
    private static bool IsOwn(SvmExitCode code) => code == SvmExitCode.MSR
        || (code is >= SvmExitCode.VMRUN and <= SvmExitCode.SKINIT && code != SvmExitCode.VMMCALL) || code == SvmExitCode.INVLPGA;

    /// <summary>Exits that are no business of the host's: the SVM instructions, which do not exist for the guest, and the registers that VMCB
    /// fields stand for.</summary>
    private bool TryHandle(ref Vmcb vmcb, ref CpuState s)
    {
        switch (vmcb.Control.ExitCode)
        {
            case SvmExitCode.VMRUN or SvmExitCode.VMLOAD or SvmExitCode.VMSAVE or SvmExitCode.STGI or SvmExitCode.CLGI
                or SvmExitCode.SKINIT or SvmExitCode.INVLPGA:
                _inject = EventRecord.Of(EventType.Exception, ExceptionVectors.InvalidOpcode);
                return true;

            case SvmExitCode.MSR when (uint)s.Gpr.Rcx is HostMsrs.Efer or TscIndex:
                EmulateMsr(ref vmcb, ref s, (uint)s.Gpr.Rcx, vmcb.Control.ExitInfo1 != 0);
                return true;

            default:
                return false;
        }
    }

    private void EmulateMsr(ref Vmcb vmcb, ref CpuState s, uint index, bool isWrite)
    {
        bool done = true;
        if (isWrite)
        {
            ulong value = s.Gpr.Rdx << 32 | (uint)s.Gpr.Rax;
            done = index == TscIndex ? WriteTsc(ref vmcb, value) : WriteEfer(ref vmcb, ref s, value);
        }
        else
        {
            ulong value = index == TscIndex ? TimeStamp.Read(_core.Engine) + vmcb.Control.TscOffset : vmcb.Save.Efer & ~HostMsrs.SvmeBit;
            s.Gpr.Rax = (uint)value;
            s.Gpr.Rdx = value >> 32;
        }

        if (done)
            Retire(ref vmcb, ref s, SvmExitCapture.AfterInstruction(in vmcb, SvmExitCapture.SiteOf(in vmcb)));
        else
            _inject = EventRecord.Of(EventType.Exception, ExceptionVectors.GeneralProtection, true);
    }

    private bool WriteTsc(ref Vmcb vmcb, ulong value)
    {
        vmcb.Control.TscOffset = value - TimeStamp.Read(_core.Engine);
        vmcb.Control.Clean &= ~CleanBits.Intercepts;
        return true;
    }

    // EFER's rules are the processor's, which has the guest's state; SVME is ours to hide and to keep.
    private bool WriteEfer(ref Vmcb vmcb, ref CpuState s, ulong value)
    {
        bool done = ControlRegisters.TryWriteEfer(ref s, _core.Engine, value);
        s.Attention &= ~Attention.Fault;
        if (!done)
            return false;
        vmcb.Save.Efer = s.Sys.Efer | HostMsrs.SvmeBit;
        vmcb.Control.Clean &= ~CleanBits.Crx;
        vmcb.Control.TlbControl = TlbControl.FlushGuest;
        return true;
    }

    // An event that the exit cut off is still to be injected; with it the fault is delivered alone, or makes a double fault, or shuts the guest
    // down (APM 2 8.2.9).
    private void InjectFault(ExitCompletion fault, ref Vmcb vmcb, ref CpuState s)
    {
        _core.Engine.ForgetEvent();
        switch (DoubleFaults.Combine(EventTranslation.ToEvent(_inject, 0, 0), fault.Vector))
        {
            case NestedOutcome.TripleFault:
                _inject = default;
                _activity = ActivityState.Shutdown;
                return;
            case NestedOutcome.DoubleFault:
                _inject = EventRecord.Of(EventType.Exception, ExceptionVectors.DoubleFault, true);
                return;
        }

        _inject = EventRecord.Of(EventType.Exception, fault.Vector, fault.HasErrorCode, fault.ErrorCode);
        // INT3 and INTO return past themselves (nRIP of their own exit); any other breakpoint or overflow exception has RIP on the instruction.
        bool ownTrap = _exitReason == ExitReason.Exception && vmcb.Control.ExitCode == SvmExitCode.EXCP0 + fault.Vector
            && vmcb.Control.NextRip != 0;
        _injectNextRip = ownTrap ? vmcb.Control.NextRip : s.Gpr.Rip;
        if (fault.Vector == ExceptionVectors.PageFault)
        {
            vmcb.Save.Cr2 = fault.Address;
            vmcb.Control.Clean &= ~CleanBits.Cr2;
        }
    }

    /// <summary>
    /// The emulated instruction is done: RIP moves on, the interrupt shadow ends (APM 2 15.21.5). The silicon traps behind instructions that it
    /// executed; behind one that the hypervisor executed, the hypervisor must inject the #DB.
    /// </summary>
    private void Retire(ref Vmcb vmcb, ref CpuState s, ulong rip)
    {
        _core.Engine.RetireTo(rip);
        vmcb.Control.InterruptState &= ~VmcbControl.InterruptShadowBit;
        if ((s.Attention & Attention.Fault) == 0)
            return;
        s.Attention &= ~Attention.Fault;
        vmcb.Save.Dr6 |= s.Fault.Address;
        vmcb.Control.Clean &= ~CleanBits.Drx;
        _inject = EventRecord.Of(EventType.Exception, ExceptionVectors.Debug);
    }

    private static ulong MergeRax(ulong rax, ulong value, int size) => size switch
    {
        1 => (rax & ~0xFFul) | (byte)value,
        2 => (rax & ~0xFFFFul) | (ushort)value,
        _ => (uint)value,
    };
}
