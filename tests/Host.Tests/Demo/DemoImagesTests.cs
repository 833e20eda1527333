using System.Text;
using Hv.Host.Demo;
using Hv.Host.Loading;
using Xunit;

namespace Hv.Host.Tests.Demo;

/// <summary>The embedded demo guests are what their source assembles to. After a change of the source, run these tests once with
/// HV_UPDATE_DEMO=1.</summary>
public class DemoImagesTests
{
    [Theory]
    [InlineData(16)]
    [InlineData(32)]
    [InlineData(64)]
    public void Embedded_bytes_are_what_the_source_assembles_to(int bits)
    {
        if (Environment.GetEnvironmentVariable("HV_UPDATE_DEMO") is not null)
        {
            File.WriteAllText(ImagesPath(), Generate());
            Assert.Skip("rewrote DemoImages.cs; build and test again");
        }

        Assert.Equal(Convert.ToHexString(DemoSource.Assemble(bits, (uint)DemoGuest.Placement(bits).Address)),
            Convert.ToHexString(DemoGuest.Image(bits)));
    }

    [Fact]
    public void Images_stay_below_the_page_of_the_record() =>
        Assert.All([16, 32, 64], bits => Assert.True(DemoGuest.Image(bits).Length < 0x1000));

    private static string Generate()
    {
        var text = new StringBuilder();
        text.Append("namespace Hv.Host.Demo;\n\n");
        text.Append("/// <summary>The demo guests, assembled from <c>DemoSource.cs</c>; made by DemoImagesTests with HV_UPDATE_DEMO=1.</summary>\n");
        text.Append("internal static class DemoImages\n{\n");
        foreach (int bits in (int[])[16, 32, 64])
        {
            byte[] image = DemoSource.Assemble(bits, (uint)DemoGuest.Placement(bits).Address);
            text.Append(bits == 16 ? "" : "\n").Append($"    /// <summary>The {bits}-bit form.</summary>\n");
            text.Append($"    public static ReadOnlySpan<byte> Image{bits} =>\n    [\n");
            foreach (byte[] row in image.Chunk(20))
                text.Append("        ").AppendJoin(" ", row.Select(b => $"0x{b:X2},")).Append('\n');
            text.Append("    ];\n");
        }

        return text.Append("}\n").ToString();
    }

    private static string ImagesPath([System.Runtime.CompilerServices.CallerFilePath] string here = "") =>
        Path.GetFullPath(Path.Combine(Path.GetDirectoryName(here)!, "../../../src/Host/Demo/DemoImages.cs"));
}
