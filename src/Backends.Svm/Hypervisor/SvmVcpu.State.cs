using Hv.Backends.Svm.Silicon;
using Hv.Core.Registers;
using Hv.Cpu.State;
using Hv.Cpu.System;

namespace Hv.Backends.Svm.Hypervisor;

/// <summary>State in and out, reset, and interrupts.</summary>
public sealed partial class SvmVcpu
{
    internal const uint TscIndex = 0x10;
    private const uint FirstAsid = 1;
    private const InterruptShadow InstructionShadow = InterruptShadow.Sti | InterruptShadow.MovSs;

    private ulong _retiredAtReset;

    /// <inheritdoc/>
    public void SaveState(VcpuState state)
    {
        ref Vmcb vmcb = ref Vmcb;
        _core.Vmsave(_vmcbAddress);
        StateTransfer.Save(_core.Engine, state);
        StateConversion.FromVmcb(in vmcb.Save, ref state.System);
        state.System.Cr8 = vmcb.Control.VirtualInterrupt.Tpr;
        state.System.Tsc = TimeStamp.Read(_core.Engine) + vmcb.Control.TscOffset;
        state.System.Activity = _activity;
        if ((vmcb.Control.InterruptState & VmcbControl.InterruptShadowBit) == 0)
            state.System.Shadow &= ~InstructionShadow;
        else if ((state.System.Shadow & InstructionShadow) == 0)
            state.System.Shadow |= InterruptShadow.Sti;
        if (_inject.Valid)
            state.Pending = EventTranslation.ToEvent(_inject, vmcb.Save.Cr2, 0);
    }

    /// <inheritdoc/>
    public void LoadState(VcpuState state)
    {
        ref Vmcb vmcb = ref Vmcb;
        ref CpuState s = ref _core.Engine.State;
        ulong hostTsc = TimeStamp.Read(_core.Engine);
        StateTransfer.Load(_core.Engine, state);
        TimeStamp.Write(_core.Engine, hostTsc);
        // The processor has made the values harmless for itself; what VMRUN is to judge is what was given.
        s.Gpr = state.General;
        StateConversion.ToVmcb(in state.System, ref vmcb.Save);
        _core.Vmload(_vmcbAddress);
        vmcb.Control.TscOffset = state.System.Tsc - hostTsc;
        vmcb.Control.VirtualInterrupt = vmcb.Control.VirtualInterrupt.WithTpr((byte)state.System.Cr8);
        vmcb.Control.InterruptState = (state.System.Shadow & InstructionShadow) != 0 ? VmcbControl.InterruptShadowBit : 0;
        vmcb.Control.TlbControl = TlbControl.FlushGuest;
        vmcb.Control.Clean = CleanBits.None;
        vmcb.Control.EventInj = default;
        _activity = state.System.Activity;
        _inject = EventTranslation.ToRecord(state.Pending);
        _injectNextRip = state.General.Rip;
        if (state.Pending is { Kind: PendingEventKind.Exception, Vector: ExceptionVectors.PageFault })
            vmcb.Save.Cr2 = state.Pending.Address;
        Forget();
    }

    /// <inheritdoc/>
    public void Reset()
    {
        ref Vmcb vmcb = ref Vmcb;
        uint exceptions = vmcb.Control.InterceptExceptions;
        ControlSetup.Write(ref vmcb.Control, _partition.MsrMap, _partition.IoMap, _partition.NestedRoot, FirstAsid);
        vmcb.Control.InterceptExceptions = exceptions;
        ResetState.Reset(_core.Engine, Index == 0);
        StateConversion.ToVmcb(in _core.Engine.State.Sys, ref vmcb.Save);
        vmcb.Control.TscOffset = 0 - TimeStamp.Read(_core.Engine);
        _activity = ActivityState.Running;
        _retiredAtReset = _core.Engine.InstructionsRetired;
        _inject = default;
        Forget();
        RequestInterruptWindow(_windowWanted);
    }

    /// <inheritdoc/>
    public bool TryInterrupt(byte vector)
    {
        ref Vmcb vmcb = ref Vmcb;
        bool open = !_awaitsCompletion && !_inject.Valid && (vmcb.Control.InterruptState & VmcbControl.InterruptShadowBit) == 0
            && _activity is ActivityState.Running or ActivityState.Halted && _core.Engine.CanInterrupt(ref _core.Engine.State);
        if (open)
            _inject = EventRecord.Of(EventType.Interrupt, vector);
        return open;
    }

    /// <inheritdoc/>
    public void RequestInterruptWindow(bool wanted)
    {
        // A virtual interrupt that is intercepted the moment it could be taken is the way to learn of that moment (APM 2 15.21.4).
        ref VmcbControl control = ref Vmcb.Control;
        _windowWanted = wanted;
        control.VirtualInterrupt = control.VirtualInterrupt.WithIrq(wanted, 0);
        control.Intercepts1 = wanted ? control.Intercepts1 | Intercepts1.Vintr : control.Intercepts1 & ~Intercepts1.Vintr;
        control.Clean &= ~(CleanBits.Tpr | CleanBits.Intercepts);
    }

    private void Forget()
    {
        _awaitsCompletion = false;
        LastFailure = null;
        _core.Engine.ForgetEvent();
    }
}
