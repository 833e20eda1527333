using Hv.Core.Hypercalls;
using Hv.Host.Devices;
using Xunit;

namespace Hv.Host.Tests.Devices;

/// <summary>The register behaviour that polled drivers rely on; expected values are the PC16550D data sheet's (section 8).</summary>
public class SerialPortTests
{
    private const int Data = 0, Ier = 1, Iir = 2, Lcr = 3, Mcr = 4, Lsr = 5, Msr = 6, Scratch = 7;

    private sealed class Recorder : IConsole
    {
        public List<byte> Bytes { get; } = [];

        public void Write(ReadOnlySpan<byte> bytes) => Bytes.AddRange(bytes);
    }

    private sealed class Feed(params byte[] bytes) : IByteSource
    {
        private readonly Queue<byte> _bytes = new(bytes);

        public bool HasByte => _bytes.Count > 0;

        public bool TryTake(out byte value) => _bytes.TryDequeue(out value);
    }

    private readonly Recorder _output = new();

    private SerialPort Port(params byte[] input) => new(_output, new Feed(input));

    [Fact]
    public void Written_bytes_come_out_and_the_transmitter_is_always_ready()
    {
        SerialPort port = Port();
        port.Write(Data, 0x41);
        Assert.Equal(0x60, port.Read(Lsr));
        port.Write(Data, 0xFF);
        Assert.Equal([0x41, 0xFF], _output.Bytes);
    }

    [Fact]
    public void Received_bytes_are_announced_and_taken_in_order()
    {
        SerialPort port = Port(1, 2);
        Assert.Equal(0x61, port.Read(Lsr));
        Assert.Equal(1, port.Read(Data));
        Assert.Equal(0x61, port.Read(Lsr));
        Assert.Equal(2, port.Read(Data));
        Assert.Equal(0x60, port.Read(Lsr));
        Assert.Equal(0, port.Read(Data));
    }

    [Fact]
    public void The_divisor_hides_behind_DLAB()
    {
        SerialPort port = Port();
        port.Write(Ier, 0x05);
        port.Write(Lcr, 0x80);
        port.Write(Data, 0x0C);
        port.Write(Ier, 0x34);
        Assert.Equal((0x0C, 0x34), (port.Read(Data), port.Read(Ier)));
        port.Write(Lcr, 0x03);
        Assert.Equal(0x05, port.Read(Ier));
        Assert.Empty(_output.Bytes);
    }

    [Fact]
    public void Interrupts_are_identified_by_priority_and_reading_acknowledges_the_transmitter()
    {
        SerialPort port = Port(7);
        Assert.Equal(0x01, port.Read(Iir));
        port.Write(Ier, 0x03);
        Assert.Equal(0x04, port.Read(Iir));
        port.Read(Data);
        Assert.Equal(0x02, port.Read(Iir));
        Assert.Equal(0x01, port.Read(Iir));
        port.Write(Data, 0);
        Assert.Equal(0x02, port.Read(Iir));
        port.Write(2, 0x01);
        Assert.Equal(0xC1, port.Read(Iir));
    }

    [Fact]
    public void Loopback_turns_outputs_into_inputs()
    {
        SerialPort port = Port(9);
        Assert.Equal(0xB0, port.Read(Msr));
        port.Write(Mcr, 0x1A);
        Assert.Equal(0x90, port.Read(Msr) & 0xF0);
        port.Write(Mcr, 0x15);
        Assert.Equal(0x60, port.Read(Msr) & 0xF0);
        port.Write(Data, 0xAE);
        Assert.Equal(0x61, port.Read(Lsr));
        Assert.Equal(0xAE, port.Read(Data));
        Assert.Empty(_output.Bytes);
        port.Write(Data, 1);
        port.Write(Data, 2);
        Assert.Equal(0x63, port.Read(Lsr));
        Assert.Equal(0x61, port.Read(Lsr));
        port.Write(Mcr, 0);
        Assert.Equal(9, port.Read(Data));
    }

    [Fact]
    public void Scratch_and_control_registers_hold_their_values()
    {
        SerialPort port = Port();
        port.Write(Scratch, 0xA5);
        port.Write(Lcr, 0x1B);
        port.Write(Mcr, 0xFF);
        Assert.Equal((0xA5, 0x1B, 0x1F), (port.Read(Scratch), port.Read(Lcr), port.Read(Mcr)));
        port.Write(Lsr, 0);
        port.Write(Msr, 0);
        Assert.Equal(0x60, port.Read(Lsr));
    }

    [Fact]
    public void Every_register_takes_any_value()
    {
        SerialPort port = Port(1, 2, 3);
        var random = new Random(5);
        for (int i = 0; i < 20_000; i++)
        {
            port.Write(random.Next(8), (byte)random.Next(256));
            port.Read(random.Next(8));
        }
    }
}
