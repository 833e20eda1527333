using Hv.Core.Registers;
using Hv.Cpu.State;

namespace Hv.Backends.Svm.Silicon;

/// <summary>VMRUN's way in.</summary>
public sealed partial class SvmCore
{
    // RFLAGS bits that decoding, stepping or access rights depend on: TF, RF, VM, AC.
    private const ulong ModeFlags = 1ul << 8 | 1ul << 16 | 1ul << 17 | 1ul << 18;
    private const ulong DefinedFlags = 0x003F_7FD5, FixedFlag = 2;
    private const InterruptShadow InstructionShadow = InterruptShadow.Sti | InterruptShadow.MovSs;

    /// <summary>The way in when something is not clean: takes the dirty groups on chip, checks the rules that look at them, loads them. False:
    /// refused.</summary>
    private bool Enter(ref CpuState s, ref readonly Vmcb vmcb, CleanBits clean)
    {
        if (clean != CleanBits.None)
            Save(in s, ref _onChip.Save);
        uint asid = _onChip.Control.GuestAsid;
        ulong nestedCr3 = _onChip.Control.NestedCr3;
        VmcbGroups.CopyDirty(in vmcb, ref _onChip, clean);

        if (ConsistencyRules.FirstBroken(in _onChip, _model, clean) is { } rule)
        {
            Refusal = rule.Explain(in _onChip);
            _isCached = false;
            return false;
        }

        Refusal = null;
        GuestStateTransfer.Load(ref s, in _onChip, CleanBits.All & ~clean);
        bool otherSpace = asid != _onChip.Control.GuestAsid || nestedCr3 != _onChip.Control.NestedCr3;
        if (otherSpace || _onChip.Control.TlbControl is TlbControl.FlushAll or TlbControl.FlushGuest)
            _cpu.FlushTlb(keepGlobal: false);
        else if (_onChip.Control.TlbControl == TlbControl.FlushGuestNonGlobal)
            _cpu.FlushTlb(keepGlobal: true);
        if ((clean & CleanBits.Tpr) == 0)
        {
            _cpu.InterruptPending = _cpu.InterruptWindowWanted = false;
            if (_onChip.Control.VirtualInterrupt.Masking)
                s.Sys.Cr8 = _onChip.Control.VirtualInterrupt.Tpr;
        }

        LoadAlways(ref s, in vmcb, (~clean & (CleanBits.Crx | CleanBits.Segments)) != 0);
        if (_onChip.Control.EventInj.Valid)
            Inject(in s, _onChip.Control.EventInj, vmcb.Control.NextRip);
        return true;
    }

    // A pending virtual interrupt is taken, or exits, as soon as the guest could take an interrupt, if its priority is above V_TPR (APM 2 15.21.4).
    private void ArmVirtualInterrupt(byte tpr)
    {
        VirtualInterrupt request = _onChip.Control.VirtualInterrupt.WithTpr(tpr);
        bool exits = (_onChip.Control.Intercepts1 & Intercepts1.Vintr) != 0;
        _cpu.InterruptWindowWanted = request.PriorityAllows && exits;
        _cpu.InterruptPending = request.PriorityAllows && !exits;
        _cpu.InterruptVector = request.Vector;
    }

    private void Inject(ref readonly CpuState s, EventRecord record, ulong nextRip)
    {
        int length = _nripSave && EventTranslation.IsSoftware(record) ? (int)(nextRip - s.Gpr.Rip) & 0xF : 0;
        _cpu.Interrupted = default;
        _cpu.Deliver(EventTranslation.ToEvent(record, s.Sys.Cr2, s.Sys.Dr6), length);
    }

    /// <summary>Loads what no clean bit covers: RAX, RSP, RIP, RFLAGS and the interrupt shadow. True, so that it reads as a way in.</summary>
    private bool LoadAlways(ref CpuState s, ref readonly Vmcb vmcb, bool modeChanged)
    {
        ulong flags = (vmcb.Save.Rflags & DefinedFlags) | FixedFlag;
        modeChanged |= ((flags ^ s.Gpr.Rflags) & ModeFlags) != 0;
        _cpu.ExactRegisters.Rflags = flags;
        s.Gpr.Rax = vmcb.Save.Rax;
        s.Gpr.Rsp = vmcb.Save.Rsp;
        s.Gpr.Rip = vmcb.Save.Rip;
        s.Sys.Activity = ActivityState.Running;
        bool shadow = (vmcb.Control.InterruptState & VmcbControl.InterruptShadowBit) != 0;
        if (!shadow)
            s.Sys.Shadow &= ~InstructionShadow;
        else if ((s.Sys.Shadow & InstructionShadow) == 0)
            s.Sys.Shadow |= InterruptShadow.Sti;
        _pausesLeft = _onChip.Control.PauseFilterCount;
        if (_onChip.Control.VirtualInterrupt.Irq)
            ArmVirtualInterrupt((byte)s.Sys.Cr8);
        if (modeChanged)
            _cpu.ModeChanged(ref s);
        return true;
    }
}
