using Hv.Conformance.Campaigns.Cases;
using Hv.Conformance.Campaigns.Forms;
using Iced.Intel;

namespace Hv.Conformance.Campaigns.Runs;

/// <summary>Byte strings for the decoder: noise, walks through the opcode maps, and valid encodings with small damage.</summary>
public sealed class EncodingBytes
{
    /// <summary>Bytes of each string: the longest instruction and one more.</summary>
    public const int Length = 16;

    private static readonly byte[] _prefixes = [0x26, 0x2E, 0x36, 0x3E, 0x64, 0x65, 0x66, 0x67, 0xF0, 0xF2, 0xF3];
    private readonly Dictionary<CodeMode, Form[]> _forms;

    /// <summary>Draws damaged encodings from <paramref name="forms"/>.</summary>
    public EncodingBytes(IReadOnlyList<Form> forms) => _forms = forms.GroupBy(f => f.Mode).ToDictionary(g => g.Key, g => g.ToArray());

    /// <summary>One string. <paramref name="number"/> counts through the opcode maps.</summary>
    public byte[] Next(Prng random, CodeMode mode, long number)
    {
        byte[] bytes = new byte[Length];
        for (int i = 0; i < Length; i++)
            bytes[i] = (byte)random.Next();
        switch (random.Below(4))
        {
            case 0:
                break;
            case 1:
                Walk(bytes, random, mode, number);
                break;
            default:
                Damage(bytes, random, mode);
                break;
        }

        return bytes;
    }

    /// <summary>Every opcode of the one-byte, 0F, 0F 38 and 0F 3A maps in turn, with every ModRM.reg and both mod kinds, behind some
    /// prefixes.</summary>
    private static void Walk(byte[] bytes, Prng random, CodeMode mode, long number)
    {
        int n = 0;
        while (n < 3 && random.OneIn(3))
            bytes[n++] = random.Pick<byte>(_prefixes);
        if (mode == CodeMode.Bits64 && random.OneIn(2))
            bytes[n++] = (byte)(0x40 | random.Below(16));
        int map = (int)(number >> 8 & 3);
        if (map != 0)
            bytes[n++] = 0x0F;
        if (map == 2)
            bytes[n++] = 0x38;
        if (map == 3)
            bytes[n++] = 0x3A;
        bytes[n++] = (byte)number;
        int modRm = (int)(number >> 10 & 15);
        bytes[n] = (byte)(((modRm & 7) << 3) | ((modRm & 8) != 0 ? 0xC0 : random.Below(3) << 6) | random.Below(8));
    }

    private void Damage(byte[] bytes, Prng random, CodeMode mode)
    {
        if (!_forms.TryGetValue(mode, out Form[]? forms) || FormBytes.Make(forms[random.Below(forms.Length)], random, 0, out _) is not { } valid)
            return;
        valid.CopyTo(bytes, 0);
        switch (random.Below(6))
        {
            case 0:
                bytes[random.Below(valid.Length)] ^= (byte)(1 << random.Below(8));
                break;
            case 1:
                bytes[random.Below(valid.Length)] = (byte)random.Next();
                break;
            case 2 or 3:
                // Prefixes in front, sometimes up to and past the limit of 15 bytes.
                int more = random.OneIn(4) ? random.Below(Length - 1) : 1 + random.Below(3);
                byte one = random.Pick<byte>(_prefixes);
                for (int i = Length - 1; i >= more; i--)
                    bytes[i] = bytes[i - more];
                for (int i = 0; i < more; i++)
                    bytes[i] = random.OneIn(2) ? one : random.Pick<byte>(_prefixes);
                break;
            case 4 when valid.Length > 1:
                // ModRM or the like: the last opcode byte's successor.
                bytes[1 + random.Below(valid.Length - 1)] = (byte)random.Next();
                break;
        }
    }
}
