using Hv.Backends.Vmx.Silicon;
using Hv.Backends.Vmx.Silicon.Exit;
using Hv.Backends.Vmx.Silicon.Fields;
using Hv.Backends.Vmx.Silicon.Operation;
using Hv.Core.Exits;
using Hv.Cpu.State;
using Hv.Cpu.System;
using Hv.Cpu.Virtualization;

namespace Hv.Backends.Vmx.Hypervisor;

// Exits that the hypervisor answers itself, and what every other one leaves to be done.
internal sealed partial class VmxVcpu
{
    /// <summary>Answers an exit of <see cref="OwnExits"/>. False: the host must see it after all.</summary>
    private bool TryHandle(VmxExitReason reason)
    {
        switch (reason)
        {
            // VMX is not offered to the guest: CPUID does not report it, CR4.VMXE reads 0, and its instructions are undefined.
            case >= VmxExitReason.Vmclear and <= VmxExitReason.Vmxon or VmxExitReason.Invept or VmxExitReason.Invvpid:
                _inject = InterruptionInfo.Of(InterruptionType.HardwareException, ExceptionVector.InvalidOpcode, false);
                return true;
            case VmxExitReason.ControlRegisterAccess:
                EmulateControlRegister();
                return true;
            case VmxExitReason.Invd or VmxExitReason.Xsetbv or VmxExitReason.TaskSwitch:
                Emulate();
                return true;
            case VmxExitReason.PreemptionTimer:
                return (GuestActivity)_cpu.Vmread(VmcsField.GuestActivityState) == GuestActivity.Active
                    && _cpu.Vmread(VmcsField.PreemptionTimer) == uint.MaxValue;
            default:
                return false;
        }
    }

    // Only what the masks own exits: NE, of which the guest sees its own, and VMXE, which it may not set.
    private void EmulateControlRegister()
    {
        ref CpuEvent e = ref _processor.Event;
        if (e.Index == 0)
        {
            ulong shadow = e.Value;
            e.Value |= RegisterBits.Cr0Ne;
            ulong rip = Registers.Rip;
            Emulate();
            if (Registers.Rip != rip)
                _cpu.Vmwrite(VmcsField.Cr0ReadShadow, shadow);
        }
        else
        {
            _inject = InterruptionInfo.Of(InterruptionType.HardwareException, ExceptionVector.GeneralProtection, true);
        }
    }

    /// <summary>Executes the instruction that exited, as the hypervisor's instruction emulator (docs/adr/0044-instruction-emulator.md). What it
    /// delivers or
    /// faults with is the processor's to go on with.</summary>
    private void Emulate()
    {
        var vectoring = new InterruptionInfo((uint)_cpu.Vmread(VmcsField.IdtVectoringInfo));
        if (vectoring.IsValid)
            EventTransfer.Inject(_processor, vectoring, (uint)_cpu.Vmread(VmcsField.IdtVectoringErrorCode),
                (byte)_cpu.Vmread(VmcsField.ExitInstructionLength));
        _processor.SettleFlags();
        Events.Execute(ref _processor.State, _processor);
        // MOV to CR0 that sets NE and PG at once enters long mode here, not in the guest.
        StateConversion.FollowLongMode(_cpu, _processor.State.Sys.Efer);
        _rip = Registers.Rip;
    }

    /// <summary>Turns what the timer and HLT mean to a halted guest into the neutral exit.</summary>
    private void Settle(ref VmExit exit)
    {
        switch (exit.Reason)
        {
            case ExitReason.Halt:
                // The hypervisor skips HLT itself and lets the next entry wait in the HLT state.
                Skip(exit.Rip);
                _cpu.Vmwrite(VmcsField.GuestActivityState, (uint)GuestActivity.Hlt);
                break;
            case ExitReason.Shutdown:
                EndShadow();
                _cpu.Vmwrite(VmcsField.GuestActivityState, (uint)GuestActivity.Shutdown);
                break;
            case ExitReason.BudgetExpired:
                var activity = (GuestActivity)_cpu.Vmread(VmcsField.GuestActivityState);
                if (activity is GuestActivity.Hlt or GuestActivity.WaitForSipi)
                    VmExit.Plain(ExitReason.Halt, new ExitSite(exit.Rip, 0, exit.Mode, exit.Cpl), exit.Raw, out exit);
                else if (activity == GuestActivity.Shutdown)
                    VmExit.Plain(ExitReason.Shutdown, new ExitSite(exit.Rip, 0, exit.Mode, exit.Cpl), exit.Raw, out exit);
                break;
            case ExitReason.InterruptWindow:
                RequestInterruptWindow(false);
                break;
        }
    }
}
