using Hv.Conformance.Campaigns.Cases;
using Iced.Intel;

namespace Hv.Conformance.Campaigns.Forms;

/// <summary>
/// Random encodings of a form: the opcode from Iced's table between random prefixes, ModRM, SIB, displacement and immediate bytes, kept when Iced's
/// decoder
/// reads them as that form. So every addressing form and redundant prefix comes up without a list of operand shapes.
/// </summary>
public static class FormBytes
{
    private const int Attempts = 400;
    private static readonly byte[] _segmentPrefixes = [0x26, 0x2E, 0x36, 0x3E, 0x64, 0x65];

    /// <summary>Makes one encoding.</summary>
    /// <param name="form">The form.</param>
    /// <param name="random">Source of randomness.</param>
    /// <param name="address">Where it will be (for RIP-relative operands).</param>
    /// <param name="instruction">How Iced reads it.</param>
    /// <returns>The bytes, or null when no attempt succeeded.</returns>
    public static byte[]? Make(Form form, Prng random, ulong address, out Instruction instruction)
    {
        Span<byte> buffer = stackalloc byte[32];
        for (int attempt = 0; attempt < Attempts; attempt++)
        {
            int length = form.OpCode.Encoding == EncodingKind.VEX ? Vex(form, random, buffer) : Legacy(form, random, buffer);
            length = Math.Min(length, 15);
            byte[] bytes = buffer[..length].ToArray();
            instruction = Decode(bytes, form.Mode, address);
            if (instruction.Code == form.Code && instruction.Length <= 15)
                return bytes[..instruction.Length];
        }

        instruction = default;
        return null;
    }

    /// <summary>Reads bytes as Iced does.</summary>
    public static Instruction Decode(byte[] bytes, CodeMode mode, ulong address)
    {
        var decoder = Decoder.Create((int)mode, new ByteArrayCodeReader(bytes), address);
        return decoder.Decode();
    }

    private static int Legacy(Form form, Prng random, Span<byte> b)
    {
        OpCodeInfo o = form.OpCode;
        int n = 0;
        if (random.OneIn(8))
            b[n++] = random.Pick<byte>(_segmentPrefixes);
        if (random.OneIn(8) || WantsOtherAddressSize(o, form.Mode))
            b[n++] = 0x67;
        int natural = form.Mode == CodeMode.Bits16 ? 16 : 32;
        bool wants66 = o.OperandSize switch
        {
            16 => natural == 32,
            32 => natural == 16,
            _ => random.OneIn(16)
            && o.MandatoryPrefix == MandatoryPrefix.None
        };
        if (wants66 || o.MandatoryPrefix == MandatoryPrefix.P66)
            b[n++] = 0x66;
        if (o.CanUseLockPrefix && random.OneIn(3))
            b[n++] = 0xF0;
        if (o.MandatoryPrefix == MandatoryPrefix.PF3 || (o.CanUseRepPrefix && random.OneIn(3)))
            b[n++] = 0xF3;
        else if (o.MandatoryPrefix == MandatoryPrefix.PF2 || (o.CanUseRepnePrefix && random.OneIn(3)))
            b[n++] = 0xF2;
        if (form.Mode == CodeMode.Bits64 && (o.OperandSize == 64 || random.Below(3) != 0))
            b[n++] = (byte)(0x40 | (random.Below(16) & 7) | (o.OperandSize == 64 && !(o.DefaultOpSize64 && random.OneIn(2)) ? 8 : random.OneIn(4)
                ? 8 : 0));
        n = Table(o, b, n);
        return Tail(o, random, b, n);
    }

    private static int Vex(Form form, Prng random, Span<byte> b)
    {
        OpCodeInfo o = form.OpCode;
        int n = 0;
        if (random.OneIn(8))
            b[n++] = random.Pick<byte>(_segmentPrefixes);
        if (random.OneIn(8))
            b[n++] = 0x67;
        bool is64 = form.Mode == CodeMode.Bits64;
        // Two bytes of VEX have no X, B, W and map (SDM 2A 2.3.5).
        if (o.Table == OpCodeTableKind.T0F && (o.IsWIG || o.W == 0) && random.OneIn(2))
        {
            b[n++] = 0xC5;
            int free = random.OneIn(2) ? 15 : random.Below(16);
            b[n++] = (byte)((is64 ? random.Below(2) << 7 : 0x80) | (is64 ? free : free | 8) << 3 | (o.IsLIG ? random.Below(2) : (int)o.L) << 2
                | Prefix(o));
            b[n++] = (byte)o.OpCode;
            return Tail(o, random, b, n);
        }

        int map = o.Table switch { OpCodeTableKind.T0F => 1, OpCodeTableKind.T0F38 => 2, OpCodeTableKind.T0F3A => 3, _ => 0 };
        int w = o.IsWIG || (o.IsWIG32 && !is64) ? random.Below(2) : (int)o.W;
        int vvvv = random.OneIn(2) ? 15 : random.Below(16);
        b[n++] = 0xC4;
        b[n++] = (byte)((is64 ? random.Below(8) << 5 : 0xE0) | map);
        b[n++] = (byte)((w << 7) | (vvvv << 3) | ((o.IsLIG ? random.Below(2) : (int)o.L) << 2) | Prefix(o));
        b[n++] = (byte)o.OpCode;
        return Tail(o, random, b, n);
    }

    private static int Prefix(OpCodeInfo o) =>
        o.MandatoryPrefix switch { MandatoryPrefix.P66 => 1, MandatoryPrefix.PF3 => 2, MandatoryPrefix.PF2 => 3, _ => 0 };

    private static int Table(OpCodeInfo o, Span<byte> b, int n)
    {
        if (o.Table != OpCodeTableKind.Normal)
            b[n++] = 0x0F;
        if (o.Table == OpCodeTableKind.T0F38)
            b[n++] = 0x38;
        if (o.Table == OpCodeTableKind.T0F3A)
            b[n++] = 0x3A;
        if (o.OpCodeLength == 2)
            b[n++] = (byte)(o.OpCode >> 8);
        b[n++] = (byte)o.OpCode;
        return n;
    }

    private static int Tail(OpCodeInfo o, Prng random, Span<byte> b, int n)
    {
        for (int i = 0; i < o.OpCount; i++)
            if (o.GetOpKind(i) is OpCodeOperandKind.r8_opcode or OpCodeOperandKind.r16_opcode or OpCodeOperandKind.r32_opcode
                or OpCodeOperandKind.r64_opcode
                or OpCodeOperandKind.sti_opcode)
                b[n - 1] |= (byte)random.Below(8);
        int modRm = n;
        for (int i = 0; i < 12; i++)
            b[n++] = (byte)random.Next();
        if (o.IsGroup)
            b[modRm] = (byte)((b[modRm] & 0xC7) | (o.GroupIndex << 3));
        // A vector of indices takes a SIB byte: ModRM.rm 100b with a memory operand.
        if (HasIndices(o))
            b[modRm] = (byte)((b[modRm] & 0x38) | (random.Below(3) << 6) | 4);
        if (o.IsRmGroup)
            b[modRm] = (byte)((b[modRm] & 0xF8) | o.RmGroupIndex);
        return n;
    }

    private static bool HasIndices(OpCodeInfo o)
    {
        for (int i = 0; i < o.OpCount; i++)
            if (o.GetOpKind(i) is >= OpCodeOperandKind.mem_vsib32x and <= OpCodeOperandKind.mem_vsib64z)
                return true;
        return false;
    }

    /// <summary>JCXZ, LOOP and string forms are told apart by address size.</summary>
    private static bool WantsOtherAddressSize(OpCodeInfo o, CodeMode mode) => o.AddressSize != 0 && o.AddressSize != (int)mode;
}
