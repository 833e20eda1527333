using System.Runtime.InteropServices;
using Hv.Backends.Svm.Silicon;
using Xunit;

namespace Hv.Backends.Svm.Tests.Silicon;

/// <summary>Which bytes each clean bit covers (APM 2 15.15.3).</summary>
public class VmcbGroupTests
{
    [Fact]
    public void Ranges_do_not_overlap_and_lie_in_the_page()
    {
        VmcbRange[] ranges = [.. VmcbGroups.All.OrderBy(r => r.Offset)];
        for (int i = 1; i < ranges.Length; i++)
            Assert.True(ranges[i - 1].Offset + ranges[i - 1].Length <= ranges[i].Offset, $"{ranges[i - 1]} {ranges[i]}");
        Assert.True(ranges[^1].Offset + ranges[^1].Length <= 4096);
    }

    [Fact]
    public void Every_cached_field_lies_in_a_range_of_its_group()
    {
        foreach (VmcbField field in VmcbFields.All.Where(f => (f.Group & CleanBits.All) != 0))
            Assert.Contains(VmcbGroups.All, r => r.Group == field.Group && field.Offset >= r.Offset
                && field.Offset + field.Size <= r.Offset + r.Length);
    }

    [Fact]
    public void Every_group_that_the_model_caches_has_a_range()
    {
        CleanBits covered = VmcbGroups.All.Aggregate(CleanBits.None, (bits, r) => bits | r.Group);
        Assert.Equal(CleanBits.All, covered);
    }

    [Theory]
    [InlineData(CleanBits.Intercepts)]
    [InlineData(CleanBits.PermissionMaps)]
    [InlineData(CleanBits.Asid)]
    [InlineData(CleanBits.Tpr)]
    [InlineData(CleanBits.Nested)]
    [InlineData(CleanBits.Crx)]
    [InlineData(CleanBits.Drx)]
    [InlineData(CleanBits.DescriptorTables)]
    [InlineData(CleanBits.Segments)]
    [InlineData(CleanBits.Cr2)]
    public void A_group_is_copied_if_and_only_if_its_bit_is_clear(CleanBits group)
    {
        byte[] clean = Copy(CleanBits.All);
        byte[] dirty = Copy(CleanBits.All & ~group);
        foreach (VmcbRange range in VmcbGroups.All)
        {
            bool always = range.Group == CleanBits.None;
            for (int i = range.Offset; i < range.Offset + range.Length; i++)
            {
                Assert.Equal(always ? 0xAA : 0, clean[i]);
                Assert.Equal(always || range.Group == group ? 0xAA : 0, dirty[i]);
            }
        }
    }

    private static byte[] Copy(CleanBits clean)
    {
        var from = default(Vmcb);
        var to = default(Vmcb);
        MemoryMarshal.AsBytes(new Span<Vmcb>(ref from)).Fill(0xAA);
        VmcbGroups.CopyDirty(from, ref to, clean);
        return MemoryMarshal.AsBytes(new Span<Vmcb>(ref to)).ToArray();
    }
}
