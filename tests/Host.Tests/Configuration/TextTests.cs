using Hv.Host.Configuration;
using Xunit;

namespace Hv.Host.Tests.Configuration;

public class TextTests
{
    [Theory]
    [InlineData("0", 0UL)]
    [InlineData("65536", 65536UL)]
    [InlineData("0x10000", 65536UL)]
    [InlineData("64MiB", 64UL << 20)]
    [InlineData(" 64 mib ", 64UL << 20)]
    [InlineData("1G", 1UL << 30)]
    [InlineData("4KiB", 4096UL)]
    [InlineData("2TiB", 2UL << 40)]
    [InlineData("0xFFFFFFFFFFFFFFFF", ulong.MaxValue)]
    public void Sizes_are_read(string text, ulong bytes)
    {
        Assert.True(ByteSize.TryParse(text, out ulong read));
        Assert.Equal(bytes, read);
    }

    [Theory]
    [InlineData("")]
    [InlineData("MiB")]
    [InlineData("-1")]
    [InlineData("1.5GiB")]
    [InlineData("64MB")]
    [InlineData("64 Mi B")]
    [InlineData("0x")]
    [InlineData("99999999999999999999")]
    [InlineData("16777216TiB")]
    [InlineData("1e6")]
    public void What_is_no_size_is_refused(string text) => Assert.False(ByteSize.TryParse(text, out _));

    [Theory]
    [InlineData(64UL << 20, "64 MiB")]
    [InlineData(3UL << 30, "3 GiB")]
    [InlineData(1536UL, "1536 bytes")]
    [InlineData(0UL, "0 bytes")]
    public void Sizes_are_shown_in_their_largest_unit(ulong bytes, string text) => Assert.Equal(text, ByteSize.Format(bytes));

    [Theory]
    [InlineData("500ms", 500)]
    [InlineData("10s", 10_000)]
    [InlineData("1.5s", 1500)]
    [InlineData("2m", 120_000)]
    [InlineData("1h", 3_600_000)]
    public void Times_are_read(string text, int milliseconds)
    {
        Assert.True(TimeSpanText.TryParse(text, out TimeSpan time));
        Assert.Equal(milliseconds, time.TotalMilliseconds);
    }

    [Theory]
    [InlineData("")]
    [InlineData("10")]
    [InlineData("s")]
    [InlineData("0s")]
    [InlineData("-1s")]
    [InlineData("1d")]
    [InlineData("NaNs")]
    [InlineData("1e9h")]
    [InlineData("99999999999h")]
    public void What_is_no_time_is_refused(string text) => Assert.False(TimeSpanText.TryParse(text, out _));
}
