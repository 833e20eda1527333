using Hv.Core;
using Hv.Core.Registers;
using Hv.Cpu;
using Hv.Cpu.State;
using Hv.Cpu.Virtualization;

namespace Hv.Backends.Svm.Silicon;

/// <summary>Running the guest, and #VMEXIT.</summary>
public sealed partial class SvmCore
{
    private void Execute(ref CpuState s, long budget)
    {
        while (true)
        {
            RunResult result = _cpu.Run(budget);
            if (result == RunResult.Event)
            {
                if (_action == CoreAction.None)
                    return;
                if (Perform(ref s))
                    return;
                budget = s.Remaining;
                if (budget > 0)
                    continue;
            }

            // The timer, a kick, or a halt that nothing but the timer ends: the one physical interrupt. An unintercepted triple fault resets a
            // real machine; here it is the exit that the hypervisor could have asked for.
            _exit = new ExitRecord(result == RunResult.Shutdown ? SvmExitCode.SHUTDOWN : SvmExitCode.INTR, 0, 0, false);
            return;
        }
    }

    /// <summary>#VMEXIT: writes the exit and the guest's state to the VMCB (APM 2 15.6).</summary>
    private void Exit(ref CpuState s, ref Vmcb vmcb)
    {
        ref VmcbControl control = ref vmcb.Control;
        control.ExitCode = _exit.Code;
        control.ExitInfo1 = _exit.Info1;
        control.ExitInfo2 = _exit.Info2;
        control.NextRip = _exit.SavesNextRip && _nripSave ? NextRip.Of(in s, _cpu.Event.Length) : 0;
        control.BytesFetched = 0;
        control.ExitIntInfo = default;
        if (_cpu.HasDelivery && _exit.Code != SvmExitCode.INTR)
            CutDelivery(in s, ref control);
        // The valid bit is cleared, so that an event is not injected twice (APM 2 15.20).
        if (control.EventInj.Valid)
            control.EventInj = default;
        control.InterruptState = (s.Sys.Shadow & InstructionShadow) != 0 ? VmcbControl.InterruptShadowBit : 0;
        VirtualInterrupt request = _onChip.Control.VirtualInterrupt;
        if (request.Masking)
            _onChip.Control.VirtualInterrupt = request = request.WithTpr((byte)s.Sys.Cr8);
        control.VirtualInterrupt = request;
        if (_exit.Code == SvmExitCode.EXCP0 + ExceptionVectors.Debug)
            RecordDebug(ref s);
        Save(in s, ref vmcb.Save);
        if (_decodeAssists && (_exit.Code == SvmExitCode.NPF || _exit.Code == SvmExitCode.EXCP0 + ExceptionVectors.PageFault))
            FetchBytes(ref s, ref control);
        Gif = false;
    }

    // The segment registers in the VMCB's format, which most exits find as the last one left them.
    private void Save(ref readonly CpuState s, ref VmcbSave save)
    {
        if (_packedVersion != _cpu.ModeVersion)
        {
            GuestStateTransfer.Pack(in s.Sys, out _packed);
            _packedVersion = _cpu.ModeVersion;
        }

        GuestStateTransfer.Save(in s, in _cpu.ExactRegisters, in _packed, ref save, NestedPagingEnabled);
    }

    /// <summary>A refused VMRUN: no guest state is saved (APM 2 15.5.1).</summary>
    private void Invalid(ref Vmcb vmcb)
    {
        vmcb.Control.ExitCode = SvmExitCode.INVALID;
        vmcb.Control.ExitInfo1 = 0;
        vmcb.Control.ExitInfo2 = 0;
        vmcb.Control.NextRip = 0;
        vmcb.Control.ExitIntInfo = default;
        Gif = false;
    }

    // An event whose delivery met the exit goes to EXITINTINFO and is forgotten here: the one that an intercepted exception befell, or the one
    // that waits for a nested fault or a task switch to be dealt with. For a software event nRIP is its return address, which the hypervisor needs
    // to inject it again. The timer does not cut a delivery: the engine goes on with it at the next VMRUN.
    private void CutDelivery(ref readonly CpuState s, ref VmcbControl control)
    {
        PendingEvent cut = _cpu.Interrupted.Kind != PendingEventKind.None ? _cpu.Interrupted : _cpu.Pending;
        control.ExitIntInfo = EventTranslation.ToRecord(in cut);
        if (_nripSave && EventTranslation.IsSoftware(control.ExitIntInfo))
            control.NextRip = NextRip.Of(in s, _cpu.PendingLength);
        _cpu.Interrupted = default;
        _cpu.Deliver(default, 0);
    }

    // DR6 of an intercepted #DB is what its handler would have seen (APM 2 15.12.2).
    private void RecordDebug(ref CpuState s)
    {
        const ulong Hits = 0xF, Causes = 0xE00F;
        s.Sys.Dr6 = (s.Sys.Dr6 & ~Hits) | (_cpu.Event.Address & Causes);
    }

    // Decode assists: up to 15 bytes at CS:RIP, for data accesses alone (APM 2 15.33.5).
    private void FetchBytes(ref CpuState s, ref VmcbControl control)
    {
        if (((NestedFault)_exit.Info1 & NestedFault.Fetch) != 0)
            return;
        ulong linear = NextRip.CodeBits(in s) == 64 ? s.Gpr.Rip : (uint)(s.Sys.Cs.Base + s.Gpr.Rip);
        int count = 0;
        while (count < 15 && TryFetch(linear + (ulong)count, out byte value))
            control.InstructionBytes[count++] = value;
        control.BytesFetched = (byte)count;
    }

    private bool TryFetch(ulong linear, out byte value)
    {
        value = 0;
        return _cpu.TryTranslate(new Gva(linear), out Gpa physical) && TranslateGuestPhysical(physical.Value, GuestAccess.Read, out Gpa host, out _)
            && _cpu.Memory.TryRead(host, out value);
    }
}
