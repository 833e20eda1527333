using Hv.Cpu.Decode;
using Hv.Cpu.State;
using Iced.Intel;

namespace Hv.Cpu.Tests;

/// <summary>The decoder against Iced: the same bytes must be an instruction of the same length, or none, in both.</summary>
public sealed class DecoderTests
{
    private const int Samples = 400_000;

    [Theory]
    [InlineData(16, 1)]
    [InlineData(32, 2)]
    [InlineData(64, 3)]
    public void Random_bytes_have_the_length_and_validity_that_Iced_gives(int bits, int seed)
    {
        var random = new Random(seed);
        var bytes = new byte[20];
        var differences = new SortedDictionary<string, string>();
        int compared = 0, valid = 0;
        for (int i = 0; i < Samples; i++)
        {
            random.NextBytes(bytes);
            Steer(bytes, i, random);
            var reader = new ByteArrayCodeReader(bytes);
            var iced = Iced.Intel.Decoder.Create(bits, reader, 0x1000, DecoderOptions.None);
            Instruction expected = iced.Decode();
            if (!expected.IsInvalid && IsElsewhere(expected))
                continue;
            compared++;
            var op = default(Op);
            DecodeStatus status = Decode.Decoder.Decode(bytes, KeyOf(bits), FeatureSet.All, ref op);
            bool undefined = expected.IsInvalid || expected.Mnemonic is Mnemonic.Ud0 or Mnemonic.Ud1 or Mnemonic.Ud2;
            if (op.Kind == Decode.OpKind.X87Escape)
                continue;
            string mine = status == DecodeStatus.Ok ? $"{op.Kind} {op.Length}" : status.ToString();
            string theirs = expected.IsInvalid ? "invalid" : $"{expected.Length}";
            bool same = undefined ? status != DecodeStatus.Ok || op.Kind == Decode.OpKind.Vendor : status == DecodeStatus.Ok
                && op.Length == expected.Length;
            if (same)
                valid += expected.IsInvalid ? 0 : 1;
            else
            {
                string code = expected.IsInvalid ? "invalid" : expected.Code.ToString();
                string kind = status == DecodeStatus.Ok ? op.Kind.ToString() : "refused";
                differences.TryAdd($"{code} / {kind}", $"{Convert.ToHexString(bytes)} iced {theirs} hv {mine}");
            }
        }

        Assert.True(differences.Count == 0, string.Join('\n', differences.Select(d => $"{d.Key}: {d.Value}").Take(60)));
        Assert.True(valid > compared / 4, $"{valid} of {compared} were valid");
    }

    [Theory]
    [InlineData("26F365656565656565F0410FC39F924C0000", DecodeStatus.TooLong)] // F3 MOVNTI with LOCK: silicon gives #GP, not #UD
    [InlineData("2626262626262626262626F30FC39F00000000", DecodeStatus.TooLong)]
    [InlineData("26262626262626262626F30FC307", DecodeStatus.Undefined)]
    [InlineData("F0F30FC3070000000000000000000000", DecodeStatus.Undefined)]
    [InlineData("26262626262626262626F0C7050000000000000000", DecodeStatus.TooLong)] // LOCK MOV
    public void An_undefined_instruction_of_more_than_15_bytes_is_too_long(string bytes, object expected)
    {
        var op = default(Op);
        Assert.Equal(expected, Decode.Decoder.Decode(Convert.FromHexString(bytes), KeyOf(64), FeatureSet.All, ref op));
    }

    private static ModeKey KeyOf(int bits) => new(bits switch { 16 => 0, 32 => ModeKey.Code32, _ => ModeKey.Code64 });

    /// <summary>Half of the samples get prefixes and escape bytes, which random bytes seldom have together.</summary>
    private static void Steer(byte[] bytes, int i, Random random)
    {
        ReadOnlySpan<byte> prefixes = [0x66, 0x67, 0xF2, 0xF3, 0xF0, 0x2E, 0x64, 0x48, 0x41, 0x4C];
        int at = 0;
        if ((i & 1) != 0)
        {
            for (int n = random.Next(3); n > 0; n--)
                bytes[at++] = prefixes[random.Next(prefixes.Length)];
        }

        switch (random.Next(12))
        {
            case 0 or 1 or 2: bytes[at] = 0x0F; break;
            case 5: (bytes[at], bytes[at + 1]) = (0x0F, random.Next(2) == 0 ? (byte)0x38 : (byte)0x3A); break;
            case 6: bytes[at] = 0xC5; bytes[at + 1] |= (byte)(random.Next(4) == 0 ? 0 : 0x78); break;
            case 7:
                (bytes[at], bytes[at + 1]) = (0xC4, (byte)(random.Next(8) << 5 | 1 + random.Next(3)));
                bytes[at + 2] |= (byte)(random.Next(4) == 0 ? 0 : 0x78);
                break;
            case 3: (bytes[at], bytes[at + 1]) = (0x0F, 0x38); bytes[at + 2] = (byte)(0xF0 + random.Next(16)); break;
            case 4:
                (bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]) =
                (0xC4, (byte)(0xE2 & ~(random.Next(8) << 5)), (byte)random.Next(256), (byte)(0xF2 + random.Next(6))); break;
        }
    }

    /// <summary>Instructions of units that this decoder's rows do not have (yet), and of extensions that hv does not offer.</summary>
    private static bool IsElsewhere(in Instruction instruction)
    {
        foreach (CpuidFeature feature in instruction.CpuidFeatures)
        {
            if (!s_features.Contains(feature))
                return true;
        }

        return false;
    }

    private static readonly HashSet<CpuidFeature> s_features =
    [
        CpuidFeature.INTEL8086, CpuidFeature.INTEL8086_ONLY, CpuidFeature.INTEL186, CpuidFeature.INTEL286, CpuidFeature.INTEL386,
        CpuidFeature.INTEL486, CpuidFeature.X64,
        CpuidFeature.BMI1, CpuidFeature.BMI2, CpuidFeature.LZCNT, CpuidFeature.POPCNT, CpuidFeature.ADX, CpuidFeature.MOVBE, CpuidFeature.CMOV,
        CpuidFeature.CPUID,
        CpuidFeature.CX8, CpuidFeature.CMPXCHG16B, CpuidFeature.RDRAND, CpuidFeature.RDSEED, CpuidFeature.FSGSBASE, CpuidFeature.SMAP,
        CpuidFeature.SYSCALL,
        CpuidFeature.SEP, CpuidFeature.TSC, CpuidFeature.RDTSCP, CpuidFeature.MSR, CpuidFeature.CLFSH, CpuidFeature.VMX, CpuidFeature.SVM,
        CpuidFeature.MONITOR,
        CpuidFeature.RDPID, CpuidFeature.RDPMC, CpuidFeature.PAUSE, CpuidFeature.MULTIBYTENOP, CpuidFeature.SKINIT, CpuidFeature.XSAVE,
        CpuidFeature.XSAVEOPT, CpuidFeature.MMX, CpuidFeature.SSE, CpuidFeature.SSE2, CpuidFeature.SSE3, CpuidFeature.SSSE3, CpuidFeature.SSE4_1,
        CpuidFeature.SSE4_2, CpuidFeature.AVX, CpuidFeature.AVX2, CpuidFeature.FMA, CpuidFeature.F16C, CpuidFeature.AES, CpuidFeature.PCLMULQDQ,
        CpuidFeature.SHA,
    ];
}
