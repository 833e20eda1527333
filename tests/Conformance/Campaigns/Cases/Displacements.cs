using Hv.Conformance.Campaigns.Forms;
using Hv.Conformance.Oracle;
using Iced.Intel;

namespace Hv.Conformance.Campaigns.Cases;

/// <summary>Rewrites random displacements so that operands which no register can steer still meet the window.</summary>
public static class Displacements
{
    /// <summary>Aims the memory operand of an encoding, in place.</summary>
    /// <param name="bytes">The encoding.</param>
    /// <param name="mode">Its code mode.</param>
    /// <param name="rip">Where it will lie.</param>
    /// <param name="random">Source of randomness.</param>
    public static void Aim(byte[] bytes, CodeMode mode, ulong rip, Prng random)
    {
        var decoder = Decoder.Create((int)mode, new ByteArrayCodeReader(bytes), rip);
        Instruction instruction = decoder.Decode();
        ConstantOffsets offsets = decoder.GetConstantOffsets(in instruction);
        if (instruction.Mnemonic == Mnemonic.Enter && !random.OneIn(8))
        {
            // A frame and a nesting level that fit the window.
            Write(bytes.AsSpan(offsets.ImmediateOffset, 2), (ulong)random.Below(40));
            bytes[offsets.ImmediateOffset + 2] = (byte)(random.OneIn(2) ? 0 : random.Next() & 0xE3);
        }

        // A result that the manuals leave undefined must not reach memory: later cases would read it.
        if (WritesUndefinedMemory(in instruction) && offsets.HasImmediate)
            bytes[offsets.ImmediateOffset] &= 0x0F;
        if (!offsets.HasDisplacement || instruction.IsInvalid || random.OneIn(64))
            return;
        bool relative = instruction.IsIPRelativeMemoryOperand;
        bool fixedAddress = relative || (instruction.MemoryBase == Register.None && instruction.MemoryIndex == Register.None);
        Span<byte> field = bytes.AsSpan(offsets.DisplacementOffset, offsets.DisplacementSize);
        if (!fixedAddress)
        {
            // A stack pointer cannot serve a push and a far displacement at once.
            if (offsets.DisplacementSize > 1 && (instruction.MemoryBase.GetFullRegister() == Register.RSP || random.OneIn(2)))
                Write(field, (ulong)(long)(random.Below(128) - 64));
            return;
        }

        ulong target = OracleMap.Window + 72 + (uint)random.Below(OracleMap.WindowSize - 144);
        if (random.OneIn(16))
            target = OracleMap.Window + OracleMap.WindowSize / 2 - (uint)random.Below(8);
        if (CodeSlot.Locks(in instruction))
            target &= ~15UL;
        target -= instruction.MemorySegment switch { Register.FS => OracleMap.FsBase, Register.GS => OracleMap.GsBase, _ => 0 };
        Write(field, relative ? target - (rip + (uint)instruction.Length) : target);
    }

    /// <summary>SHLD and SHRD of 16 bits to memory: a count above 16 leaves the result undefined.</summary>
    public static bool WritesUndefinedMemory(in Instruction instruction) =>
        instruction.Mnemonic is Mnemonic.Shld or Mnemonic.Shrd && instruction.Op0Kind == OpKind.Memory && instruction.MemorySize.GetSize() == 2;

    private static void Write(Span<byte> field, ulong value)
    {
        for (int i = 0; i < field.Length; i++)
            field[i] = (byte)(value >> (8 * i));
    }
}
