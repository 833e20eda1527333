using Hv.Core.Exits;
using Hv.Core.Memory;

namespace Hv.Core.Tests.Fakes;

/// <summary>A backend whose vCPUs play scripts.</summary>
public sealed class FakeBackend(
    string name = "Fake", ExitEncoding? encoding = null, BackendCapabilities capabilities = BackendCapabilities.Deterministic) : IBackend
{
    /// <summary>Three bytes, and not an instruction of any vendor's.</summary>
    public static ExitEncoding Three { get; } = new([0xE0, 0xE1, 0xE2]);

    public static ExitEncoding Two { get; } = new([0xD0, 0xD1]);

    public static ExitEncoding Five { get; } = new([0xF0, 0xF1, 0xF2, 0xF3, 0xF4]);

    public string Name => name;

    public string Description => "plays scripts";

    public ExitEncoding Encoding { get; } = encoding ?? Three;

    public BackendCapabilities Capabilities => capabilities;

    public BackendAvailability Availability => BackendAvailability.Yes;

    public IPartition CreatePartition(GuestMemory memory, PartitionOptions options) => new Partition(memory);

    public string Describe(in RawExit raw) => $"fake exit {raw.Code}";

    private sealed class Partition(GuestMemory memory) : IPartition
    {
        public GuestMemory Memory => memory;

        public IVcpu CreateVcpu(int index) => new FakeVcpu(index);

        public void Dispose()
        {
        }
    }
}
