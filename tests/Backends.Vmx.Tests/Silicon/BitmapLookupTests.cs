using Hv.Backends.Vmx.Silicon.Exit;

namespace Hv.Backends.Vmx.Tests.Silicon;

/// <summary>SDM 3C 25.6.9 and 25.6.4.</summary>
public sealed class BitmapLookupTests
{
    [Theory]
    [InlineData(0x0000u, false, 0x000, 0)]
    [InlineData(0x1FFFu, false, 0x3FF, 7)]
    [InlineData(0xC000_0000u, false, 0x400, 0)]
    [InlineData(0xC000_0080u, false, 0x410, 0)]
    [InlineData(0xC000_1FFFu, false, 0x7FF, 7)]
    [InlineData(0x0010u, true, 0x802, 0)]
    [InlineData(0xC000_0101u, true, 0xC20, 1)]
    public void An_MSR_has_one_bit_for_reads_and_one_for_writes(uint msr, bool isWrite, int offset, int bit) =>
        Assert.Equal((offset * 8) + bit, BitmapLookup.MsrBit(msr, isWrite));

    [Theory]
    [InlineData(0x2000u)]
    [InlineData(0xBFFF_FFFFu)]
    [InlineData(0xC000_2000u)]
    [InlineData(0x8765_5678u)]
    [InlineData(0x4B56_4D00u)]
    public void MSRs_outside_both_ranges_always_exit(uint msr)
    {
        Assert.Equal(-1, BitmapLookup.MsrBit(msr, false));
        Assert.Equal(-1, BitmapLookup.MsrBit(msr, true));
    }

    [Theory]
    [InlineData(0x3F8, 1, 0x3F8, true)]
    [InlineData(0x3F7, 1, 0x3F8, false)]
    [InlineData(0x3F7, 2, 0x3F8, true)]
    [InlineData(0x3F5, 4, 0x3F8, true)]
    [InlineData(0x3F4, 4, 0x3F8, false)]
    [InlineData(0x7FFE, 4, 0x8001, true)]
    [InlineData(0x8000, 1, 0x0000, false)]
    [InlineData(0xFFFF, 1, 0xFFFF, true)]
    public void An_access_exits_when_any_of_its_ports_has_its_bit_set(int port, int size, int marked, bool exits)
    {
        byte[] a = new byte[4096], b = new byte[4096];
        (marked < 0x8000 ? a : b)[(marked & 0x7FFF) / 8] |= (byte)(1 << (marked % 8));
        Assert.Equal(exits, BitmapLookup.PortExits(a, b, (ushort)port, size));
    }

    [Theory]
    [InlineData(0xFFFF, 2, true)]
    [InlineData(0xFFFD, 4, true)]
    [InlineData(0xFFFE, 2, false)]
    [InlineData(0xFFFC, 4, false)]
    public void An_access_that_wraps_around_the_ports_exits(int port, int size, bool exits) =>
        Assert.Equal(exits, BitmapLookup.PortExits(new byte[4096], new byte[4096], (ushort)port, size));
}
