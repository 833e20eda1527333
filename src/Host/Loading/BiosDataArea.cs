using System.Buffers.Binary;

namespace Hv.Host.Loading;

/// <summary>
/// The part of the BIOS data area that kernels read although no firmware is promised to them: the serial port's address, the extended data area's
/// segment, the equipment word, and the size of base memory. Xen and Linux place their real-mode trampolines by the last two.
/// </summary>
internal static class BiosDataArea
{
    /// <summary>Where it lies, and its bytes (IBM PC/AT Technical Reference, BIOS data areas).</summary>
    public const ulong Address = 0x400;

    /// <inheritdoc cref="Address"/>
    public const int Size = 0x100;

    private const int Com1 = 0x00, ExtendedSegment = 0x0E, Equipment = 0x10, BaseMemory = 0x13;
    private const ushort OneSerialPort = 1 << 9, Com1Port = 0x3F8;

    /// <summary>The area of a machine whose memory below <paramref name="baseMemory"/> bytes, at most 640 KiB, is free for the guest.</summary>
    public static byte[] Build(ulong baseMemory)
    {
        byte[] area = new byte[Size];
        BinaryPrimitives.WriteUInt16LittleEndian(area.AsSpan(Com1), Com1Port);
        BinaryPrimitives.WriteUInt16LittleEndian(area.AsSpan(ExtendedSegment), (ushort)(baseMemory >> 4));
        BinaryPrimitives.WriteUInt16LittleEndian(area.AsSpan(Equipment), OneSerialPort);
        BinaryPrimitives.WriteUInt16LittleEndian(area.AsSpan(BaseMemory), (ushort)(baseMemory >> 10));
        return area;
    }
}
