using Hv.Core;
using Hv.Core.Memory;
using Hv.Cpu.Blocks;

namespace Hv.Backends.Emulated;

/// <summary>Processors over one memory and one cache of decoded code; they run on one thread, in turn.</summary>
internal sealed class EmulatedPartition(GuestMemory memory, PartitionOptions options) : IPartition
{
    private readonly CodeCache _code = new(memory);

    /// <inheritdoc/>
    public GuestMemory Memory => memory;

    /// <inheritdoc/>
    public IVcpu CreateVcpu(int index) => new EmulatedVcpu(index, memory, options, _code);

    /// <inheritdoc/>
    public void Dispose() => _code.Dispose();
}
