using Hv.Core.Machine;

namespace Hv.Core.Devices;

/// <summary>I/O ports that one handler owns, both ends included.</summary>
/// <param name="First">The first port.</param>
/// <param name="Last">The last port.</param>
public readonly record struct PortRange(ushort First, ushort Last);

/// <summary>Serves IN and OUT at the ports that it owns, one call per element of INS and OUTS. An access belongs to the owner of its first port,
/// even where it reaches further. Called by one vCPU at a time; must not throw whatever the guest passes.</summary>
public interface IPortHandler
{
    /// <summary>The ports it owns; fixed.</summary>
    PortRange Range { get; }

    /// <summary>IN.</summary>
    /// <param name="vcpu">Who reads.</param>
    /// <param name="port">The first port, within <see cref="Range"/>.</param>
    /// <param name="size">Bytes: 1, 2 or 4.</param>
    /// <returns>The value; bits above <paramref name="size"/> bytes are dropped.</returns>
    uint Read(VirtualCpu vcpu, ushort port, int size);

    /// <summary>OUT.</summary>
    /// <param name="vcpu">Who writes.</param>
    /// <param name="port">The first port, within <see cref="Range"/>.</param>
    /// <param name="size">Bytes: 1, 2 or 4.</param>
    /// <param name="value">The value, zero-extended.</param>
    void Write(VirtualCpu vcpu, ushort port, int size, uint value);
}
