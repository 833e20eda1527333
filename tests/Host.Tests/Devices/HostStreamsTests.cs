using Hv.Host.Devices;
using Xunit;

namespace Hv.Host.Tests.Devices;

public class HostStreamsTests
{
    private sealed class Pipe : MemoryStream
    {
        public int Writes { get; private set; }

        public bool Broken { get; set; }

        public override void Write(byte[] buffer, int offset, int count)
        {
            if (Broken)
                throw new IOException("broken pipe");
            Writes++;
            base.Write(buffer, offset, count);
        }
    }

    [Fact]
    public void A_line_is_one_write_and_bytes_pass_as_they_are()
    {
        using var pipe = new Pipe();
        using var output = new HostOutput(pipe);
        foreach (byte b in (byte[])[0xFF, 0, 0xC3, (byte)'\n'])
            output.Write([b]);
        Assert.Equal(1, pipe.Writes);
        Assert.Equal([0xFF, 0, 0xC3, 0x0A], pipe.ToArray());
    }

    [Fact]
    public void An_unfinished_line_appears_soon()
    {
        using var pipe = new Pipe();
        using var output = new HostOutput(pipe);
        output.Write("prompt> "u8);
        Assert.True(SpinWait.SpinUntil(() => pipe.Writes == 1, TimeSpan.FromSeconds(10)));
    }

    [Fact]
    public void More_than_the_buffer_arrives_whole()
    {
        using var pipe = new Pipe();
        byte[] much = new byte[100_000];
        new Random(3).NextBytes(much);
        using (var output = new HostOutput(pipe))
            output.Write(much);
        Assert.Equal(much, pipe.ToArray());
    }

    [Fact]
    public void A_reader_that_went_away_is_not_the_guests_fault()
    {
        using var pipe = new Pipe { Broken = true };
        using var output = new HostOutput(pipe);
        output.Write("a\nb\n"u8);
        output.Flush();
    }

    [Fact]
    public void Input_is_opened_only_when_asked_for_and_arrives_in_order()
    {
        byte[] content = new byte[10_000];
        new Random(4).NextBytes(content);
        bool opened = false;
        var input = new HostInput(() =>
        {
            opened = true;
            return new MemoryStream(content);
        });
        Assert.False(opened);
        var received = new List<byte>();
        Assert.True(SpinWait.SpinUntil(
            () =>
            {
                while (input.TryTake(out byte value))
                    received.Add(value);
                return received.Count == content.Length;
            },
            TimeSpan.FromSeconds(10)));
        Assert.Equal(content, received);
        Assert.False(input.HasByte);
    }
}
