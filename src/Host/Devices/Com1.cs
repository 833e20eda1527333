using Hv.Core.Devices;
using Hv.Core.Hypercalls;
using Hv.Core.Machine;

namespace Hv.Host.Devices;

/// <summary>The first serial port of a PC at 0x3F8: the console of guests that do not know hv.</summary>
internal sealed class Com1 : IPortHandler
{
    private const ushort Base = 0x3F8;

    private readonly SerialPort _port;

    /// <summary>Connects it to the host.</summary>
    public Com1(IConsole output, IByteSource input) => _port = new SerialPort(output, input);

    /// <inheritdoc/>
    public PortRange Range => new(Base, Base + SerialPort.RegisterCount - 1);

    /// <inheritdoc/>
    public uint Read(VirtualCpu vcpu, ushort port, int size)
    {
        // The registers are 8 bits wide on an 8-bit bus: a wider access is one access to each register in turn.
        uint value = 0;
        for (int i = 0; i < size; i++)
        {
            int register = port - Base + i;
            value |= (register < SerialPort.RegisterCount ? _port.Read(register) : 0xFFu) << (8 * i);
        }

        return value;
    }

    /// <inheritdoc/>
    public void Write(VirtualCpu vcpu, ushort port, int size, uint value)
    {
        for (int i = 0; i < size && port - Base + i < SerialPort.RegisterCount; i++)
            _port.Write(port - Base + i, (byte)(value >> (8 * i)));
    }
}
