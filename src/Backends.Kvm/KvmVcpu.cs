using System.Runtime.InteropServices;
using Hv.Backends.Kvm.Abi;
using Hv.Backends.Kvm.Native;
using Hv.Core;
using Hv.Core.Exits;
using Hv.Core.Registers;

namespace Hv.Backends.Kvm;

/// <summary>
/// A vCPU of /dev/kvm. Registers travel in the synced part of the shared page, so that an exit costs one ioctl; everything else is fetched only when
/// state is saved. RIP at an OUT exit differs between hosts and is never written back unless the host changed it.
/// </summary>
// SAFETY: the run page is mapped from construction to Dispose and as long as KVM said; ioctls get pointers to locals for one call.
public sealed unsafe class KvmVcpu : IVcpu
{
    private const ulong InterruptFlag = 1 << 9;

    private readonly KvmPartition _partition;
    private readonly int _fd;
    private readonly KvmRun* _run;
    private readonly nuint _runSize;
    private readonly VcpuState _resetState = new();

    private GeneralRegisters _registers;
    private GeneralRegisters _shown;
    private Answer _awaits;
    private bool _unfinished;
    private uint _elementsLeft;
    private ulong _elementOffset;
    private int _thread;
    private int _exitRequested;
    private ActivityState _activity;
    private string? _refusal;

    internal KvmVcpu(KvmPartition partition, int index, int fd, nuint runSize)
    {
        _partition = partition;
        Index = index;
        _fd = fd;
        _runSize = runSize;
        // SAFETY: the kernel's mapping of runSize bytes starts with struct kvm_run; unmapped in Dispose only.
        void* page = Libc.MemoryMap(null, runSize, Libc.ProtectReadWrite, Libc.MapShared, fd, 0);
        if ((nint)page == -1)
        {
            HvException failure = KvmIoctl.Failure("mmap of the vCPU's page");
            _ = Libc.Close(fd);
            throw failure;
        }

        _run = (KvmRun*)page;
        _run->kvm_valid_regs = KvmRun.SyncRegs | KvmRun.SyncSregs;
        Kick.Prepare();
        KvmIoctl.Call(fd, KvmIoctl.GetRegs, "KVM_GET_REGS", ref _run->regs);
        FetchRegisters();
        SaveState(_resetState);
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
    public ref GeneralRegisters Registers => ref _registers;

    /// <inheritdoc/>
    public ulong Cr4 => _run->sregs.cr4;

    /// <inheritdoc/>
    public ulong Xcr0 => KvmStateTransfer.Xcr0(_fd);

    /// <inheritdoc/>
    public ulong InstructionsRetired => 0;

    /// <inheritdoc/>
    public string? LastFailure { get; private set; }

    /// <inheritdoc/>
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
            VmExit.Plain(ExitReason.EntryFailed, new ExitSite(_registers.Rip, 0, GuestMode.Real, 0), default, out exit);
            return;
        }

        DropPending();
        _activity = ActivityState.Running;
        WriteBack();
        _unfinished = false;
        _thread = Libc.ThreadId();
        while (true)
        {
            if (_run->request_interrupt_window != 0 && CanInterrupt())
            {
                VmExit.Plain(ExitReason.InterruptWindow, new ExitSite(_registers.Rip, 0, GuestMode.Real, 0), default, out exit);
                return;
            }

            if (Interlocked.Exchange(ref _exitRequested, 0) != 0)
            {
                VmExit.Plain(ExitReason.Cancelled, new ExitSite(_registers.Rip, 0, GuestMode.Real, 0), default, out exit);
                return;
            }

            if (Libc.Ioctl(_fd, KvmIoctl.Run, null) == 0)
                break;
            int error = Marshal.GetLastPInvokeError();
            if (error is Libc.Eintr or Libc.Eagain)
            {
                Volatile.Write(ref _run->immediate_exit, 0);
                continue;
            }

            _run->exit_reason = KvmExitReason.RunFailed;
            _run->hardware_reason = (uint)error;
            break;
        }

        FetchRegisters();
        _elementsLeft = _run->exit_reason == KvmExitReason.Io ? _run->io.count : 0;
        _elementOffset = 0;
        if (_elementsLeft > 0)
        {
            ShowElement(out exit);
            return;
        }

        KvmExitCapture.Capture(new KvmExitRecord(in *_run, 0, _partition.HypercallPort, _partition.OutLength), out exit);
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
            LastFailure = KvmFailures.Describe(in *_run);
    }

    /// <inheritdoc/>
    public void Complete(in ExitCompletion completion)
    {
        if (completion.Kind == CompletionKind.Fault)
        {
            CompleteWithFault(completion);
            return;
        }

        ulong value = completion.Value;
        switch (_awaits)
        {
            case Answer.Hypercall:
                if (completion.Kind == CompletionKind.RetireWith)
                    _registers.Rax = value;
                if (_registers.Rip == _shown.Rip)
                    _registers.Rip = _shown.Rip += 2;
                break;
            case Answer.PortRead:
                // SAFETY: the element lies in the mapping, as ShowElement has checked.
                new ReadOnlySpan<byte>(&value, _run->io.size).CopyTo(new Span<byte>((byte*)_run + _run->io.data_offset + _elementOffset,
                    _run->io.size));
                break;
            case Answer.MemoryRead:
                _run->mmio.data = value;
                break;
            case Answer.Msr:
                _run->msr.error = 0;
                _run->msr.data = value;
                break;
        }

        if (_elementsLeft > 0)
        {
            _elementsLeft--;
            _elementOffset += _run->io.size;
        }

        _unfinished = _awaits is Answer.PortRead or Answer.MemoryRead or Answer.MemoryWrite or Answer.Msr;
        _awaits = Answer.None;
    }

    /// <inheritdoc/>
    public void RequestExit()
    {
        Volatile.Write(ref _exitRequested, 1);
        Volatile.Write(ref _run->immediate_exit, 1);
        int thread = Volatile.Read(ref _thread);
        if (thread != 0)
            Kick.Interrupt(thread);
    }

    /// <inheritdoc/>
    public void SaveState(VcpuState state)
    {
        // At an exit that waits for its answer KVM's state is that of an instruction not yet executed. It is only read then: the answer may still
        // come.
        if (_awaits == Answer.None && _elementsLeft == 0)
        {
            Finish();
            SetRegisters();
        }

        state.General = _registers;
        KvmSregs sregs = default;
        KvmIoctl.Call(_fd, KvmIoctl.GetSregs, "KVM_GET_SREGS", ref sregs);
        KvmStateTransfer.ToNeutral(in sregs, ref state.System);
        state.System.Activity = _activity;
        KvmStateTransfer.SaveRest(_fd, state);
    }

    /// <inheritdoc/>
    public void LoadState(VcpuState state)
    {
        DropPending();
        Finish();
        KvmSregs sregs = default;
        KvmIoctl.Call(_fd, KvmIoctl.GetSregs, "KVM_GET_SREGS", ref sregs);
        KvmStateTransfer.FromNeutral(in state.System, ref sregs);
        _refusal = KvmIoctl.Offer(_fd, KvmIoctl.SetSregs, "KVM_SET_SREGS", ref sregs)
            ? KvmStateTransfer.LoadRest(_fd, state)
            : $"KVM_SET_SREGS refuses the state: CR0 0x{sregs.cr0:x}, CR3 0x{sregs.cr3:x}, CR4 0x{sregs.cr4:x}, EFER 0x{sregs.efer:x}";
        _activity = state.System.Activity;
        _registers = state.General;
        SetRegisters();
        _run->sregs = sregs;
    }

    /// <inheritdoc/>
    public void Reset() => LoadState(_resetState);

    /// <inheritdoc/>
    public bool TryTranslate(Gva address, out Gpa physical)
    {
        KvmSregs sregs = default;
        KvmIoctl.Call(_fd, KvmIoctl.GetSregs, "KVM_GET_SREGS", ref sregs);
        return KvmPageWalk.TryTranslate(_partition.Memory, in sregs, address.Value, out physical);
    }

    /// <inheritdoc/>
    public bool TryInterrupt(byte vector)
    {
        if (_run->ready_for_interrupt_injection == 0)
            return false;
        uint number = vector;
        KvmIoctl.Call(_fd, KvmIoctl.Interrupt, "KVM_INTERRUPT", ref number);
        _run->ready_for_interrupt_injection = 0;
        _activity = ActivityState.Running;
        return true;
    }

    /// <inheritdoc/>
    public void RequestInterruptWindow(bool wanted) => _run->request_interrupt_window = (byte)(wanted ? 1 : 0);

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
        _ = Libc.MemoryUnmap(_run, _runSize);
        _ = Libc.Close(_fd);
        GC.SuppressFinalize(this);
    }

    private void ShowElement(out VmExit exit)
    {
        ref KvmRun.IoRecord io = ref _run->io;
        ulong data = 0;
        if (io.size is not (1 or 2 or 4) || io.data_offset + _elementOffset + io.size > _runSize)
        {
            throw new HvException(
                $"KVM: port exit with size {io.size} and data at {io.data_offset + _elementOffset} outside the vCPU's {_runSize} bytes");
        }

        if (io.direction == 1)
        {
            // SAFETY: checked above to lie in the mapping of _runSize bytes.
            new ReadOnlySpan<byte>((byte*)_run + io.data_offset + _elementOffset, io.size).CopyTo(new Span<byte>(&data, 8));
        }

        KvmExitCapture.Capture(new KvmExitRecord(in *_run, data, _partition.HypercallPort, _partition.OutLength), out exit);
        if (exit.Reason == ExitReason.Hypercall)
        {
            _awaits = Answer.Hypercall;
            _registers.Rip = _shown.Rip = exit.Rip;
        }
        else
        {
            _awaits = io.direction == 1 ? Answer.PortWrite : Answer.PortRead;
        }
    }

    /// <summary>Copies the synced registers out. <c>_shown</c> keeps what the host was shown, to see what it changed.</summary>
    private void FetchRegisters()
    {
        KvmStateTransfer.ToNeutral(in _run->regs, ref _registers);
        _shown = _registers;
    }

    /// <summary>
    /// Hands registers that the host changed to the next KVM_RUN. Others are left alone: at an OUT exit some hosts skip the instruction only then,
    /// and compare RIP to decide; and an instruction that still waits for its datum would lose it, so it is finished first.
    /// </summary>
    private void WriteBack()
    {
        if (Same(in _registers, in _shown))
            return;
        if (_unfinished)
        {
            GeneralRegisters wanted = _registers, shown = _shown;
            Drain();
            FetchRegisters();
            Merge(in wanted, in shown);
        }

        ulong rip = _run->regs.rip;
        KvmStateTransfer.FromNeutral(in _registers, ref _run->regs);
        if (_registers.Rip == _shown.Rip)
            _run->regs.rip = rip;
        _run->kvm_dirty_regs = KvmRun.SyncRegs;
    }

    /// <summary>Puts what the host changed over what the finished instruction wrote.</summary>
    private void Merge(in GeneralRegisters wanted, in GeneralRegisters shown)
    {
        ReadOnlySpan<ulong> to = Words(in wanted), from = Words(in shown);
        Span<ulong> now = MemoryMarshal.CreateSpan(ref _registers.Rax, to.Length);
        for (int i = 0; i < now.Length; i++)
        {
            if (to[i] != from[i])
                now[i] = to[i];
        }
    }

    private static bool Same(in GeneralRegisters a, in GeneralRegisters b) => Words(in a).SequenceEqual(Words(in b));

    private static ReadOnlySpan<ulong> Words(in GeneralRegisters registers) =>
        MemoryMarshal.CreateReadOnlySpan(in registers.Rax, sizeof(GeneralRegisters) / sizeof(ulong));

    private void SetRegisters()
    {
        KvmStateTransfer.FromNeutral(in _registers, ref _run->regs);
        KvmIoctl.Call(_fd, KvmIoctl.SetRegs, "KVM_SET_REGS", ref _run->regs);
        _run->kvm_dirty_regs = 0;
        _shown = _registers;
    }

    /// <summary>
    /// Ends an exit that was not completed as if its instruction had not run: KVM finishes it at the next KVM_RUN, which is told to return at once,
    /// and the registers of before are put back (KVM API: state is consistent only after re-entry).
    /// </summary>
    private void DropPending()
    {
        if (_awaits == Answer.None && _elementsLeft == 0)
            return;
        GeneralRegisters before = _registers;
        Drain();
        _registers = before;
        SetRegisters();
    }

    /// <summary>Lets KVM finish an instruction that was answered, so that the registers are those after it.</summary>
    private void Finish()
    {
        WriteBack();
        if (!_unfinished)
            return;
        Drain();
        FetchRegisters();
    }

    /// <summary>
    /// Whether an interrupt could be taken before the next instruction. KVM keeps the answer up to date at its exits only: here a KVM_RUN that is told to return
    /// at once asks anew. An instruction that waits for its datum comes first.
    /// </summary>
    private bool CanInterrupt()
    {
        if (_unfinished || (_registers.Rflags & InterruptFlag) == 0)
            return false;
        Volatile.Write(ref _run->immediate_exit, 1);
        bool entered = Libc.Ioctl(_fd, KvmIoctl.Run, null) == 0;
        Volatile.Write(ref _run->immediate_exit, 0);
        return !entered && _run->ready_for_interrupt_injection != 0;
    }

    private void Drain()
    {
        _awaits = Answer.None;
        _elementsLeft = 0;
        _run->kvm_dirty_regs = 0;
        for (int i = 0; i < 16; i++)
        {
            // A read-modify-write of a hole asks twice; each round answers one question.
            Volatile.Write(ref _run->immediate_exit, 1);
            if (Libc.Ioctl(_fd, KvmIoctl.Run, null) != 0)
                break;
        }

        Volatile.Write(ref _run->immediate_exit, 0);
        _unfinished = false;
    }

    private void CompleteWithFault(in ExitCompletion completion)
    {
        if (_awaits == Answer.Msr && completion is { Vector: 13, HasErrorCode: true, ErrorCode: 0 })
        {
            _run->msr.error = 1;
            _awaits = Answer.None;
            return;
        }

        DropPending();
        var events = default(KvmVcpuEvents);
        KvmIoctl.Call(_fd, KvmIoctl.GetVcpuEvents, "KVM_GET_VCPU_EVENTS", ref events);
        KvmStateTransfer.Queue(ref events,
            new PendingEvent(PendingEventKind.Exception, completion.Vector, completion.HasErrorCode, completion.ErrorCode, completion.Address));
        KvmIoctl.Call(_fd, KvmIoctl.SetVcpuEvents, "KVM_SET_VCPU_EVENTS", ref events);
        if (completion.Vector == 14)
        {
            KvmSregs sregs = default;
            KvmIoctl.Call(_fd, KvmIoctl.GetSregs, "KVM_GET_SREGS", ref sregs);
            sregs.cr2 = completion.Address;
            KvmIoctl.Call(_fd, KvmIoctl.SetSregs, "KVM_SET_SREGS", ref sregs);
        }
    }
}
