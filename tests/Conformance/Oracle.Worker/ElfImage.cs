using System.Buffers.Binary;

namespace Hv.Conformance.Oracle;

/// <summary>Writes the smallest ELF64 executable: two loadable segments and no sections (System V ABI, chapters 4 and 5).</summary>
internal static class ElfImage
{
    private const int HeaderSize = 64, ProgramHeaderSize = 56;
    private const uint Execute = 1, Write = 2, Read = 4;

    /// <summary>Makes the file.</summary>
    /// <param name="text">Code; its first byte is the entry point.</param>
    /// <param name="textAddress">Page-aligned address of <paramref name="text"/>.</param>
    /// <param name="data">Initialised writable data.</param>
    /// <param name="dataAddress">Page-aligned address of <paramref name="data"/>.</param>
    public static byte[] Build(ReadOnlySpan<byte> text, ulong textAddress, ReadOnlySpan<byte> data, ulong dataAddress)
    {
        int textOffset = OracleMap.PageSize;
        int dataOffset = textOffset + RoundUp(text.Length);
        byte[] file = new byte[dataOffset + data.Length];
        Span<byte> f = file;
        ReadOnlySpan<byte> ident = [0x7F, (byte)'E', (byte)'L', (byte)'F', 2, 1, 1];
        ident.CopyTo(f);
        BinaryPrimitives.WriteUInt16LittleEndian(f[16..], 2);    // ET_EXEC
        BinaryPrimitives.WriteUInt16LittleEndian(f[18..], 62);   // EM_X86_64
        BinaryPrimitives.WriteUInt32LittleEndian(f[20..], 1);
        BinaryPrimitives.WriteUInt64LittleEndian(f[24..], textAddress);
        BinaryPrimitives.WriteUInt64LittleEndian(f[32..], HeaderSize);
        BinaryPrimitives.WriteUInt16LittleEndian(f[52..], HeaderSize);
        BinaryPrimitives.WriteUInt16LittleEndian(f[54..], ProgramHeaderSize);
        BinaryPrimitives.WriteUInt16LittleEndian(f[56..], 2);
        Segment(f[HeaderSize..], Read | Execute, textOffset, textAddress, text.Length);
        Segment(f[(HeaderSize + ProgramHeaderSize)..], Read | Write, dataOffset, dataAddress, data.Length);
        text.CopyTo(f[textOffset..]);
        data.CopyTo(f[dataOffset..]);
        return file;
    }

    private static void Segment(Span<byte> header, uint flags, int offset, ulong address, int length)
    {
        BinaryPrimitives.WriteUInt32LittleEndian(header, 1);     // PT_LOAD
        BinaryPrimitives.WriteUInt32LittleEndian(header[4..], flags);
        BinaryPrimitives.WriteUInt64LittleEndian(header[8..], (ulong)offset);
        BinaryPrimitives.WriteUInt64LittleEndian(header[16..], address);
        BinaryPrimitives.WriteUInt64LittleEndian(header[24..], address);
        BinaryPrimitives.WriteUInt64LittleEndian(header[32..], (ulong)length);
        BinaryPrimitives.WriteUInt64LittleEndian(header[40..], (ulong)length);
        BinaryPrimitives.WriteUInt64LittleEndian(header[48..], OracleMap.PageSize);
    }

    private static int RoundUp(int length) => (length + OracleMap.PageSize - 1) & -OracleMap.PageSize;
}
