using System.Buffers.Binary;

namespace Hv.Host.Tests.Loading;

/// <summary>Makes multiboot-1 headers (Multiboot 0.6.96, 3.1).</summary>
internal static class MultibootBuilder
{
    public const uint Magic = 0x1BADB002, AddressFlag = 1 << 16;

    /// <summary>A header of 12 bytes, or of 32 with addresses: header, load, load end, bss end, entry.</summary>
    public static byte[] Header(uint flags, params uint[] addresses)
    {
        byte[] header = new byte[12 + addresses.Length * 4];
        uint[] words = [Magic, flags, unchecked(0u - Magic - flags), .. addresses];
        for (int i = 0; i < words.Length; i++)
            BinaryPrimitives.WriteUInt32LittleEndian(header.AsSpan(i * 4), words[i]);
        return header;
    }

    /// <summary>An image in the a.out-kludge form: the header at file offset <paramref name="at"/>, then <paramref name="code"/>, loaded at
    /// <paramref name="load"/> and entered at the code.</summary>
    public static byte[] Kludge(uint load, int at, byte[] code, uint loadEnd = 0, uint bssEnd = 0, uint? header = null, uint? entry = null) =>
        [.. new byte[at], .. Header(AddressFlag, header ?? load + (uint)at, load, loadEnd, bssEnd, entry ?? load + (uint)at + 32), .. code];
}
