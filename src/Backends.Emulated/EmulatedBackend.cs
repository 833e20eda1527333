using Hv.Core;
using Hv.Core.Exits;
using Hv.Core.Memory;

namespace Hv.Backends.Emulated;

/// <summary>The software processor with nothing around it: no vendor's structures, its own exit instruction, everything that the processor can
/// do.</summary>
public sealed class EmulatedBackend : IBackend
{
    /// <inheritdoc/>
    public string Name => "Emulated";

    /// <inheritdoc/>
    public string Description => "the software processor itself, of no vendor";

    /// <summary>UD1 EDI, EAX (docs/adr/0004-emulated-exit-instruction.md).</summary>
    public ExitEncoding Encoding { get; } = new([0x0F, 0xB9, 0xF8]);

    /// <inheritdoc/>
    public BackendCapabilities Capabilities =>
        BackendCapabilities.RealMode | BackendCapabilities.Protected32 | BackendCapabilities.Paging32 | BackendCapabilities.Long64
        | BackendCapabilities.UserMode | BackendCapabilities.GuestExceptions | BackendCapabilities.Deterministic
        | BackendCapabilities.ExceptionIntercept | BackendCapabilities.UserHypercalls
        | BackendCapabilities.LegacyTasks;

    /// <inheritdoc/>
    public BackendAvailability Availability => BackendAvailability.Yes;

    /// <inheritdoc/>
    public IPartition CreatePartition(GuestMemory memory, PartitionOptions options) => new EmulatedPartition(memory, options);

    /// <inheritdoc/>
    public string Describe(in RawExit raw) => EmulatedExitCapture.Describe(in raw);
}
