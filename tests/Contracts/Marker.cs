using Hv.Core.Devices;
using Hv.Core.Machine;

namespace Hv.Contracts;

/// <summary>A port at which a test looks at the guest, or changes it, in the middle of its run. Reads give zero.</summary>
public sealed class Marker(ushort port, Action<VirtualCpu> onWrite) : IPortHandler
{
    public PortRange Range => new(port, port);

    public uint Read(VirtualCpu vcpu, ushort port, int size) => 0;

    public void Write(VirtualCpu vcpu, ushort port, int size, uint value) => onWrite(vcpu);
}
