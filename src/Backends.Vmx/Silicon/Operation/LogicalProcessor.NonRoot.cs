using Hv.Backends.Vmx.Silicon.Exit;
using Hv.Backends.Vmx.Silicon.Fields;
using Hv.Backends.Vmx.Silicon.Translation;
using Hv.Core;
using Hv.Cpu;
using Hv.Cpu.State;
using Hv.Cpu.System;
using Hv.Cpu.Virtualization;
using static Hv.Backends.Vmx.Silicon.RegisterBits;

namespace Hv.Backends.Vmx.Silicon.Operation;

// VMX non-root operation (SDM 3C chapter 26), as the processor asks for it at events and translation misses.
public sealed partial class LogicalProcessor
{
    private const uint TimeStampCounter = 0x10;

    /// <summary>Whether an event leaves the guest. If so, the exit is recorded in the VMCS; if not, the event carries what SDM 3C 26.3 changes
    /// about the instruction.</summary>
    public bool Intercepts(Processor processor, ref CpuEvent e)
    {
        if (!Exit.Intercepts.Exits(Vmcs, _memory, e, out VmxExitReason reason))
        {
            Change(processor, ref processor.State, ref e);
            return false;
        }

        if (e.Kind == CpuEventKind.GuestPhysicalAccess)
        {
            // Where the tables allow the access and only memory does not answer, there is no exit: the bus reads ones.
            if (!UsesEpt)
                return false;
            EptWalk walk = Ept.Walk(_memory, Vmcs[VmcsField.EptPointer], e.Address, Qualification.Wanted(e.Access));
            if (walk.Outcome == EptOutcome.Translated)
                return false;
            ExitRecorder.Ept(Vmcs, walk, e);
        }
        else
        {
            if (e.Kind == CpuEventKind.VendorInstruction && reason != VmxExitReason.Vmcall && !KnowsVmx(ref processor.State))
                return false;
            ExitRecorder.Event(Vmcs, reason, e);
        }

        CutDelivery(processor);
        return true;
    }

    /// <summary>Translates a guest-physical address through EPT, or takes it as host-physical without.</summary>
    public bool TranslateGuestPhysical(ulong address, GuestAccess access, out Gpa host, out bool writable)
    {
        host = default;
        writable = true;
        if (!UsesEpt)
            return _memory.TryFindGuest(address, out host);
        EptWalk walk = Ept.Walk(_memory, Vmcs[VmcsField.EptPointer], address, Qualification.Wanted(access));
        writable = (walk.Permissions & EptEntry.Write) != 0;
        return walk.Outcome == EptOutcome.Translated && _memory.TryFindGuest(walk.Host, out host);
    }

    private bool UsesEpt => (Vmcs[VmcsField.PrimaryControls] & (uint)Primary.ActivateSecondaryControls) != 0
        && (Vmcs[VmcsField.SecondaryControls] & (uint)Secondary.EnableEpt) != 0;

    // VMX instructions but VMCALL are #UD in real-address, virtual-8086 and compatibility mode, before any exit (SDM 3C 31.3).
    private static bool KnowsVmx(ref CpuState s) =>
        (s.Sys.Cr0 & Cr0Pe) != 0 && (s.Gpr.Rflags & RflagsVm) == 0 && ((s.Sys.Efer & EferLma) == 0 || s.Sys.Cs.Long);

    // SDM 3C 26.3: instructions that behave otherwise in non-root operation.
    private void Change(Processor processor, ref CpuState s, ref CpuEvent e)
    {
        switch (e.Kind)
        {
            case CpuEventKind.CrRead when e.Index == 0:
            case CpuEventKind.Smsw:
                e.Value = Shadowed(e.Value, VmcsField.Cr0Mask, VmcsField.Cr0ReadShadow);
                break;
            case CpuEventKind.CrRead when e.Index == 4:
                e.Value = Shadowed(e.Value | Cr4Vmxe, VmcsField.Cr4Mask, VmcsField.Cr4ReadShadow);
                break;
            case CpuEventKind.CrWrite when e.Index == 0:
            case CpuEventKind.Lmsw:
                e.Value = Owned(e.Value, s.Sys.Cr0, VmcsField.Cr0Mask);
                break;
            case CpuEventKind.CrWrite when e.Index == 4:
                // VMXE is not a bit of the shared processor's CR4 (see GuestRegisters).
                e.Value = Owned(e.Value, s.Sys.Cr4, VmcsField.Cr4Mask) & ~Cr4Vmxe;
                break;
            case CpuEventKind.Clts when (Vmcs[VmcsField.Cr0Mask] & Cr0Ts) != 0:
                // The host owns TS and shows it clear: the instruction has nothing to do, as PAUSE has not.
                e.Kind = CpuEventKind.Pause;
                break;
            case CpuEventKind.Rdtsc or CpuEventKind.Rdtscp when UsesTscOffset:
                e.Value += Vmcs[VmcsField.TscOffset];
                break;
            case CpuEventKind.Rdmsr when e.Index == TimeStampCounter && UsesTscOffset:
                // RDMSR of the counter gives what RDTSC gives, in the same registers.
                e.Kind = CpuEventKind.Rdtsc;
                e.Value = TimeStamp.Read(processor) + Vmcs[VmcsField.TscOffset];
                break;
        }
    }

    private bool UsesTscOffset => (Vmcs[VmcsField.PrimaryControls] & (uint)Primary.UseTscOffsetting) != 0;

    private ulong Shadowed(ulong real, VmcsField mask, VmcsField shadow) => (real & ~Vmcs[mask]) | (Vmcs[shadow] & Vmcs[mask]);

    private ulong Owned(ulong written, ulong real, VmcsField mask) => (written & ~Vmcs[mask]) | (real & Vmcs[mask]);
}
