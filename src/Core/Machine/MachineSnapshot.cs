using Hv.Core.Hypercalls;
using Hv.Core.Memory;
using Hv.Core.Paravirt;
using Hv.Core.Registers;

namespace Hv.Core.Machine;

/// <summary>All of a machine at one moment, in no backend's terms: made by <see cref="VirtualMachine.Save"/>, given back by
/// <see cref="VirtualMachine.Restore"/>, on the same backend or another. Immutable; devices' own state is not in it.</summary>
public sealed class MachineSnapshot
{
    internal MachineSnapshot(MemorySnapshot memory, IReadOnlyList<VcpuSnapshot> vcpus, int current, long quantumLeft, ulong nanoseconds)
    {
        Memory = memory;
        Vcpus = vcpus;
        Current = current;
        QuantumLeft = quantumLeft;
        Nanoseconds = nanoseconds;
    }

    /// <summary>Guest memory.</summary>
    public MemorySnapshot Memory { get; }

    /// <summary>The vCPUs, by index.</summary>
    public IReadOnlyList<VcpuSnapshot> Vcpus { get; }

    /// <summary>The vCPU whose turn it was, and what was left of it: with these a restored machine runs on as the saved one would have.</summary>
    internal int Current { get; }

    internal long QuantumLeft { get; }

    /// <summary>The guest's clock.</summary>
    internal ulong Nanoseconds { get; }
}

/// <summary>One vCPU in a <see cref="MachineSnapshot"/>.</summary>
/// <param name="State">The processor's state. Do not change it.</param>
/// <param name="Activity">What the machine did with it.</param>
/// <param name="Registration">Its registration, or null.</param>
/// <param name="Pending">The hypercall that waited for user level, or null.</param>
/// <param name="StartState">The state that it was about to be started with, or null.</param>
/// <param name="Interrupts">Waiting interrupts: a bit for each vector.</param>
public sealed record VcpuSnapshot(
    VcpuState State, VcpuActivity Activity, ParaRegistration? Registration, PendingHypercall? Pending,
    VcpuState? StartState, IReadOnlyList<ulong> Interrupts);

/// <summary>What a restore did about one vCPU's stub.</summary>
/// <param name="VcpuIndex">The vCPU.</param>
/// <param name="Stub">Its stub.</param>
/// <param name="Outcome">Whether the stub now holds this backend's exit instruction. Where not, the registration is kept, and the guest's next
/// call through the stub does what the bytes there do on this backend.</param>
public readonly record struct StubRestoration(int VcpuIndex, Gpa Stub, StubOutcome Outcome);
