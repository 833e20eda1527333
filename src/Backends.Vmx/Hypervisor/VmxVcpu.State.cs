using Hv.Backends.Vmx.Silicon.Fields;
using Hv.Core.Exits;
using Hv.Core.Registers;
using Hv.Cpu.State;
using Hv.Cpu.System;
using static Hv.Backends.Vmx.Silicon.RegisterBits;

namespace Hv.Backends.Vmx.Hypervisor;

// State in and out, reset, interrupts.
internal sealed partial class VmxVcpu
{
    /// <inheritdoc/>
    public void SaveState(VcpuState state)
    {
        SyncRegisters();
        StateTransfer.Save(_processor, state);
        StateConversion.Read(_cpu, ref state.General, ref state.System);
        state.Pending = _inject.IsValid ? ToPending() : default;
    }

    /// <inheritdoc/>
    public void LoadState(VcpuState state)
    {
        StateTransfer.Load(_processor, state);
        // The processor has made the values harmless for itself; what VM entry is to judge is what was given.
        Registers = state.General;
        Load(in state.General, in state.System);
        _inject = default;
        if (state.Pending.Kind != PendingEventKind.None)
            FromPending(state.Pending);
    }

    /// <inheritdoc/>
    public void Reset()
    {
        ResetState.Reset(_processor, bootstrap: Index == 0);
        Load(in _processor.State.Gpr, in _processor.State.Sys);
        RequestInterruptWindow(false);
        _retiredBeforeReset = _processor.InstructionsRetired;
        _inject = default;
    }

    /// <inheritdoc/>
    public bool TryInterrupt(byte vector)
    {
        const Interruptibility Blocked = Interruptibility.BlockingBySti | Interruptibility.BlockingByMovSs;
        bool open = (_processor.State.Gpr.Rflags & RflagsIf) != 0 && !_inject.IsValid && !_answered
            && ((Interruptibility)_cpu.Vmread(VmcsField.GuestInterruptibility) & Blocked) == 0
            && (GuestActivity)_cpu.Vmread(VmcsField.GuestActivityState) is GuestActivity.Active or GuestActivity.Hlt;
        if (open)
            _inject = InterruptionInfo.Of(InterruptionType.ExternalInterrupt, vector, false);
        return open;
    }

    /// <inheritdoc/>
    public void RequestInterruptWindow(bool wanted)
    {
        ulong controls = _cpu.Vmread(VmcsField.PrimaryControls);
        ulong next = wanted ? controls | (uint)Primary.InterruptWindowExiting : controls & ~(ulong)Primary.InterruptWindowExiting;
        if (next != controls)
            _cpu.Vmwrite(VmcsField.PrimaryControls, next);
    }

    private void Load(in GeneralRegisters general, in SystemRegisters system)
    {
        StateConversion.Write(_cpu, in general, in system);
        _rip = general.Rip;
        _exit = ExitReason.Unknown;
        LastFailure = null;
        _processor.ForgetEvent();
        _answered = false;
    }

    private PendingEvent ToPending()
    {
        PendingEventKind kind = _inject.Type switch
        {
            InterruptionType.ExternalInterrupt => PendingEventKind.Interrupt,
            InterruptionType.Nmi => PendingEventKind.Nmi,
            // An instruction that raised its event runs again, from RIP.
            InterruptionType.HardwareException => PendingEventKind.Exception,
            _ => PendingEventKind.None,
        };
        ulong address = kind == PendingEventKind.Exception && _inject.Vector == ExceptionVector.PageFault ? _processor.State.Sys.Cr2 : 0;
        return kind == PendingEventKind.None ? default : new PendingEvent(kind, _inject.Vector, _inject.HasErrorCode, _injectErrorCode, address);
    }

    private void FromPending(PendingEvent pending)
    {
        InterruptionType type = pending.Kind switch
        {
            PendingEventKind.Interrupt => InterruptionType.ExternalInterrupt,
            PendingEventKind.Nmi => InterruptionType.Nmi,
            PendingEventKind.SoftwareInterrupt => InterruptionType.SoftwareInterrupt,
            _ => InterruptionType.HardwareException,
        };
        _inject = InterruptionInfo.Of(type, pending.Vector, pending.HasErrorCode);
        _injectErrorCode = pending.ErrorCode;
        _injectLength = 0;
        if (type == InterruptionType.HardwareException && pending.Vector == ExceptionVector.PageFault)
            _processor.State.Sys.Cr2 = pending.Address;
    }
}
