using System.Runtime.CompilerServices;
using Hv.Backends.Kvm.Abi;
using Hv.Backends.Kvm.Native;
using Hv.Core;
using Hv.Core.Exits;
using Hv.Core.Registers;

namespace Hv.Backends.Kvm;

/// <summary>
/// A vCPU of /dev/kvm: entering the guest, its exits, and the host's answers. Only the ioctl KVM_RUN is in the loop; everything else is fetched
/// when state is saved. Saving and loading are in <see cref="KvmVcpuState"/>.
/// </summary>
[SkipLocalsInit]
public sealed class KvmVcpu : IVcpu
{
    private const ulong InterruptFlag = 1 << 9;

    private readonly KvmPartition _partition;
    private readonly KvmRunPage _page;
    private readonly VcpuState _resetState = new();

    private readonly ushort _hypercallPort;
    private readonly byte _outLength;

    private KvmRegisterFile _registers;
    private Answer _awaits;
    private bool _unfinished;
    private uint _elementsLeft;
    private ulong _elementOffset;
    private ActivityState _activity;
    private string? _refusal;
    private KvmKicks _kicks;

    internal KvmVcpu(KvmPartition partition, int index, KvmRunPage page)
    {
        _partition = partition;
        Index = index;
        _page = page;
        (_hypercallPort, _outLength) = (partition.HypercallPort, partition.OutLength);
        _page.Run.kvm_valid_regs = KvmRun.SyncRegs | KvmRun.SyncSregs;
        Kick.Prepare();
        KvmIoctl.Call(_page.Fd, KvmIoctl.GetRegs, "KVM_GET_REGS", ref _page.Run.regs);
        _registers.Fetch(in _page.Run);
        SaveState(_resetState);
        partition.Watchdog.Watch(this);
    }

    /// <summary>What the last exit still needs from <see cref="Complete"/>.</summary>
    private enum Answer : byte
    {
        None,
        Hypercall,
        PortWrite,
        PortRead,
        MemoryWrite,
        MemoryRead,
        Msr,
    }

    /// <inheritdoc/>
    public int Index { get; }

    /// <inheritdoc/>
    public ref GeneralRegisters Registers => ref _registers.Now;

    /// <inheritdoc/>
    public ulong Cr4 => _page.Run.sregs.cr4;

    /// <inheritdoc/>
    public ulong Xcr0 => KvmVcpuState.Xcr0(_page.Fd);

    /// <inheritdoc/>
    public ulong InstructionsRetired => 0;

    /// <inheritdoc/>
    public string? LastFailure { get; private set; }

    private bool HasPendingExit => _awaits != Answer.None || _elementsLeft > 0;

    /// <inheritdoc/>
    /// <remarks>KVM does not count instructions. The budget is one of time: a run that has not left for <see cref="KvmOptions.Watchdog"/> ends with
    /// <see cref="ExitReason.BudgetExpired"/>, whatever <paramref name="budget"/> is.</remarks>
    public void Run(long budget, out VmExit exit)
    {
        if (_elementsLeft > 0)
        {
            ShowElement(out exit);
            return;
        }

        LastFailure = _refusal;
        if (_refusal is not null)
        {
            Leave(ExitReason.EntryFailed, out exit);
            return;
        }

        DropPending();
        _activity = ActivityState.Running;
        WriteBack();
        _unfinished = false;
        _kicks.NoteThread();
        ref KvmRun run = ref _page.Run;
        while (true)
        {
            if (run.request_interrupt_window != 0 && (_registers.Now.Rflags & InterruptFlag) != 0)
            {
                // KVM keeps the answer up to date at its exits only: a KVM_RUN that is told to return at once asks anew.
                if (_page.EnterAndReturn())
                    break;
                _registers.Fetch(in run);
                if (run.ready_for_interrupt_injection != 0)
                {
                    Leave(ExitReason.InterruptWindow, out exit);
                    return;
                }
            }

            if (_kicks.TryTake(out ExitReason reason))
            {
                Leave(reason, out exit);
                return;
            }

            _kicks.CountEntry();
            int error = _page.Enter();
            _kicks.CountEntry();
            if (error == 0)
                break;
            if (KvmFailures.MeansRunAgain(error))
            {
                // First the bit, then the flags: a kick sets them in the other order, so that none is lost.
                Volatile.Write(ref run.immediate_exit, 0);
                _registers.Fetch(in run);
                continue;
            }

            KvmFailures.Note(ref run, error);
            break;
        }

        _registers.Fetch(in run);
        if (run.exit_reason == KvmExitReason.Io && KvmExitCapture.IsHypercall(in run.io, _hypercallPort))
        {
            _awaits = Answer.Hypercall;
            KvmExitCapture.CaptureHypercall(in run, _outLength, out exit);
            _registers.ShowRip(exit.Rip);
            return;
        }

        _elementsLeft = run.exit_reason == KvmExitReason.Io ? run.io.count : 0;
        _elementOffset = 0;
        if (_elementsLeft > 0)
            ShowElement(out exit);
        else
            ShowExit(out exit);
    }

    /// <inheritdoc/>
    public void Complete(ExitCompletion completion)
    {
        if (completion.Kind == CompletionKind.Fault)
        {
            CompleteWithFault(completion);
            return;
        }

        if (_awaits == Answer.Hypercall)
        {
            if (completion.Kind == CompletionKind.RetireWith)
                _registers.Now.Rax = completion.Value;
            if (_registers.HasShownRip)
                _registers.ShowRip(_registers.Now.Rip + 2);
            _awaits = Answer.None;
            return;
        }

        CompleteAccess(completion.Value);
    }

    private void CompleteAccess(ulong value)
    {
        ref KvmRun run = ref _page.Run;
        switch (_awaits)
        {
            case Answer.PortRead:
                for (int i = 0; i < run.io.size; i++)
                    _page.Data(run.io.data_offset + _elementOffset, run.io.size)[i] = (byte)(value >> (8 * i));
                break;
            case Answer.MemoryRead:
                run.mmio.data = value;
                break;
            case Answer.Msr:
                run.msr.error = 0;
                run.msr.data = value;
                break;
        }

        if (_elementsLeft > 0)
        {
            _elementsLeft--;
            _elementOffset += run.io.size;
        }

        // Also after an OUT: VMX and SVM hosts skip it at the next entry only.
        _unfinished = _awaits != Answer.None;
        _awaits = Answer.None;
    }

    /// <inheritdoc/>
    public void RequestExit() => _kicks.Request(_page);

    /// <inheritdoc/>
    public void SaveState(VcpuState state)
    {
        // At an exit that waits for its answer KVM's state is that of an instruction not yet executed. It is only read then: the answer may still
        // come.
        if (!HasPendingExit)
        {
            WriteBack();
            if (_unfinished)
                Drain();
            _registers.Set(_page.Fd, ref _page.Run);
        }

        KvmVcpuState.Save(_page.Fd, in _registers.Now, _activity, state);
    }

    /// <inheritdoc/>
    public void LoadState(VcpuState state)
    {
        if (HasPendingExit || _unfinished)
            Drain();
        _refusal = KvmVcpuState.Load(_page.Fd, state, ref _page.Run.sregs);
        _activity = state.System.Activity;
        _registers.Now = state.General;
        if (KvmVcpuState.SavesResumeFlag(in state.Pending))
            _registers.Now.Rflags |= KvmVcpuState.ResumeFlag;
        _registers.Set(_page.Fd, ref _page.Run);
    }

    /// <inheritdoc/>
    public void Reset() => LoadState(_resetState);

    /// <inheritdoc/>
    public bool TryTranslate(Gva address, out Gpa physical)
    {
        KvmSregs sregs = default;
        KvmIoctl.Call(_page.Fd, KvmIoctl.GetSregs, "KVM_GET_SREGS", ref sregs);
        return KvmPageWalk.TryTranslate(_partition.Memory, in sregs, address.Value, out physical);
    }

    /// <inheritdoc/>
    public bool TryInterrupt(byte vector)
    {
        ref KvmRun run = ref _page.Run;
        if (run.ready_for_interrupt_injection == 0)
            return false;
        uint number = vector;
        KvmIoctl.Call(_page.Fd, KvmIoctl.Interrupt, "KVM_INTERRUPT", ref number);
        run.ready_for_interrupt_injection = 0;
        _activity = ActivityState.Running;
        return true;
    }

    /// <inheritdoc/>
    public void RequestInterruptWindow(bool wanted) => _page.Run.request_interrupt_window = (byte)(wanted ? 1 : 0);

    /// <inheritdoc/>
    /// <exception cref="HvException">KVM delivers exceptions itself; the capability is absent.</exception>
    public void InterceptExceptions(uint vectors)
    {
        if (vectors != 0)
            throw new HvException("KVM delivers a guest's exceptions itself: this backend has no ExceptionIntercept capability");
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _partition.Watchdog.Forget(this);
        _page.Dispose();
    }

    /// <summary>For the watchdog.</summary>
    internal void KickIfOverdue() => _kicks.KickIfOverdue(_page);

    /// <summary>An exit that is not the guest's: it stands between two instructions.</summary>
    private void Leave(ExitReason reason, out VmExit exit) =>
        VmExit.Plain(reason, KvmExitCapture.SiteOf(in _page.Run) with { Rip = _registers.Now.Rip }, default, out exit);

    private void ShowExit(out VmExit exit)
    {
        KvmExitCapture.Capture(new KvmExitRecord(in _page.Run, 0, _hypercallPort, _outLength), out exit);
        _awaits = exit.Reason switch
        {
            ExitReason.MsrRead or ExitReason.MsrWrite => Answer.Msr,
            ExitReason.MemoryAccess => exit.Memory.IsWrite ? Answer.MemoryWrite : Answer.MemoryRead,
            _ => Answer.None,
        };
        if (exit.Reason == ExitReason.Halt)
            _activity = ActivityState.Halted;
        else if (exit.Reason == ExitReason.Shutdown)
            _activity = ActivityState.Shutdown;
        else if (exit.Reason is ExitReason.InternalError or ExitReason.EntryFailed or ExitReason.Unknown)
            LastFailure = KvmFailures.Describe(in _page.Run);
    }

    /// <summary>One element of a port access; a string instruction's come in batches.</summary>
    private void ShowElement(out VmExit exit)
    {
        ref KvmRun.IoRecord io = ref _page.Run.io;
        bool isWrite = io.direction == 1;
        ulong data = 0;
        Span<byte> bytes = _page.Data(io.data_offset + _elementOffset, io.size);
        for (int i = 0; isWrite && i < bytes.Length; i++)
            data |= (ulong)bytes[i] << (8 * i);
        KvmExitCapture.Capture(new KvmExitRecord(in _page.Run, data, _hypercallPort, _outLength), out exit);
        _awaits = isWrite ? Answer.PortWrite : Answer.PortRead;
    }

    /// <summary>Hands registers that the host changed to the next KVM_RUN. An instruction that still waits for its datum would lose it, so it is
    /// finished first.</summary>
    private void WriteBack()
    {
        if (!_registers.IsChangedFrom(in _page.Run))
            return;
        if (_unfinished)
            Drain();
        _registers.WriteBack(ref _page.Run);
    }

    /// <summary>
    /// Ends an exit that was not completed as if its instruction had not run: KVM finishes it at the next KVM_RUN, which is told to return at once,
    /// and the registers of before are put back (KVM API: state is consistent only after re-entry).
    /// </summary>
    private void DropPending()
    {
        if (!HasPendingExit)
            return;
        GeneralRegisters before = _registers.Now;
        Drain();
        _registers.Now = before;
        _registers.Set(_page.Fd, ref _page.Run);
    }

    private void Drain()
    {
        _awaits = Answer.None;
        _elementsLeft = 0;
        _unfinished = false;
        KvmRegs shown = _page.Run.regs;
        _page.Drain();
        _registers.FetchUnder(in shown, in _page.Run);
    }

    private void CompleteWithFault(ExitCompletion completion)
    {
        if (_awaits == Answer.Msr && completion is { Vector: 13, HasErrorCode: true, ErrorCode: 0 })
        {
            _page.Run.msr.error = 1;
            _awaits = Answer.None;
            return;
        }

        DropPending();
        var fault = new PendingEvent(
            PendingEventKind.Exception, completion.Vector, completion.HasErrorCode, completion.ErrorCode, completion.Address);
        KvmVcpuState.Inject(_page.Fd, in fault);
        if (KvmVcpuState.SavesResumeFlag(in fault))
            _registers.Now.Rflags |= KvmVcpuState.ResumeFlag;
    }
}
