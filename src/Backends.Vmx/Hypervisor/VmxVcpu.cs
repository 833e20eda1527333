using System.Runtime.CompilerServices;
using Hv.Backends.Vmx.Hypervisor.Capture;
using Hv.Backends.Vmx.Silicon;
using Hv.Backends.Vmx.Silicon.Exit;
using Hv.Backends.Vmx.Silicon.Fields;
using Hv.Backends.Vmx.Silicon.Operation;
using Hv.Core;
using Hv.Core.Exits;
using Hv.Core.Registers;
using Hv.Cpu;
using Hv.Cpu.Virtualization;

namespace Hv.Backends.Vmx.Hypervisor;

/// <summary>
/// A vCPU as a hypervisor on VMX runs it: one VMCS, VMLAUNCH and then VMRESUME, exits read from the VMCS, answers written into it. The general
/// registers
/// are not in a VMCS: they stay in the processor, as a hypervisor's saved copy would.
/// </summary>
[SkipLocalsInit]
internal sealed partial class VmxVcpu : IVcpu
{
    private const ulong EntryFailure = 1UL << 31, AllContexts = 2;

    private readonly VmxPartition _partition;
    private readonly LogicalProcessor _cpu;
    private readonly Processor<VmxVirtualization> _processor;
    private readonly ulong _vmxonRegion, _vmcsRegion;

    // The exits that are no business of the host's, a bit for each reason below 64; TryHandle answers them.
    private const ulong OwnExits = 1UL << (int)VmxExitReason.TaskSwitch | 1UL << (int)VmxExitReason.Invd | 1UL << (int)VmxExitReason.Vmclear
        | 1UL << (int)VmxExitReason.Vmlaunch | 1UL << (int)VmxExitReason.Vmptrld | 1UL << (int)VmxExitReason.Vmptrst
        | 1UL << (int)VmxExitReason.Vmread | 1UL << (int)VmxExitReason.Vmresume | 1UL << (int)VmxExitReason.Vmwrite
        | 1UL << (int)VmxExitReason.Vmxoff | 1UL << (int)VmxExitReason.Vmxon | 1UL << (int)VmxExitReason.ControlRegisterAccess
        | 1UL << (int)VmxExitReason.Invept | 1UL << (int)VmxExitReason.PreemptionTimer | 1UL << (int)VmxExitReason.Invvpid
        | 1UL << (int)VmxExitReason.Xsetbv;

    // What completion must know of the last exit; the rest of it is still in the VMCS.
    private ExitReason _exit;
    private GuestMode _exitMode;

    // RIP as the VMCS has it: a difference to Registers is the host's write.
    private ulong _rip;
    private ulong _retiredBeforeReset;
    private int _eptVersion;
    private bool _launched;

    public VmxVcpu(VmxPartition partition, int index)
    {
        _partition = partition;
        Index = index;
        _cpu = new LogicalProcessor(partition.Host, VmxCapabilities.Model) { ChecksEverything = partition.ChecksEverything };
        _processor = new Processor<VmxVirtualization>(partition.Memory, partition.Options.Cpuid, new VmxVirtualization(_cpu), partition.Code);
        _processor.SeedRandom(partition.Options.RandomSeed, index);
        _cpu.Attach(_processor);
        _vmxonRegion = NewRegion();
        _vmcsRegion = NewRegion();
        _cpu.Root.Cr4 |= RegisterBits.Cr4Vmxe;
        Demand(_cpu.Vmxon(_vmxonRegion), "VMXON");
        Demand(_cpu.Vmclear(_vmcsRegion), "VMCLEAR");
        Demand(_cpu.Vmptrld(_vmcsRegion), "VMPTRLD");
        VmcsSetup.Write(_cpu, partition);
        Reset();
    }

    /// <inheritdoc/>
    public int Index { get; }

    /// <inheritdoc/>
    public ref GeneralRegisters Registers => ref _processor.ExactRegisters;

    /// <inheritdoc/>
    public ref GeneralRegisters RegistersButFlags => ref _processor.State.Gpr;

    /// <inheritdoc/>
    public ulong Cr4 => StateConversion.Cr4(_cpu);

    /// <summary>XCR0, which is in no VMCS field: guest and hypervisor share it.</summary>
    public ulong Xcr0 => _processor.State.Sys.Xcr0;

    /// <inheritdoc/>
    public ulong InstructionsRetired => _processor.InstructionsRetired - _retiredBeforeReset;

    /// <inheritdoc/>
    public string? LastFailure { get; private set; }

    /// <summary>The machine's memory, for tests.</summary>
    internal HostPhysicalMemory HostMemory => _partition.Host;

    /// <summary>The silicon, for tests.</summary>
    internal LogicalProcessor Silicon => _cpu;

    /// <inheritdoc/>
    public void Run(long budget, out VmExit exit)
    {
        LastFailure = null;
        _answered = false;
        Prepare();
        while (true)
        {
            ulong ticks = (ulong)Math.Min(budget, uint.MaxValue);
            ulong before = _processor.InstructionsRetired;
            _cpu.Vmwrite(VmcsField.PreemptionTimer, ticks);
            VmxResult result = _launched ? _cpu.Vmresume() : _cpu.Vmlaunch();
            ulong reason = _cpu.Vmread(VmcsField.ExitReason);
            if (!result.IsSuccess || (reason & EntryFailure) != 0)
            {
                Refused(result, out exit);
                break;
            }

            _launched = true;
            if ((OwnExits >> (int)reason & 1) == 0 || !TryHandle((VmxExitReason)reason))
            {
                KeepVectoring();
                VmxExitCapture.Capture(new VmcsExitFields(_cpu.Vmcs, _processor), out exit);
                if (exit.Reason is ExitReason.Halt or ExitReason.Shutdown or ExitReason.BudgetExpired or ExitReason.InterruptWindow)
                    Settle(ref exit);
                break;
            }

            // The exit was the hypervisor's own; what it took counts against the budget.
            budget -= (long)(_processor.InstructionsRetired - before);
            if (budget <= 0)
            {
                VmExit.Plain(ExitReason.BudgetExpired, Site(), new RawExit((ulong)VmxExitReason.PreemptionTimer, 0, 0), out exit);
                break;
            }

            Prepare();
        }

        _exit = exit.Reason;
        _exitMode = exit.Mode;
        _rip = _processor.State.Gpr.Rip;
    }

    /// <inheritdoc/>
    public void RequestExit() => _processor.RequestStop();

    /// <inheritdoc/>
    public bool TryTranslate(Gva address, out Gpa physical) => _processor.TryTranslate(address, out physical);

    /// <inheritdoc/>
    public void InterceptExceptions(uint vectors) => _cpu.Vmwrite(VmcsField.ExceptionBitmap, vectors);

    /// <inheritdoc/>
    public void Dispose()
    {
        _processor.Dispose();
        _partition.Host.FreePage(_vmcsRegion);
        _partition.Host.FreePage(_vmxonRegion);
    }

    /// <summary>What the host changed since the last exit goes into the VMCS, and with it the event that is to be delivered first.</summary>
    private void Prepare()
    {
        SyncRegisters();
        if (_eptVersion != _partition.EptVersion)
        {
            _eptVersion = _partition.EptVersion;
            _cpu.Vmwrite(VmcsField.EptPointer, _partition.EptPointer);
            _cpu.Invept(AllContexts, 0);
        }

        if (_inject.IsValid)
            WriteInjection();
    }

    private void SyncRegisters()
    {
        ref GeneralRegisters registers = ref _processor.State.Gpr;
        if (registers.Rip != _rip)
            _cpu.Vmwrite(VmcsField.GuestRip, _rip = registers.Rip);
        if (_processor.RflagsWritten)
            _cpu.Vmwrite(VmcsField.GuestRflags, registers.Rflags);
    }

    private ExitSite Site()
    {
        KeepVectoring();
        return VmxExitCapture.Site(new VmcsExitFields(_cpu.Vmcs, _processor)) with { InstructionLength = 0 };
    }

    private void Refused(VmxResult result, out VmExit exit)
    {
        if (result.IsSuccess)
        {
            LastFailure = _cpu.Refusal;
        }
        else
        {
            LastFailure = _cpu.Refusal ?? $"VM entry failed: VM-instruction error {(int)result.Error} (SDM 3C 31.4)";
        }

        ulong reason = result.IsSuccess ? _cpu.Vmread(VmcsField.ExitReason) : EntryFailure;
        ulong detail = result.IsSuccess ? _cpu.Vmread(VmcsField.ExitQualification) : (ulong)result.Error;
        VmExit.Plain(ExitReason.EntryFailed, new ExitSite(Registers.Rip, 0, 0, 0), new RawExit(reason, detail, 0), out exit);
    }

    private ulong NewRegion()
    {
        ulong region = _partition.Host.AllocatePage();
        _partition.Host.Write(region, VmxCapabilities.RevisionId);
        return region;
    }

    private static void Demand(VmxResult result, string instruction)
    {
        if (!result.IsSuccess)
            throw new HvException($"{instruction} failed: {result.Outcome} {result.Error}");
    }
}
