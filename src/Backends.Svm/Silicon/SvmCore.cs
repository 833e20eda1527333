using System.Runtime.CompilerServices;
using Hv.Core;
using Hv.Core.Cpuid;
using Hv.Core.Memory;
using Hv.Cpu;
using Hv.Cpu.Blocks;
using Hv.Cpu.State;
using Hv.Cpu.System;
using Hv.Cpu.Virtualization;

namespace Hv.Backends.Svm.Silicon;

/// <summary>How VMRUN ended, seen by the instruction after it.</summary>
public enum VmrunResult : byte
{
    /// <summary>The guest ran, or was refused, and a #VMEXIT wrote the VMCB.</summary>
    Exited,

    /// <summary>#UD: EFER.SVME is clear.</summary>
    UndefinedOpcode,

    /// <summary>#GP(0): the VMCB's address is not a page of memory, or VM_HSAVE_PA is not set.</summary>
    GeneralProtection,
}

/// <summary>
/// One processor with SVM: the shared engine executes the guest, this class adds VMRUN, #VMEXIT and the other SVM instructions (APM 2 chapter 15).
/// The host's own instructions are C#, so its registers are not modelled (docs/adr/0050-svm-host-is-csharp.md); between #VMEXIT and the next VMRUN
/// the engine keeps the guest's state, which is the on-chip cache that the clean bits speak of (docs/adr/0052-svm-clean-bits.md).
/// </summary>
[SkipLocalsInit]
public sealed partial class SvmCore : IDisposable
{
    private readonly HostMemory _memory;
    private readonly SiliconModel _model;
    private readonly Processor<SvmVirtualization> _cpu;
    private readonly CleanBits _cacheable;
    private readonly bool _nripSave, _decodeAssists, _pauseFilter;

    // The on-chip copy of the VMCB. Of the save area's groups only what VMRUN has loaded is here; what they have become is in the engine.
    private Vmcb _onChip;
    private Hpa _cachedAddress;
    private VmcbPage _cachedPage;
    private bool _isCached;

    private VmcbSegments _packed;
    private ulong _packedVersion;

    private ExitRecord _exit;
    private uint _pausesLeft;

    /// <summary>Makes a processor at its reset state: SVM off, GIF set.</summary>
    /// <param name="guest">The slots that system-physical addresses below <see cref="HostMemory.Base"/> reach.</param>
    /// <param name="memory">The hypervisor's part of physical memory.</param>
    /// <param name="model">What the processor can do.</param>
    /// <param name="cpuid">What CPUID answers when it is not intercepted.</param>
    /// <param name="code">Decoded code that the processors of one guest share, or null.</param>
    public SvmCore(GuestMemory guest, HostMemory memory, SiliconModel model, CpuidTable cpuid, CodeCache? code = null)
    {
        _memory = memory;
        _model = model;
        _cpu = new Processor<SvmVirtualization>(guest, cpuid, new SvmVirtualization(this), code) { Rules = VendorRules.Apm };
        _cacheable = model.Has(SvmFeatures.VmcbClean) ? CleanBits.All : CleanBits.None;
        _nripSave = model.Has(SvmFeatures.NripSave);
        _decodeAssists = model.Has(SvmFeatures.DecodeAssists);
        _pauseFilter = model.Has(SvmFeatures.PauseFilter);
        Msrs = new HostMsrs(model);
        Gif = true;
    }

    /// <summary>The engine. Its state between two VMRUNs is the guest's.</summary>
    public Processor<SvmVirtualization> Engine => _cpu;

    /// <summary>The host's registers that govern SVM.</summary>
    public HostMsrs Msrs { get; }

    /// <summary>The global interrupt flag: while it is clear physical interrupts wait (APM 2 15.17).</summary>
    public bool Gif { get; private set; }

    /// <summary>Why the last VMRUN was refused: field and rule. Null when it was not.</summary>
    public string? Refusal { get; private set; }

    /// <summary>
    /// VMRUN: checks and loads the guest's state, runs it until a #VMEXIT, and saves (APM 2 15.5, 15.6). The host's timer is the modelled
    /// machine's only physical interrupt: it fires after <paramref name="budget"/> guest instructions, or at once when another thread stops the
    /// engine, and is the exit VMEXIT_INTR.
    /// </summary>
    /// <param name="address">The VMCB.</param>
    /// <param name="budget">Guest instructions until the timer fires, at least 1.</param>
    public VmrunResult Vmrun(Hpa address, long budget)
    {
        if (!Msrs.SvmEnabled)
            return VmrunResult.UndefinedOpcode;
        bool same = _isCached && address == _cachedAddress;
        VmcbPage page = same ? _cachedPage : _memory.VmcbPageAt(address);
        if (!page.Exists || Msrs.HostSaveArea.Value == 0)
            return VmrunResult.GeneralProtection;

        Gif = true;
        ref Vmcb vmcb = ref page.Vmcb;
        ref CpuState s = ref _cpu.State;
        CleanBits clean = same ? vmcb.Control.Clean & _cacheable : CleanBits.None;
        bool entered = clean == CleanBits.All && !vmcb.Control.EventInj.Valid && vmcb.Control.TlbControl == TlbControl.Nothing
            ? LoadAlways(ref s, in vmcb, false) : Enter(ref s, in vmcb, clean);
        if (!entered)
        {
            Invalid(ref vmcb);
            return VmrunResult.Exited;
        }

        _cachedAddress = address;
        _cachedPage = page;
        _isCached = true;
        Execute(ref s, budget);
        Exit(ref s, ref vmcb);
        return VmrunResult.Exited;
    }

    /// <inheritdoc/>
    public void Dispose() => _cpu.Dispose();

    /// <summary>Asked by the engine whether an event leaves the guest. Also true for SVM instructions that the core executes itself.</summary>
    internal bool Intercepts(ref CpuEvent e)
    {
        ref CpuState s = ref _cpu.State;
        if (e.Kind == CpuEventKind.VendorInstruction && !AdmitSvmInstruction(in s, in e))
            return _action != CoreAction.None;
        switch (e.Kind)
        {
            case CpuEventKind.GuestPhysicalAccess:
                return NestedFaults(in e);
            case CpuEventKind.InterruptWindow:
                _exit = new ExitRecord(SvmExitCode.VINTR, 0, 0, false);
                return true;
            case CpuEventKind.ExternalInterrupt:
                _onChip.Control.VirtualInterrupt = _onChip.Control.VirtualInterrupt.WithoutIrq();
                return false;
        }

        if (Interception.Decide(in _onChip.Control, in s, in e, _memory, _decodeAssists, out _exit))
            return e.Kind != CpuEventKind.Pause || PauseFilterExpires();
        if (e.Kind == CpuEventKind.VendorInstruction)
            return ExecutesItself(in e);
        if (e.Kind is CpuEventKind.Rdtsc or CpuEventKind.Rdtscp)
            e.Value += _onChip.Control.TscOffset;
        else if (e.Kind == CpuEventKind.CrWrite && e.Index == 8 && e.Value <= 15 && _onChip.Control.VirtualInterrupt.Irq)
            ArmVirtualInterrupt((byte)e.Value);
        return false;
    }

    /// <summary>Asked by the engine at a miss of its translation cache.</summary>
    internal bool TranslateGuestPhysical(ulong address, GuestAccess access, out Gpa host, out bool writable)
    {
        if (!NestedPagingEnabled)
        {
            host = new Gpa(address);
            writable = true;
            return address < HostMemory.Base;
        }

        NestedFault fault = WalkNested(address, access, out NestedTranslation translation);
        host = new Gpa(translation.Address.Value | (address & (Hpa.PageSize - 1)));
        writable = translation.Writable;
        // What the hypervisor owns is not the guest's, whatever the tables say: the engine reaches slots alone.
        return fault == NestedFault.None && translation.Address.Value < HostMemory.Base;
    }

    private bool NestedPagingEnabled => (_onChip.Control.NestedControl & NestedControl.NestedPaging) != 0 && _model.Has(SvmFeatures.NestedPaging);

    private NestedFault WalkNested(ulong address, GuestAccess access, out NestedTranslation translation)
    {
        // A walk of the guest's tables is a write at this level, so that accessed and dirty bits can be set, unless the hypervisor has read-only
        // guest tables on (APM 2 15.25.5, 15.25.16); it is never a fetch.
        bool isTable = (access & GuestAccess.PageWalk) != 0;
        bool isWrite = (access & GuestAccess.Write) != 0 || (isTable && !ReadOnlyGuestTables);
        bool isFetch = (access & GuestAccess.Execute) != 0 && !isTable;
        return NestedPageWalker.Walk(_memory, _onChip.Control.NestedCr3, _model.PhysicalAddressBits, address, isWrite, isFetch, out translation);
    }

    private bool ReadOnlyGuestTables =>
        (_onChip.Control.NestedControl & NestedControl.ReadOnlyGuestTables) != 0 && _model.Has(SvmFeatures.ReadOnlyGuestTables);

    // The slots refused a translation that the nested tables allow: nothing answers at that system-physical address, and the engine reads ones.
    private bool NestedFaults(in CpuEvent e)
    {
        if (!NestedPagingEnabled)
            return false;
        NestedFault fault = WalkNested(e.Address, e.Access, out _);
        if (fault == NestedFault.None)
            return false;
        _exit = Interception.NestedFaultRecord(fault, (e.Access & GuestAccess.PageWalk) != 0, e.Address);
        return true;
    }

    // APM 2 15.14.4: the count is loaded at VMRUN, each PAUSE takes one off, and at 0 it exits.
    private bool PauseFilterExpires()
    {
        if (!_pauseFilter || _pausesLeft == 0)
            return true;
        _pausesLeft--;
        return false;
    }
}
