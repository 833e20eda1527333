using System.Runtime.CompilerServices;
using Hv.Backends.Vmx.Silicon.Entry;
using Hv.Backends.Vmx.Silicon.Exit;
using Hv.Backends.Vmx.Silicon.Fields;
using Hv.Cpu;
using Hv.Cpu.State;
using static Hv.Backends.Vmx.Silicon.RegisterBits;

namespace Hv.Backends.Vmx.Silicon.Operation;

[SkipLocalsInit]
public sealed partial class LogicalProcessor
{
    private readonly GuestRegisters _guest = new();
    private readonly EntryContext _context;
    private Processor<VmxVirtualization>? _processor;

    /// <summary>Makes a logical processor outside VMX operation.</summary>
    public LogicalProcessor(HostPhysicalMemory memory, VmxCapabilities capabilities)
    {
        _memory = memory;
        _capabilities = capabilities;
        Vmcs = new Vmcs(_guest);
        _context = new EntryContext(Vmcs, capabilities, memory);
        foreach (ref readonly VmcsFieldInfo row in VmcsFieldTable.All)
            _exists[row.Encoding.Slot] = capabilities.Has(row.Feature);
    }

    /// <summary>The current VMCS on chip. Meaningful while there is one.</summary>
    public Vmcs Vmcs { get; }

    /// <summary>After a refused entry: the field and the rule, in one line. Else null.</summary>
    public string? Refusal { get; private set; }

    /// <summary>Runs every entry check at every entry, written or not; for tests of the claim that the skipped ones would pass.</summary>
    public bool ChecksEverything { get; init; }

    /// <summary>Gives the logical processor what executes guest instructions. Before the first VM entry, once.</summary>
    public void Attach(Processor<VmxVirtualization> processor)
    {
        _processor = processor;
        _guest.Attach(processor);
    }

    /// <summary>VMLAUNCH: enters the guest and comes back at its VM exit, whose information is in the VMCS.</summary>
    public VmxResult Vmlaunch() => Enter(VmcsLaunchState.Clear, VmxError.VmlaunchNotClear);

    /// <summary>VMRESUME: as <see cref="Vmlaunch"/>, for a VMCS that was launched.</summary>
    public VmxResult Vmresume() => Enter(VmcsLaunchState.Launched, VmxError.VmresumeNotLaunched);

    // SDM 3C 27.1 to 27.8, in that order.
    private VmxResult Enter(VmcsLaunchState required, VmxError wrongState)
    {
        if (!MayExecute(out VmxResult fault))
            return fault;
        if (_current == NoPointer)
            return VmxResult.FailInvalid;
        if (Root.BlockingByMovSs)
            return Fail(VmxError.EntryMovSsBlocking);
        if (Vmcs.LaunchState != required)
            return Fail(wrongState);

        Refusal = null;
        VmcsGroup written = Vmcs.Written;
        bool known = EntryRules.Hold(Vmcs, written) && !ChecksEverything;
        if (!known && FirstBroken(written) is { } rule)
            return Refuse(rule);

        Processor<VmxVirtualization> processor = _processor!;
        bool loadsMsrs = Vmcs[VmcsField.EntryMsrLoadCount] != 0;
        if (loadsMsrs && RefusesMsrs())
            return VmxResult.Succeed;

        Vmcs.LoadGuest();
        Vmcs.LaunchState = VmcsLaunchState.Launched;
        if (loadsMsrs)
            MsrAreas.Load(Vmcs, _memory, processor);
        var injection = new InterruptionInfo((uint)Vmcs[VmcsField.EntryInterruptionInfo]);
        ulong debug = _guest.TakePendingDebug();
        if (injection.IsValid)
            EventTransfer.Inject(processor, injection, (uint)Vmcs[VmcsField.EntryErrorCode], (byte)Vmcs[VmcsField.EntryInstructionLength]);
        else if (debug != 0)
            EventTransfer.RaiseDebug(processor, debug);
        Execute(processor);
        return VmxResult.Succeed;
    }

    private bool RefusesMsrs()
    {
        int entry = MsrAreas.FirstRefused(Vmcs, _memory, VmcsField.EntryMsrLoadAddress, VmcsField.EntryMsrLoadCount);
        if (entry == 0)
            return false;
        Refusal = $"VM entry refused: entry {entry} of the VM-entry MSR-load area: SDM 3C 27.4";
        ExitRecorder.EntryFailure(Vmcs, VmxExitReason.EntryFailureMsrLoading, (ulong)entry);
        return true;
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private EntryRule? FirstBroken(VmcsGroup written)
    {
        if ((written & (VmcsGroup.Controls | VmcsGroup.NonRegister)) != 0)
        {
            _context.VmcsPointer = _current;
            _context.HostInLongMode = (Root.Efer & EferLma) != 0;
        }

        return EntryRules.FirstBroken(_context, ChecksEverything ? VmcsGroup.All : written);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private VmxResult Refuse(EntryRule rule)
    {
        Refusal = rule.Explain(_context);
        switch (rule.Refusal)
        {
            case EntryRefusal.Controls:
                return Fail(VmxError.EntryInvalidControls);
            case EntryRefusal.HostState:
                return Fail(VmxError.EntryInvalidHostState);
            default:
                ExitRecorder.EntryFailure(Vmcs, VmxExitReason.EntryFailureGuestState, (ulong)rule.Qualification);
                return VmxResult.Succeed;
        }
    }

    private void Execute(Processor<VmxVirtualization> processor)
    {
        bool timed = (Vmcs[VmcsField.PinBasedControls] & (uint)PinBased.ActivatePreemptionTimer) != 0;
        long budget = timed ? (long)Vmcs[VmcsField.PreemptionTimer] : long.MaxValue;
        processor.InterruptWindowWanted = (Vmcs[VmcsField.PrimaryControls] & (uint)Primary.InterruptWindowExiting) != 0;
        RunResult result = budget == 0 ? RunResult.Budget : processor.Run(budget);
        ref CpuState s = ref processor.State;
        if (result != RunResult.Event)
        {
            // A halted or shut-down processor waits until the timer runs out; without one, until the host's next interrupt (SDM 3C 25.4.2, 26.5.1).
            bool interrupted = result == RunResult.Stopped || !timed;
            processor.Event = default;
            ExitRecorder.Basic(Vmcs, (uint)(interrupted ? VmxExitReason.ExternalInterrupt : VmxExitReason.PreemptionTimer), 0, 0);
            CutDelivery(processor);
        }

        if (timed && (Vmcs[VmcsField.ExitControls] & (uint)ExitControl.SavePreemptionTimer) != 0)
            Vmcs.Record(VmcsField.PreemptionTimer, result is RunResult.Event or RunResult.Stopped ? (ulong)s.Remaining : 0);
        // IA32_VMX_MISC[5]: EFER.LMA is stored into the IA-32e mode guest control (SDM 3C 28.2).
        ulong controls = Vmcs[VmcsField.EntryControls];
        ulong ia32e = (s.Sys.Efer & EferLma) != 0 ? controls | (uint)EntryControl.Ia32eModeGuest : controls & ~(ulong)EntryControl.Ia32eModeGuest;
        if (ia32e != controls)
            Vmcs.Record(VmcsField.EntryControls, ia32e);
        if (Vmcs[VmcsField.ExitMsrStoreCount] != 0)
            MsrAreas.Store(Vmcs, _memory, processor);
    }

    private void CutDelivery(Processor processor)
    {
        if (processor.HasDelivery)
            RecordCut(processor);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private void RecordCut(Processor processor)
    {
        if (EventTransfer.TryCut(processor, out InterruptionInfo cut, out uint errorCode, out byte length))
            ExitRecorder.Vectoring(Vmcs, cut, errorCode, length);
    }

    private void FlushTranslations() => _processor?.FlushTlb(false);
}
