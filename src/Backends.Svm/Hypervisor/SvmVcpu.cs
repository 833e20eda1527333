using System.Runtime.CompilerServices;
using Hv.Backends.Svm.Silicon;
using Hv.Core;
using Hv.Core.Exits;
using Hv.Core.Registers;
using Hv.Cpu.State;
using Hv.Cpu.Virtualization;

namespace Hv.Backends.Svm.Hypervisor;

/// <summary>
/// A vCPU as a hypervisor on SVM runs it: one VMCB, the VMRUN loop, capture, and completion. Between two runs the VMCB's save area is the truth
/// about system registers and <see cref="Registers"/> about the general ones, which VMRUN and #VMEXIT leave in the processor.
/// </summary>
[SkipLocalsInit]
public sealed partial class SvmVcpu : IVcpu
{
    private readonly SvmPartition _partition;
    private readonly SvmCore _core;
    private readonly Hpa _vmcbAddress;
    private readonly VmcbPage _vmcb;

    // What the hypervisor has to inject at the next VMRUN, and for a software event the return address that nRIP must hold.
    private EventRecord _inject;
    private ulong _injectNextRip;

    // What completion must know of the last exit; the rest of it is still in the VMCB.
    private ExitReason _exitReason;
    private bool _awaitsCompletion;
    private bool _windowWanted;
    private int _slotsVersion = -1;
    private ActivityState _activity;
    private bool _disposed;

    internal SvmVcpu(SvmPartition partition, int index)
    {
        _partition = partition;
        Index = index;
        _core = new SvmCore(partition.Memory, partition.HostMemory, SiliconModel.Default, partition.Options.Cpuid, partition.Code);
        _core.Engine.SeedRandom(partition.Options.RandomSeed, index);
        _vmcbAddress = partition.HostMemory.AllocatePages(1);
        _vmcb = partition.HostMemory.VmcbPageAt(_vmcbAddress);
        bool enabled = _core.Msrs.TryWrite(HostMsrs.Efer, HostMsrs.SvmeBit)
            && _core.Msrs.TryWrite(HostMsrs.VmHsavePa, partition.HostMemory.AllocatePages(1).Value);
        if (!enabled)
            throw new HvException("enabling SVM in EFER failed: VM_CR.SVMDIS is set");
        Reset();
    }

    /// <inheritdoc/>
    public int Index { get; }

    private ref Vmcb Vmcb => ref _vmcb.Vmcb;

    /// <inheritdoc/>
    public ref GeneralRegisters Registers => ref _core.Engine.ExactRegisters;

    /// <inheritdoc/>
    public ulong Cr4 => Vmcb.Save.Cr4;

    /// <summary>XCR0, which is not in the VMCB: guest and hypervisor share it.</summary>
    public ulong Xcr0 => _core.Engine.State.Sys.Xcr0;

    /// <inheritdoc/>
    public ulong InstructionsRetired => _core.Engine.InstructionsRetired - _retiredAtReset;

    /// <inheritdoc/>
    public string? LastFailure { get; private set; }

    /// <inheritdoc/>
    public void Run(long budget, out VmExit exit)
    {
        LastFailure = null;
        _awaitsCompletion = false;
        ref Vmcb vmcb = ref Vmcb;
        ref CpuState s = ref _core.Engine.State;
        ulong end = _core.Engine.InstructionsRetired + (ulong)budget;
        if (_activity != ActivityState.Running && !Wake(ref vmcb, out exit))
            return;
        while (true)
        {
            if (_slotsVersion != _partition.SlotsVersion)
                FollowSlots(ref vmcb);
            vmcb.Save.Rax = s.Gpr.Rax;
            vmcb.Save.Rsp = s.Gpr.Rsp;
            vmcb.Save.Rip = s.Gpr.Rip;
            vmcb.Save.Rflags = s.Gpr.Rflags;
            if (_inject.Valid)
            {
                vmcb.Control.EventInj = _inject;
                vmcb.Control.NextRip = _injectNextRip;
            }

            _core.Clgi();
            VmrunResult result = _core.Vmrun(_vmcbAddress, (long)(end - _core.Engine.InstructionsRetired));
            _core.Stgi();
            if (result != VmrunResult.Exited)
                throw new HvException($"VMRUN of the VMCB at {_vmcbAddress} failed with {result}");

            vmcb.Control.Clean = CleanBits.All;
            vmcb.Control.TlbControl = TlbControl.Nothing;
            // An event whose delivery was cut off comes first at the next VMRUN (APM 2 15.7.2).
            _inject = vmcb.Control.ExitIntInfo;
            _injectNextRip = vmcb.Control.NextRip;
            if (IsOwn(vmcb.Control.ExitCode) && TryHandle(ref vmcb, ref s))
            {
                if (_core.Engine.InstructionsRetired < end)
                    continue;
                VmExit.Plain(ExitReason.BudgetExpired, HereOf(in vmcb), default, out exit);
                return;
            }

            SvmExitCapture.Capture(new SvmRawExit(ref vmcb, ref s.Gpr, Operand(in vmcb)), out exit);
            _exitReason = exit.Reason;
            if (_exitReason is ExitReason.Hypercall or ExitReason.PortIo or ExitReason.MsrRead or ExitReason.MsrWrite or ExitReason.Cpuid
                or ExitReason.MemoryAccess or ExitReason.Exception or ExitReason.Unknown)
                _awaitsCompletion = true;
            else
                Settle(ref exit, ref vmcb, ref s, end);
            return;
        }
    }

    /// <inheritdoc/>
    public void RequestExit() => _core.Engine.RequestStop();

    /// <inheritdoc/>
    public bool TryTranslate(Gva address, out Gpa physical) => _core.Engine.TryTranslate(address, out physical);

    /// <inheritdoc/>
    public void InterceptExceptions(uint vectors)
    {
        Vmcb.Control.InterceptExceptions = vectors;
        Vmcb.Control.Clean &= ~CleanBits.Intercepts;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        if (_disposed)
            return;
        _disposed = true;
        _core.Dispose();
    }

    // A guest that waits stays where it is until something is injected or a window was asked for; one that is in shutdown stays for good.
    private bool Wake(ref Vmcb vmcb, out VmExit exit)
    {
        bool isShutdown = _activity == ActivityState.Shutdown;
        VmExit.Plain(isShutdown ? ExitReason.Shutdown : ExitReason.Halt, HereOf(in vmcb), default, out exit);
        if (isShutdown)
            return false;
        if (_inject.Valid)
        {
            _activity = ActivityState.Running;
            return true;
        }

        return _windowWanted && _core.Engine.CanInterrupt(ref _core.Engine.State);
    }

    // Where the guest will go on, which may lie past the last exit.
    private ExitSite HereOf(ref readonly Vmcb vmcb) => SvmExitCapture.SiteOf(in vmcb) with { Rip = Registers.Rip, InstructionLength = 0 };

    // What an exit means beyond its capture: the vCPU's own state, and which of the host's reasons an interrupt had.
    [MethodImpl(MethodImplOptions.NoInlining)]
    private void Settle(ref VmExit exit, ref Vmcb vmcb, ref CpuState s, ulong end)
    {
        switch (exit.Reason)
        {
            case ExitReason.Cancelled when _core.Engine.InstructionsRetired >= end:
                VmExit.Plain(ExitReason.BudgetExpired, SvmExitCapture.SiteOf(in vmcb), exit.Raw, out exit);
                break;

            case ExitReason.Halt:
                Retire(ref vmcb, ref s, exit.Rip);
                _activity = ActivityState.Halted;
                break;

            case ExitReason.Shutdown:
                _activity = ActivityState.Shutdown;
                break;

            case ExitReason.EntryFailed:
                LastFailure = $"VMRUN refused: {_core.Refusal}";
                break;
        }
    }

    private EmulatedOperand Operand(ref readonly Vmcb vmcb)
    {
        if (vmcb.Control.ExitCode is not (SvmExitCode.NPF or SvmExitCode.IOIO))
            return default;
        ref readonly CpuEvent e = ref _core.Engine.Event;
        return new EmulatedOperand(e.Size, e.IsWrite, e.Value);
    }

    private void FollowSlots(ref Vmcb vmcb)
    {
        _slotsVersion = _partition.SlotsVersion;
        _partition.RefreshTables();
        vmcb.Control.TlbControl = TlbControl.FlushGuest;
    }
}
