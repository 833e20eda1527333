using Hv.Backends.Vmx.Hypervisor;
using Hv.Backends.Vmx.Hypervisor.Capture;
using Hv.Core;
using Hv.Core.Exits;
using Hv.Core.Memory;

namespace Hv.Backends.Vmx;

/// <summary>Intel's VMX, modelled over the software processor, with a hypervisor on top that programs it as a real one does.</summary>
public sealed class VmxBackend : IBackend
{
    /// <inheritdoc/>
    public string Name => "Vmx";

    /// <summary>Every entry runs every check, as it does not otherwise (docs/adr/0042-entry-checks-run-when-written.md).</summary>
    internal bool ChecksEverything { get; init; }

    /// <inheritdoc/>
    public string Description => "Intel VMX modelled over the software processor: VMCS, VM entry and exit, EPT";

    /// <summary>VMCALL (SDM 3C 31.3).</summary>
    public ExitEncoding Encoding { get; } = new([0x0F, 0x01, 0xC1]);

    /// <inheritdoc/>
    public BackendCapabilities Capabilities =>
        BackendCapabilities.RealMode | BackendCapabilities.Protected32 | BackendCapabilities.Paging32 | BackendCapabilities.Long64
            | BackendCapabilities.UserMode
        | BackendCapabilities.GuestExceptions | BackendCapabilities.Deterministic | BackendCapabilities.ExceptionIntercept
            | BackendCapabilities.UserHypercalls
        | BackendCapabilities.LegacyTasks;

    /// <inheritdoc/>
    public BackendAvailability Availability => BackendAvailability.Yes;

    /// <inheritdoc/>
    public IPartition CreatePartition(GuestMemory memory, PartitionOptions options) => new VmxPartition(memory, options, ChecksEverything);

    /// <inheritdoc/>
    public string Describe(in RawExit raw) => VmxExitNames.Describe(raw);
}
