using Hv.Core.Machine;

namespace Hv.Core.Devices;

/// <summary>Guest-physical addresses that one handler owns, both ends included.</summary>
/// <param name="First">The first byte.</param>
/// <param name="Last">The last byte.</param>
public readonly record struct MemoryRange(Gpa First, Gpa Last);

/// <summary>Serves accesses to guest-physical addresses that no memory slot serves (device memory, and writes to read-only slots). An access belongs
/// to
/// the owner of its first byte. Called by one vCPU at a time; must not throw whatever the guest passes.</summary>
public interface IMemoryHandler
{
    /// <summary>The addresses it owns; fixed. Only those without a slot, and writes to read-only ones, ever reach it.</summary>
    MemoryRange Range { get; }

    /// <summary>A read.</summary>
    /// <param name="vcpu">Who reads.</param>
    /// <param name="address">The first byte, within <see cref="Range"/>.</param>
    /// <param name="size">Bytes, 1..8.</param>
    /// <returns>The value; bits above <paramref name="size"/> bytes are dropped.</returns>
    ulong Read(VirtualCpu vcpu, Gpa address, int size);

    /// <summary>A write.</summary>
    /// <param name="vcpu">Who writes.</param>
    /// <param name="address">The first byte, within <see cref="Range"/>.</param>
    /// <param name="size">Bytes, 1..8.</param>
    /// <param name="value">The value, zero-extended.</param>
    void Write(VirtualCpu vcpu, Gpa address, int size, ulong value);
}
