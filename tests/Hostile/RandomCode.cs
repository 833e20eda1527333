using Iced.Intel;

namespace Hv.Hostile;

/// <summary>Random instructions that decode, with a bias to the ones that reach far: system instructions, strings, far transfers, prefixes.</summary>
internal static class RandomCode
{
    /// <summary>Two-byte opcodes (0F xx) of system instructions, and one-byte ones worth more than their share.</summary>
    private static readonly byte[] System0F = [0x00, 0x01, 0x01, 0x02, 0x03, 0x05, 0x06, 0x07, 0x08, 0x09, 0x20, 0x21, 0x22, 0x23, 0x30, 0x31, 0x32,
        0x34, 0x35, 0xA1, 0xA2, 0xAE, 0xB2, 0xB4, 0xB5, 0xB9, 0xC7, 0xC7];
    private static readonly byte[] Special = [0x07, 0x0E, 0x17, 0x1E, 0x1F, 0x62, 0x63, 0x6C, 0x6E, 0x8E, 0x8C, 0x9A, 0x9C, 0x9D, 0xA4, 0xA6, 0xAA,
        0xAC, 0xAE, 0xC4, 0xC5, 0xC8, 0xC9, 0xCA, 0xCB, 0xCC, 0xCD, 0xCE, 0xCF, 0xE4, 0xE6, 0xEA, 0xEC, 0xEE, 0xF1, 0xF4, 0xFA, 0xFB, 0xFF];
    private static readonly byte[] Prefixes = [0x66, 0x67, 0xF0, 0xF2, 0xF3, 0x26, 0x2E, 0x36, 0x3E, 0x64, 0x65, 0x48, 0x4F];

    private static readonly byte[][] ExitInstructions = [[0x0F, 0x01, 0xC1], [0x0F, 0x01, 0xD9], [0x0F, 0xB9, 0xF8]];

    /// <summary>Fills <paramref name="code"/> with instructions that decode in <paramref name="bits"/>-bit code; the rest with HLT.</summary>
    public static void FillWithInstructions(Span<byte> code, int bits, SeededRandom random)
    {
        byte[] candidate = new byte[15];
        code.Fill(0xF4);
        int at = 0;
        while (at < code.Length - candidate.Length)
        {
            if (random.OneIn(24))
            {
                byte[] exit = random.Pick(ExitInstructions);
                exit.CopyTo(code[at..]);
                at += exit.Length;
                continue;
            }

            Make(candidate, random);
            var decoder = Decoder.Create(bits, candidate);
            Instruction instruction = decoder.Decode();
            if (instruction.IsInvalid)
                continue;
            candidate.AsSpan(0, instruction.Length).CopyTo(code[at..]);
            at += instruction.Length;
        }
    }

    private static void Make(byte[] candidate, SeededRandom random)
    {
        random.Fill(candidate);
        int at = 0;
        while (at < 3 && random.OneIn(4))
            candidate[at++] = random.Pick<byte>(Prefixes);
        switch (random.Below(8))
        {
            case 0:
                candidate[at++] = 0x0F;
                candidate[at++] = random.Pick<byte>(System0F);
                break;
            case 1:
                candidate[at++] = random.Pick<byte>(Special);
                break;
            case 2:
                candidate[at++] = 0x0F;
                at++;
                break;
            default:
                at++;
                break;
        }

        // A displacement or immediate that means something more often than a random one does.
        if (random.OneIn(2))
            BitConverter.TryWriteBytes(candidate.AsSpan(at + 1), (uint)random.Number());
    }
}
