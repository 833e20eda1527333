using System.Runtime.CompilerServices;
using Hv.Core.Exits;
using Hv.Core.Tests.Fakes;

namespace Hv.Core.Tests.Exits;

/// <summary>The exit as a value (docs/adr/0001-exit-is-a-struct.md), and the exit instruction as data (docs/adr/0002-encoding-is-data.md).</summary>
public sealed class ExitTests
{
    private static readonly ExitSite Site = new(0x1234_5678_9ABC, 7, GuestMode.Protected | GuestMode.Code32, 3);
    private static readonly RawExit Raw = new(ulong.MaxValue, 0xAAAA_AAAA_AAAA_AAAA, 0x5555_5555_5555_5555);

    [Fact]
    public void An_exit_is_72_bytes() => Assert.Equal(72, Unsafe.SizeOf<VmExit>());

    [Fact]
    public void A_payload_and_the_raw_record_do_not_share_storage()
    {
        var memory = new MemoryExit(new Gpa(ulong.MaxValue), 8, true, true, ulong.MaxValue);
        var exception = new ExceptionExit(31, true, uint.MaxValue, ulong.MaxValue);
        var port = new PortIoExit(ushort.MaxValue, 4, true, uint.MaxValue, true);

        Check(MadeExit.FromMemory(Site, Raw, memory), ExitReason.MemoryAccess, e => Assert.Equal(memory, e.Memory));
        Check(MadeExit.FromException(Site, Raw, exception), ExitReason.Exception, e => Assert.Equal(exception, e.Exception));
        Check(MadeExit.FromPortIo(Site, Raw, port), ExitReason.PortIo, e => Assert.Equal(port, e.PortIo));
        Check(MadeExit.FromMsrRead(Site, Raw, 0xC000_0080), ExitReason.MsrRead, e => Assert.Equal(new MsrExit(0xC000_0080, 0), e.Msr));
        Check(MadeExit.FromMsrWrite(Site, Raw, 1, ulong.MaxValue), ExitReason.MsrWrite, e => Assert.Equal(new MsrExit(1, ulong.MaxValue), e.Msr));
        Check(MadeExit.FromCpuid(Site, Raw, 7, uint.MaxValue), ExitReason.Cpuid, e => Assert.Equal(new CpuidExit(7, uint.MaxValue), e.Cpuid));
        Check(MadeExit.Plain(ExitReason.Halt, Site, Raw), ExitReason.Halt, _ => { });
    }

    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    [InlineData(7)]
    public void An_encoding_gives_its_bytes_back(int length)
    {
        byte[] bytes = [.. Enumerable.Range(0, length).Select(i => (byte)(0xF0 + i))];
        var encoding = new ExitEncoding(bytes);
        byte[] copy = new byte[length];
        encoding.CopyTo(copy);

        Assert.Equal(length, encoding.Length);
        Assert.Equal(bytes, copy);
        Assert.Equal(new ExitEncoding(bytes), encoding);
        Assert.Equal(string.Join(' ', bytes.Select(b => $"{b:X2}")), encoding.ToString());
    }

    [Fact]
    public void Encodings_that_differ_in_length_alone_differ() => Assert.True(new ExitEncoding([0x0F]) != new ExitEncoding([0x0F, 0x00]));

    [Theory]
    [InlineData(0)]
    [InlineData(8)]
    public void An_encoding_has_1_to_7_bytes(int length) => Assert.Throws<ArgumentException>(() => new ExitEncoding(new byte[length]));

    private static void Check(VmExit exit, ExitReason reason, Action<VmExit> payload)
    {
        Assert.Equal(reason, exit.Reason);
        Assert.Equal(Site, new ExitSite(exit.Rip, exit.InstructionLength, exit.Mode, exit.Cpl));
        Assert.Equal(Raw, exit.Raw);
        payload(exit);
    }
}
