using Hv.Backends.Vmx.Silicon.Fields;
using Hv.Core.Exits;
using Hv.Core.Registers;
using Hv.Cpu.State;
using Hv.Cpu.System;
using static Hv.Backends.Vmx.Silicon.RegisterBits;

namespace Hv.Backends.Vmx.Hypervisor;

// The host's answer to an exit: results into registers, RIP past the instruction, faults through the entry interruption field.
internal sealed partial class VmxVcpu
{
    private const ulong PortInput = 1 << 3, StringIo = 1 << 4, PendingSingleStep = 1 << 14;

    // The event to be delivered at the next entry, and its error code and instruction length.
    private InterruptionInfo _inject;
    private uint _injectErrorCode;
    private byte _injectLength;

    // The emulator has an answer for the instruction at RIP and must execute it before anything else happens.
    private bool _answered;

    /// <inheritdoc/>
    public void Complete(ExitCompletion completion)
    {
        ExitReason reason = _exit;
        _exit = ExitReason.Unknown;
        if (completion.Kind == CompletionKind.Fault)
        {
            InjectFault(completion, reason);
            return;
        }

        bool hasValue = completion.Kind == CompletionKind.RetireWith;
        ref GeneralRegisters registers = ref _processor.State.Gpr;
        switch (reason)
        {
            case ExitReason.MemoryAccess:
            case ExitReason.PortIo when (_cpu.Vmread(VmcsField.ExitQualification) & StringIo) != 0:
                // The emulator executes the instruction again with this answer (docs/adr/0044-instruction-emulator.md).
                _processor.CompleteDeviceAccess(completion.Value);
                _answered = true;
                return;
            case ExitReason.Exception:
                // The host has dealt with the cause: the instruction runs again.
                return;
            case ExitReason.Hypercall when hasValue:
                registers.Rax = completion.Value;
                break;
            case ExitReason.MsrRead when hasValue:
                registers.Rax = (uint)completion.Value;
                registers.Rdx = completion.Value >> 32;
                break;
            case ExitReason.PortIo when (_cpu.Vmread(VmcsField.ExitQualification) & PortInput) != 0:
                registers.Rax = (_cpu.Vmread(VmcsField.ExitQualification) & 7) switch
                {
                    0 => (registers.Rax & ~0xFFUL) | (byte)completion.Value,
                    1 => (registers.Rax & ~0xFFFFUL) | (ushort)completion.Value,
                    _ => (uint)completion.Value,
                };
                break;
        }

        Skip(NextRip(_rip + _cpu.Vmread(VmcsField.ExitInstructionLength)));
    }

    /// <summary>Ends an instruction that was executed for the guest: RIP moves on, it is counted, blocking by STI and MOV SS ends (SDM 3A 6.8.3), and
    /// under TF a single-step trap is pending (SDM 3C 25.4.2).</summary>
    private void Skip(ulong rip)
    {
        ref GeneralRegisters registers = ref _processor.State.Gpr;
        registers.Rip = rip;
        _processor.CountInstruction();
        EndShadow();
        if ((registers.Rflags & RflagsTf) != 0)
            _cpu.Vmwrite(VmcsField.GuestPendingDebug, PendingSingleStep);
    }

    // SDM 3C 27.6.1: a fault is injected with RIP on the instruction. An intercepted INT3 or INTO goes back as the software exception it was.
    private void InjectFault(ExitCompletion fault, ExitReason reason)
    {
        var exiting = new InterruptionInfo((uint)_cpu.Vmread(VmcsField.ExitInterruptionInfo));
        bool same = reason == ExitReason.Exception && exiting.Vector == fault.Vector;
        bool isProtected = (_cpu.Vmread(VmcsField.GuestCr0) & Cr0Pe) != 0;
        InterruptionType type = same ? exiting.Type : InterruptionType.HardwareException;
        uint errorCode = fault.ErrorCode;
        byte vector = fault.Vector;
        if (_inject.IsValid && !TryCombine(ref vector, ref type, ref errorCode))
        {
            _inject = default;
            _cpu.Vmwrite(VmcsField.GuestActivityState, (uint)GuestActivity.Shutdown);
            return;
        }

        bool hasErrorCode = type == InterruptionType.HardwareException && InterruptionInfo.PushesErrorCode(vector) && isProtected;
        _inject = InterruptionInfo.Of(type, vector, hasErrorCode);
        _injectErrorCode = hasErrorCode ? (ushort)errorCode : 0u;
        _injectLength = same ? (byte)_cpu.Vmread(VmcsField.ExitInstructionLength) : (byte)0;
        if (vector == ExceptionVector.PageFault)
            _processor.State.Sys.Cr2 = fault.Address;
        _processor.ForgetEvent();
    }

    // A fault met in the delivery of another event replaces it, or makes a double fault, or shuts the guest down (SDM 3A table 6-5).
    private bool TryCombine(ref byte vector, ref InterruptionType type, ref uint errorCode)
    {
        PendingEventKind kind = _inject.Type == InterruptionType.HardwareException ? PendingEventKind.Exception : PendingEventKind.Interrupt;
        NestedOutcome outcome = DoubleFaults.Combine(new PendingEvent(kind, _inject.Vector, false, 0, 0), vector);
        if (outcome == NestedOutcome.DoubleFault)
        {
            vector = ExceptionVector.DoubleFault;
            type = InterruptionType.HardwareException;
            errorCode = 0;
        }

        return outcome != NestedOutcome.TripleFault;
    }

    /// <summary>An event whose delivery the exit cut off is to be delivered again (SDM 3C 28.2.4).</summary>
    private void KeepVectoring()
    {
        var vectoring = new InterruptionInfo((uint)_cpu.Vmread(VmcsField.IdtVectoringInfo));
        if (!vectoring.IsValid)
            return;
        _inject = vectoring;
        _injectErrorCode = (uint)_cpu.Vmread(VmcsField.IdtVectoringErrorCode);
        _injectLength = (byte)_cpu.Vmread(VmcsField.ExitInstructionLength);
    }

    private void WriteInjection()
    {
        _cpu.Vmwrite(VmcsField.EntryInterruptionInfo, _inject.Value & ~InterruptionInfo.EntryReservedBits);
        _cpu.Vmwrite(VmcsField.EntryErrorCode, _injectErrorCode);
        if (_inject.IsSoftware)
            _cpu.Vmwrite(VmcsField.EntryInstructionLength, _injectLength);
        // What is delivered ends a wait; a state in which the event may not be injected would be refused (SDM 3C 27.3.1.5).
        if (_inject.Type == InterruptionType.HardwareException && (GuestActivity)_cpu.Vmread(VmcsField.GuestActivityState) == GuestActivity.Hlt)
            _cpu.Vmwrite(VmcsField.GuestActivityState, (uint)GuestActivity.Active);
        _inject = default;
    }

    private void EndShadow()
    {
        var blocking = (Interruptibility)_cpu.Vmread(VmcsField.GuestInterruptibility);
        const Interruptibility Shadow = Interruptibility.BlockingBySti | Interruptibility.BlockingByMovSs;
        if ((blocking & Shadow) != 0)
            _cpu.Vmwrite(VmcsField.GuestInterruptibility, (uint)(blocking & ~Shadow));
    }

    private ulong NextRip(ulong next) => (_exitMode & GuestMode.Code64) != 0 ? next : (uint)next;
}
