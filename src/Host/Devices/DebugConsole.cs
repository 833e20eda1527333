using Hv.Core.Devices;
using Hv.Core.Hypercalls;
using Hv.Core.Machine;

namespace Hv.Host.Devices;

/// <summary>The debug console of Bochs and QEMU at port 0xE9: a byte written appears on the console; a read gives 0xE9, by which guests find
/// it.</summary>
internal sealed class DebugConsole : IPortHandler
{
    private const ushort Port = 0xE9;

    private readonly IConsole _output;

    /// <summary>Writes to <paramref name="output"/>.</summary>
    public DebugConsole(IConsole output) => _output = output;

    /// <inheritdoc/>
    public PortRange Range => new(Port, Port);

    /// <inheritdoc/>
    public uint Read(VirtualCpu vcpu, ushort port, int size) => Port;

    /// <inheritdoc/>
    public void Write(VirtualCpu vcpu, ushort port, int size, uint value)
    {
        byte character = (byte)value;
        _output.Write(new ReadOnlySpan<byte>(in character));
    }
}
