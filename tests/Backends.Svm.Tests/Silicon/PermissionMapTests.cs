using Hv.Backends.Svm.Silicon;
using Xunit;

namespace Hv.Backends.Svm.Tests.Silicon;

public class PermissionMapTests
{
    /// <summary>APM 2 15.11: 000H-7FFH covers MSRs 0-1FFFH, 800H-FFFH C0000000H-C0001FFFH, 1000H-17FFH C0010000H-C0011FFFH.</summary>
    [Theory]
    [InlineData(0x0000_0000u, 0x0000, 0)]
    [InlineData(0x0000_0003u, 0x0000, 6)]
    [InlineData(0x0000_0174u, 0x005D, 0)]
    [InlineData(0x0000_1FFFu, 0x07FF, 6)]
    [InlineData(0xC000_0000u, 0x0800, 0)]
    [InlineData(0xC000_0080u, 0x0820, 0)]
    [InlineData(0xC000_0082u, 0x0820, 4)]
    [InlineData(0xC000_0102u, 0x0840, 4)]
    [InlineData(0xC000_1FFFu, 0x0FFF, 6)]
    [InlineData(0xC001_0000u, 0x1000, 0)]
    [InlineData(0xC001_0117u, 0x1045, 6)]
    [InlineData(0xC001_1FFFu, 0x17FF, 6)]
    public void An_MSR_has_two_bits_the_even_one_for_reads(uint index, int @byte, int bit)
    {
        Assert.Equal(@byte * 8 + bit, MsrPermissionMap.BitOf(index, isWrite: false));
        Assert.Equal(@byte * 8 + bit + 1, MsrPermissionMap.BitOf(index, isWrite: true));
    }

    [Theory]
    [InlineData(0x0000_2000u)]
    [InlineData(0x4B56_4D00u)]
    [InlineData(0x8765_5678u)]
    [InlineData(0xBFFF_FFFFu)]
    [InlineData(0xC000_2000u)]
    [InlineData(0xC000_FFFFu)]
    [InlineData(0xC001_2000u)]
    [InlineData(0xFFFF_FFFFu)]
    public void An_MSR_outside_the_ranges_always_exits(uint index)
    {
        using var memory = new HostMemory();
        Hpa map = memory.AllocatePages(MsrPermissionMap.Pages);
        Assert.Equal(-1, MsrPermissionMap.BitOf(index, false));
        Assert.True(MsrPermissionMap.Intercepts(memory, map, index, isWrite: false));
        Assert.True(MsrPermissionMap.Intercepts(memory, map, index, isWrite: true));
    }

    [Fact]
    public void A_single_bit_intercepts_a_single_access()
    {
        using var memory = new HostMemory();
        Hpa map = memory.AllocatePages(MsrPermissionMap.Pages);
        memory.Write8(map + 0x820, 0b0000_0010); // WRMSR of EFER
        Assert.True(MsrPermissionMap.Intercepts(memory, map, 0xC000_0080, isWrite: true));
        Assert.False(MsrPermissionMap.Intercepts(memory, map, 0xC000_0080, isWrite: false));
        Assert.False(MsrPermissionMap.Intercepts(memory, map, 0xC000_0081, isWrite: false));
        Assert.True(MsrPermissionMap.Intercepts(memory, map + 0x123, 0xC000_0080, isWrite: true)); // bits 11:0 of the base are ignored
    }

    [Fact]
    public void Allow_opens_one_MSR_both_ways()
    {
        using var memory = new HostMemory();
        Hpa map = memory.AllocatePages(MsrPermissionMap.Pages);
        MsrPermissionMap.InterceptAll(memory, map);
        MsrPermissionMap.Allow(memory, map, 0xC000_0082);
        Assert.False(MsrPermissionMap.Intercepts(memory, map, 0xC000_0082, false));
        Assert.False(MsrPermissionMap.Intercepts(memory, map, 0xC000_0082, true));
        foreach (uint neighbour in new uint[] { 0xC000_0081, 0xC000_0083, 0x82, 0xC001_0082 })
        {
            Assert.True(MsrPermissionMap.Intercepts(memory, map, neighbour, false));
            Assert.True(MsrPermissionMap.Intercepts(memory, map, neighbour, true));
        }
    }

    [Theory]
    [InlineData(0x0000, 1)]
    [InlineData(0x0007, 1)]
    [InlineData(0x0008, 1)]
    [InlineData(0x03F8, 1)]
    [InlineData(0x7FFF, 2)]
    [InlineData(0xFFFF, 1)]
    public void A_port_is_intercepted_by_its_own_bit(int port, int size)
    {
        using var memory = new HostMemory();
        Hpa map = memory.AllocatePages(IoPermissionMap.Pages);
        Assert.False(IoPermissionMap.Intercepts(memory, map, (ushort)port, size));
        memory.Write8(map + (ulong)(port / 8), (byte)(1 << port % 8));
        Assert.True(IoPermissionMap.Intercepts(memory, map, (ushort)port, size));
    }

    [Theory]
    [InlineData(0x100, 2, 0x101)]
    [InlineData(0x107, 4, 0x10A)] // the bits lie in two bytes
    [InlineData(0x7FFE, 4, 0x8001)] // and in two pages
    [InlineData(0xFFFF, 4, 0x10002)] // the guard bits beyond the last port
    public void A_wide_access_is_intercepted_by_the_bit_of_any_of_its_bytes(int port, int size, int bit)
    {
        using var memory = new HostMemory();
        Hpa map = memory.AllocatePages(IoPermissionMap.Pages);
        memory.Write8(map + (ulong)(bit / 8), (byte)(1 << bit % 8));
        Assert.True(IoPermissionMap.Intercepts(memory, map, (ushort)port, size));
        Assert.False(IoPermissionMap.Intercepts(memory, map, (ushort)port, 1));
        Assert.False(IoPermissionMap.Intercepts(memory, map, (ushort)(port - 4), 4));
    }

    [Fact]
    public void Allow_opens_one_port()
    {
        using var memory = new HostMemory();
        Hpa map = memory.AllocatePages(IoPermissionMap.Pages);
        IoPermissionMap.InterceptAll(memory, map);
        IoPermissionMap.Allow(memory, map, 0x80);
        Assert.False(IoPermissionMap.Intercepts(memory, map, 0x80, 1));
        Assert.True(IoPermissionMap.Intercepts(memory, map, 0x80, 2));
        Assert.True(IoPermissionMap.Intercepts(memory, map, 0x7F, 1));
        Assert.True(IoPermissionMap.Intercepts(memory, map, 0xFFFF, 4));
    }

    [Fact]
    public void A_map_where_no_memory_is_intercepts_everything()
    {
        using var memory = new HostMemory();
        Assert.True(IoPermissionMap.Intercepts(memory, new Hpa(0x1000), 0x80, 1));
        Assert.True(MsrPermissionMap.Intercepts(memory, new Hpa(0x1000), 0xC000_0080, false));
    }
}
