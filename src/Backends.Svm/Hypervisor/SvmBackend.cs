using Hv.Core;
using Hv.Core.Exits;
using Hv.Core.Memory;

namespace Hv.Backends.Svm.Hypervisor;

/// <summary>AMD's SVM, modelled over the software processor: a hypervisor that programs VMCBs, and the silicon that executes VMRUN on them.</summary>
public sealed class SvmBackend : IBackend
{
    /// <inheritdoc/>
    public string Name => "Svm";

    /// <inheritdoc/>
    public string Description => "AMD SVM modelled in software: VMCB, VMRUN, nested paging";

    /// <summary>VMMCALL (APM 3).</summary>
    public ExitEncoding Encoding { get; } = new([0x0F, 0x01, 0xD9]);

    /// <inheritdoc/>
    public BackendCapabilities Capabilities => BackendCapabilities.RealMode | BackendCapabilities.Protected32 | BackendCapabilities.Paging32
        | BackendCapabilities.Long64 | BackendCapabilities.UserMode | BackendCapabilities.GuestExceptions | BackendCapabilities.Deterministic
        | BackendCapabilities.ExceptionIntercept
        | BackendCapabilities.UserHypercalls | BackendCapabilities.LegacyTasks;

    /// <inheritdoc/>
    public BackendAvailability Availability => BackendAvailability.Yes;

    /// <inheritdoc/>
    public IPartition CreatePartition(GuestMemory memory, PartitionOptions options) => new SvmPartition(memory, options);

    /// <inheritdoc/>
    public string Describe(in RawExit raw) => SvmExitDescription.Describe(raw);
}
