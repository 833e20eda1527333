namespace Hv.Backends.Svm.Silicon;

/// <summary>The MSR permission map: 8 KiB, two bits an MSR, the even one for RDMSR and the odd one for WRMSR; a set bit intercepts (APM 2
/// 15.11).</summary>
public static class MsrPermissionMap
{
    /// <summary>Its size in pages.</summary>
    public const int Pages = 2;

    /// <summary>The bit of an access counted from the start of the map, or −1 for an MSR that the map does not cover and that therefore always
    /// exits.</summary>
    public static int BitOf(uint index, bool isWrite)
    {
        int range = index switch
        {
            <= 0x1FFF => 0x0000,
            >= 0xC000_0000 and <= 0xC000_1FFF => 0x0800,
            >= 0xC001_0000 and <= 0xC001_1FFF => 0x1000,
            _ => -1,
        };
        return range < 0 ? -1 : range * 8 + (int)(index & 0x1FFF) * 2 + (isWrite ? 1 : 0);
    }

    /// <summary>Whether the map at <paramref name="map"/> intercepts an access.</summary>
    public static bool Intercepts(HostMemory memory, Hpa map, uint index, bool isWrite)
    {
        int bit = BitOf(index, isWrite);
        return bit < 0 || (memory.Read8(new Hpa(map.Value & ~0xFFFul) + (ulong)(bit / 8)) >> (bit % 8) & 1) != 0;
    }

    /// <summary>Intercepts every access that the map covers.</summary>
    public static void InterceptAll(HostMemory memory, Hpa map)
    {
        for (ulong offset = 0; offset < Pages * Hpa.PageSize; offset += 8)
            memory.Write64(map + offset, ulong.MaxValue);
    }

    /// <summary>Lets the guest read and write <paramref name="index"/>, which the map must cover, without an exit.</summary>
    public static void Allow(HostMemory memory, Hpa map, uint index)
    {
        int bit = BitOf(index, isWrite: false);
        Hpa at = map + (ulong)(bit / 8);
        memory.Write8(at, (byte)(memory.Read8(at) & ~(3 << (bit % 8))));
    }
}
