using Hv.Core.Hypercalls;

namespace Hv.Host.Devices;

/// <summary>
/// A 16550 UART as polled drivers use it (PC16550D data sheet, section 8): transmitter that is always ready, receiver fed by a host stream,
/// divisor latch, FIFO control, modem lines, scratch register. It raises no interrupt, but identifies one, as a polling driver expects.
/// </summary>
internal sealed class SerialPort
{
    /// <summary>Consecutive ports, from the base.</summary>
    public const int RegisterCount = 8;

    private const int Data = 0, InterruptEnable = 1, InterruptIdentification = 2, LineControl = 3, ModemControl = 4, LineStatus = 5, ModemStatus = 6;
    private const byte DivisorLatchAccess = 0x80, FifoEnable = 0x01, ClearReceiver = 0x02, Loopback = 0x10;
    private const byte DataReady = 0x01, Overrun = 0x02, TransmitterEmpty = 0x60;
    private const byte EnableReceived = 0x01, EnableTransmitted = 0x02;
    private const byte NoInterrupt = 0x01, TransmitterInterrupt = 0x02, ReceiverInterrupt = 0x04, FifosEnabled = 0xC0;
    private const byte CarrierDataSetClear = 0xB0;

    private readonly IConsole _output;
    private readonly IByteSource _input;
    private byte _interruptEnable, _lineControl, _modemControl, _scratch, _divisorLow = 1, _divisorHigh, _loopbackByte;
    private bool _fifo, _transmitterPending, _loopbackReady, _overrun;

    /// <summary>Connects the port's lines to the host.</summary>
    public SerialPort(IConsole output, IByteSource input)
    {
        _output = output;
        _input = input;
    }

    private bool HasDivisorAccess => (_lineControl & DivisorLatchAccess) != 0;

    private bool IsLoopback => (_modemControl & Loopback) != 0;

    private bool HasData => IsLoopback ? _loopbackReady : _input.HasByte;

    /// <summary>Reads register 0..7.</summary>
    public byte Read(int register)
    {
        switch (register)
        {
            case Data when HasDivisorAccess:
                return _divisorLow;
            case Data:
                return ReadData();
            case InterruptEnable:
                return HasDivisorAccess ? _divisorHigh : _interruptEnable;
            case InterruptIdentification:
                return ReadIdentification();
            case LineControl:
                return _lineControl;
            case ModemControl:
                return _modemControl;
            case LineStatus:
                return ReadLineStatus();
            case ModemStatus:
                return ReadModemStatus();
            default:
                return _scratch;
        }
    }

    /// <summary>Writes register 0..7.</summary>
    public void Write(int register, byte value)
    {
        switch (register)
        {
            case Data when HasDivisorAccess:
                _divisorLow = value;
                break;
            case Data:
                WriteData(value);
                break;
            case InterruptEnable when HasDivisorAccess:
                _divisorHigh = value;
                break;
            case InterruptEnable:
                // Enabling the transmitter interrupt while the transmitter is empty raises it at once.
                _transmitterPending |= (value & ~_interruptEnable & EnableTransmitted) != 0;
                _interruptEnable = (byte)(value & 0x0F);
                break;
            case InterruptIdentification:
                _fifo = (value & FifoEnable) != 0;
                if ((value & ClearReceiver) != 0)
                    _loopbackReady = false;
                break;
            case LineControl:
                _lineControl = value;
                break;
            case ModemControl:
                _modemControl = (byte)(value & 0x1F);
                break;
            case LineStatus or ModemStatus:
                break;
            default:
                _scratch = value;
                break;
        }
    }

    private byte ReadData()
    {
        if (!IsLoopback)
            return _input.TryTake(out byte received) ? received : (byte)0;
        _loopbackReady = false;
        return _loopbackByte;
    }

    private void WriteData(byte value)
    {
        _transmitterPending = true;
        if (!IsLoopback)
        {
            _output.Write(new ReadOnlySpan<byte>(in value));
            return;
        }

        _overrun |= _loopbackReady;
        _loopbackByte = value;
        _loopbackReady = true;
    }

    private byte ReadIdentification()
    {
        byte fifo = _fifo ? FifosEnabled : (byte)0;
        if ((_interruptEnable & EnableReceived) != 0 && HasData)
            return (byte)(fifo | ReceiverInterrupt);
        if ((_interruptEnable & EnableTransmitted) == 0 || !_transmitterPending)
            return (byte)(fifo | NoInterrupt);
        // Reading the identification is what acknowledges the transmitter's interrupt.
        _transmitterPending = false;
        return (byte)(fifo | TransmitterInterrupt);
    }

    private byte ReadLineStatus()
    {
        byte status = TransmitterEmpty;
        if (HasData)
            status |= DataReady;
        if (_overrun)
            status |= Overrun;
        _overrun = false;
        return status;
    }

    private byte ReadModemStatus()
    {
        // In loopback the outputs DTR, RTS, OUT1, OUT2 come back as DSR, CTS, RI, DCD; drivers detect the chip by that.
        if (!IsLoopback)
            return CarrierDataSetClear;
        int dataSetReady = (_modemControl & 0x01) << 5, clearToSend = (_modemControl & 0x02) << 3, ring = (_modemControl & 0x04) << 4,
            carrier = (_modemControl & 0x08) << 4;
        return (byte)(dataSetReady | clearToSend | ring | carrier);
    }
}
