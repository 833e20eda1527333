namespace Hv.Backends.Svm.Silicon;

/// <summary>
/// The I/O permission map: one bit a port and three more for accesses that run past port FFFFH, in 12 KiB; a set bit intercepts (APM 2 15.10.1).
/// </summary>
public static class IoPermissionMap
{
    /// <summary>Its size in pages.</summary>
    public const int Pages = 3;

    /// <summary>Whether the map at <paramref name="map"/> intercepts an access: any of the bits of its <paramref name="size"/> bytes is
    /// set.</summary>
    public static bool Intercepts(HostMemory memory, Hpa map, ushort port, int size)
    {
        Hpa at = new Hpa(map.Value & ~0xFFFul) + (ulong)(port / 8);
        int bits = memory.Read16(at);
        return (bits >> (port % 8) & ((1 << size) - 1)) != 0;
    }

    /// <summary>Intercepts every port, and the three bits beyond.</summary>
    public static void InterceptAll(HostMemory memory, Hpa map)
    {
        for (ulong offset = 0; offset < Pages * Hpa.PageSize; offset += 8)
            memory.Write64(map + offset, ulong.MaxValue);
    }

    /// <summary>Lets the guest access a port without an exit.</summary>
    public static void Allow(HostMemory memory, Hpa map, ushort port)
    {
        Hpa at = map + (ulong)(port / 8);
        memory.Write8(at, (byte)(memory.Read8(at) & ~(1 << (port % 8))));
    }
}
