using System.Runtime.CompilerServices;
using Hv.Core;
using Hv.Core.Exits;
using Hv.Core.Memory;
using Hv.Core.Registers;
using Hv.Cpu;
using Hv.Cpu.Blocks;
using Hv.Cpu.State;
using Hv.Cpu.System;
using Hv.Cpu.Virtualization;

namespace Hv.Backends.Emulated;

/// <summary>One processor as a vCPU: runs it, captures its event, and applies the host's answer to it.</summary>
[SkipLocalsInit]
internal sealed class EmulatedVcpu : IVcpu
{
    private readonly Processor<EmulatedVirtualization> _processor;
    private ulong _retiredBeforeReset;
    private bool _answered;

    public EmulatedVcpu(int index, GuestMemory memory, PartitionOptions options, CodeCache code)
    {
        Index = index;
        _processor = new Processor<EmulatedVirtualization>(memory, options.Cpuid, new EmulatedVirtualization(this), code);
        _processor.SeedRandom(options.RandomSeed, index);
        ResetState.Reset(_processor, bootstrap: index == 0);
    }

    /// <inheritdoc/>
    public int Index { get; }

    /// <inheritdoc/>
    public ref GeneralRegisters Registers => ref _processor.ExactRegisters;

    /// <inheritdoc/>
    public ref GeneralRegisters RegistersButFlags => ref _processor.State.Gpr;

    /// <inheritdoc/>
    public ulong Cr4 => _processor.State.Sys.Cr4;

    /// <inheritdoc/>
    public ulong Xcr0 => _processor.State.Sys.Xcr0;

    /// <inheritdoc/>
    public ulong InstructionsRetired => _processor.InstructionsRetired - _retiredBeforeReset;

    /// <summary>Never set: this backend has no entry checks and cannot fail.</summary>
    public string? LastFailure => null;

    /// <inheritdoc/>
    public IExitSink? Sink { get; set; }

    /// <inheritdoc/>
    public void Run(long budget, out VmExit exit)
    {
        _answered = false;
        RunResult result = _processor.Run(budget);
        if (_answered)
            VmExit.Plain(ExitReason.Answered, default, default, out exit);
        else
            Capture(result, out exit);
    }

    /// <summary>Offers the event that has left the guest to the sink. False: the run ends, with the event answered or not.</summary>
    internal bool Answers()
    {
        if (Sink is not { } sink)
            return false;
        Capture(RunResult.Event, out VmExit exit);
        if (sink.OnExit(in exit))
            return true;
        _answered = true;
        return false;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void Capture(RunResult result, out VmExit exit)
    {
        ref CpuState s = ref _processor.State;
        const GuestMode Mode64 = GuestMode.Protected | GuestMode.LongModeActive | GuestMode.Code64;
        GuestMode mode = _processor.Is64BitCode ? Mode64 : EmulatedExitCapture.ModeOf(in s.Gpr, in s.Sys);
        var site = new ExitSite(s.Gpr.Rip, 0, mode, s.Sys.Cpl);
        EmulatedExitCapture.Capture(new EmulatedExit(result, in _processor.Event, in s.Gpr, site), out exit);
    }

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Complete(ExitCompletion completion)
    {
        CpuEventKind kind = _processor.Event.Kind;
        if (completion.Kind == CompletionKind.Fault)
        {
            Inject(completion);
            return;
        }

        if (kind == CpuEventKind.PortIo)
            PortCompletion.Put(_processor, completion.Value);
        else if (kind is CpuEventKind.StringIo or CpuEventKind.GuestPhysicalAccess or CpuEventKind.Exception)
        {
            Repeat(kind, completion.Value);
            return;
        }
        else if (completion.Kind == CompletionKind.RetireWith)
            PutResult(kind, completion.Value);
        _processor.Retire();
    }

    /// <inheritdoc/>
    public void RequestExit() => _processor.RequestStop();

    /// <inheritdoc/>
    public void SaveState(VcpuState state) => StateTransfer.Save(_processor, state);

    /// <inheritdoc/>
    public void LoadState(VcpuState state) => StateTransfer.Load(_processor, state);

    /// <inheritdoc/>
    public void Reset()
    {
        ResetState.Reset(_processor, bootstrap: Index == 0);
        _processor.InterruptWindowWanted = false;
        _retiredBeforeReset = _processor.InstructionsRetired;
    }

    /// <inheritdoc/>
    public bool TryTranslate(Gva address, out Gpa physical) => _processor.TryTranslate(address, out physical);

    /// <inheritdoc/>
    public bool TryInterrupt(byte vector)
    {
        if (!_processor.CanInterrupt(ref _processor.State))
            return false;
        _processor.Deliver(new PendingEvent(PendingEventKind.Interrupt, vector, false, 0, 0), 0);
        return true;
    }

    /// <inheritdoc/>
    public void RequestInterruptWindow(bool wanted) => _processor.InterruptWindowWanted = wanted;

    /// <inheritdoc/>
    public void InterceptExceptions(uint vectors) => _processor.Virtualization.Exceptions = vectors;

    /// <inheritdoc/>
    public void Dispose() => _processor.Dispose();

    // Injected, so not offered for interception again; a fault of a delivery that an exit cut off combines with it (SDM 3A 6.15, table 6-5).
    [MethodImpl(MethodImplOptions.NoInlining)]
    private void Inject(ExitCompletion fault)
    {
        if (_processor.Pending.Kind != PendingEventKind.None)
            _processor.Interrupted = _processor.Pending;
        _processor.Deliver(new PendingEvent(PendingEventKind.Exception, fault.Vector, fault.HasErrorCode, fault.ErrorCode, fault.Address), 0);
    }

    private void PutResult(CpuEventKind kind, ulong value)
    {
        if (kind == CpuEventKind.Rdmsr)
            RegisterCompletion.PutPair(_processor, value);
        else if (kind == CpuEventKind.VendorInstruction)
            _processor.State.Gpr.Rax = value;
    }

    // The instruction is executed again: with this answer, so that it meets the same memory as any other access; or because the host has dealt with
    // the cause of its exception.
    [MethodImpl(MethodImplOptions.NoInlining)]
    private void Repeat(CpuEventKind kind, ulong value)
    {
        if (kind != CpuEventKind.Exception)
            _processor.CompleteDeviceAccess(value);
    }
}
