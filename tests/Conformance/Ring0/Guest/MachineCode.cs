using Iced.Intel;

namespace Hv.Conformance.Ring0.Guest;

/// <summary>Assembling by Iced, and the far jumps that its assembler has no shape for.</summary>
internal static class MachineCode
{
    /// <summary>The bytes of code that lies at <paramref name="address"/>.</summary>
    public static byte[] Assemble(int bits, ulong address, Action<Assembler> write)
    {
        var code = new Assembler(bits);
        write(code);
        return Assemble(code, address, [], out _);
    }

    /// <summary>Assembles, and tells where labels lie.</summary>
    public static byte[] Assemble(Assembler code, ulong address, ReadOnlySpan<Label> labels, out ulong[] addresses)
    {
        using var stream = new MemoryStream();
        AssemblerResult result = code.Assemble(new StreamCodeWriter(stream), address, BlockEncoderOptions.ReturnNewInstructionOffsets);
        addresses = new ulong[labels.Length];
        for (int i = 0; i < labels.Length; i++)
            addresses[i] = result.GetLabelRIP(labels[i]);
        return stream.ToArray();
    }

    /// <summary>JMP ptr16:16 in 16-bit code, JMP ptr16:32 in 32-bit code.</summary>
    public static void FarJump(this Assembler c, ushort selector, uint offset)
    {
        if (c.Bitness == 16)
            c.db(0xEA, (byte)offset, (byte)(offset >> 8), (byte)selector, (byte)(selector >> 8));
        else
            FarPointer(c, selector, offset);
    }

    /// <summary>JMP ptr16:32 from 16-bit code.</summary>
    public static void FarJump32(this Assembler c, ushort selector, uint offset)
    {
        c.db(0x66);
        FarPointer(c, selector, offset);
    }

    private static void FarPointer(Assembler c, ushort selector, uint offset)
    {
        c.db(0xEA, (byte)offset, (byte)(offset >> 8), (byte)(offset >> 16), (byte)(offset >> 24));
        c.db((byte)selector, (byte)(selector >> 8));
    }
}
