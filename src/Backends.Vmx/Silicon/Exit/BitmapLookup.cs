namespace Hv.Backends.Vmx.Silicon.Exit;

/// <summary>Where RDMSR, WRMSR, IN and OUT look in their bitmaps.</summary>
public static class BitmapLookup
{
    private const uint RangeSize = 0x2000, HighRange = 0xC000_0000;
    private const int HighOffset = 0x400, WriteOffset = 0x800;
    private const int PortsPerBitmap = 0x8000;

    /// <summary>The bit of an MSR in the MSR-bitmap page (SDM 3C 25.6.9), or -1: out of both ranges, always an exit.</summary>
    public static int MsrBit(uint index, bool isWrite)
    {
        int page = isWrite ? WriteOffset : 0;
        if (index < RangeSize)
            return (page * 8) + (int)index;
        if (index - HighRange < RangeSize)
            return ((page + HighOffset) * 8) + (int)(index - HighRange);
        return -1;
    }

    /// <summary>Whether an access to ports exits under I/O bitmaps (SDM 3C 25.6.4, 26.1.3): any port's bit is set, or the access wraps past
    /// FFFFH.</summary>
    /// <param name="bitmapA">Ports 0000H to 7FFFH.</param>
    /// <param name="bitmapB">Ports 8000H to FFFFH.</param>
    /// <param name="port">The first port.</param>
    /// <param name="size">Bytes: 1, 2 or 4.</param>
    public static bool PortExits(ReadOnlySpan<byte> bitmapA, ReadOnlySpan<byte> bitmapB, ushort port, int size)
    {
        if (port + size > 2 * PortsPerBitmap)
            return true;
        for (int i = port; i < port + size; i++)
        {
            ReadOnlySpan<byte> bitmap = i < PortsPerBitmap ? bitmapA : bitmapB;
            if (IsSet(bitmap, i % PortsPerBitmap))
                return true;
        }

        return false;
    }

    /// <summary>Whether a bit of a bitmap page is set. A page that is not there reads as ones.</summary>
    public static bool IsSet(ReadOnlySpan<byte> bitmap, int bit) => bit >> 3 >= bitmap.Length || (bitmap[bit >> 3] >> (bit & 7) & 1) != 0;
}
