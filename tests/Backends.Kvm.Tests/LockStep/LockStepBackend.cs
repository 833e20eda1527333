using Hv.Backends.Emulated;
using Hv.Core;
using Hv.Core.Cpuid;
using Hv.Core.Exits;
using Hv.Core.Memory;

namespace Hv.Backends.Kvm.Tests.LockStep;

/// <summary>
/// /dev/kvm with the software processor beside it: each guest runs on both, and at each exit reason, payload, registers and memory must agree. It
/// is a backend itself, so that the contract suite over it holds every contract guest, also one that is written tomorrow, against the host's
/// processor or its kernel's emulator. What the host does reaches both; what it sees is Kvm's.
/// </summary>
internal sealed class LockStepBackend(KvmBackend subject, byte hypercallPort) : IBackend
{
    private readonly EmulatedBackend _reference = new();

    public string Name => subject.Name;

    public string Description => "Kvm and Emulated in lock-step";

    public ExitEncoding Encoding => subject.Encoding;

    public BackendCapabilities Capabilities => subject.Capabilities;

    public BackendAvailability Availability => subject.Availability;

    public IPartition CreatePartition(GuestMemory memory, PartitionOptions options)
    {
        IPartition one = subject.CreatePartition(memory, options);
        var mirror = new MemoryMirror(memory);
        return new LockStepPartition(one, _reference.CreatePartition(mirror.Copy, options), mirror,
            (vcpu, query) => HostCpuid.Ask(subject, options, vcpu, query), hypercallPort);
    }

    public string Describe(in RawExit raw) => subject.Describe(in raw);
}

/// <summary>One machine twice. Its vCPUs take turns, an exit each, so that both halves see the same order.</summary>
internal sealed class LockStepPartition(
    IPartition subject, IPartition reference, MemoryMirror mirror, Func<int, CpuidExit, CpuidResult> cpuid, byte hypercallPort) : IPartition
{
    public GuestMemory Memory => subject.Memory;

    public IVcpu CreateVcpu(int index) =>
        new LockStepVcpu(subject.CreateVcpu(index), reference.CreateVcpu(index), mirror, cpuid, hypercallPort);

    public void Dispose()
    {
        reference.Dispose();
        mirror.Dispose();
        subject.Dispose();
    }
}
