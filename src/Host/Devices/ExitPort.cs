using Hv.Core.Devices;
using Hv.Core.Machine;

namespace Hv.Host.Devices;

/// <summary>QEMU's isa-debug-exit at port 0xF4: a write of v ends the process with <c>(v &lt;&lt; 1) | 1</c>. Kernels under test end that
/// way.</summary>
internal sealed class ExitPort : IPortHandler
{
    private const ushort Port = 0xF4, Ports = 4;

    /// <inheritdoc/>
    public PortRange Range => new(Port, Port + Ports - 1);

    /// <summary>The value written, or null as long as the guest has not.</summary>
    public uint? Value { get; private set; }

    /// <inheritdoc/>
    public uint Read(VirtualCpu vcpu, ushort port, int size) => 0;

    /// <inheritdoc/>
    public void Write(VirtualCpu vcpu, ushort port, int size, uint value)
    {
        Value ??= value;
        vcpu.Machine.RequestStop((int)value);
    }
}
