using Hv.Core.Cpuid;
using Hv.Cpu.Decode;
using Hv.Cpu.State;
using Iced.Intel;

namespace Hv.Cpu.Tests;

/// <summary>Every opcode under every mandatory prefix, REX.W or VEX.L and VEX.W, and every ModRM.reg, in 64-bit code: an instruction exists in a
/// model when all the features that Iced names for it are of the model's level (x86-64 psABI, table 3.1), and is #UD otherwise.</summary>
public sealed class ModelTests
{
    /// <summary>Parts that every model has beside the psABI's, and the vendors' instructions, which the layer below a guest decides about.</summary>
    private static readonly HashSet<CpuidFeature> s_always =
    [
        CpuidFeature.INTEL8086, CpuidFeature.INTEL186, CpuidFeature.INTEL286, CpuidFeature.INTEL386, CpuidFeature.INTEL486, CpuidFeature.X64,
        CpuidFeature.CPUID, CpuidFeature.TSC, CpuidFeature.RDTSCP, CpuidFeature.MSR, CpuidFeature.SEP, CpuidFeature.SMAP, CpuidFeature.CLFSH,
        CpuidFeature.PAUSE, CpuidFeature.MULTIBYTENOP, CpuidFeature.RDPMC, CpuidFeature.MONITOR, CpuidFeature.VMX, CpuidFeature.SVM,
        CpuidFeature.SKINIT, CpuidFeature.SKINIT_or_SVM, CpuidFeature.INVEPT, CpuidFeature.INVVPID, CpuidFeature.SEV_ES, CpuidFeature.SMM,
    ];

    private static readonly (string Model, CpuidFeature[] Adds)[] s_models =
    [
        ("x86-64-v1", [CpuidFeature.CMOV, CpuidFeature.CX8, CpuidFeature.FPU, CpuidFeature.FPU287, CpuidFeature.FPU387, CpuidFeature.FXSR,
            CpuidFeature.MMX, CpuidFeature.SYSCALL, CpuidFeature.SSE, CpuidFeature.SSE2]),
        ("x86-64-v2", [CpuidFeature.CMPXCHG16B, CpuidFeature.POPCNT, CpuidFeature.SSE3, CpuidFeature.SSE4_1, CpuidFeature.SSE4_2,
            CpuidFeature.SSSE3]),
        ("x86-64-v3", [CpuidFeature.AVX, CpuidFeature.AVX2, CpuidFeature.BMI1, CpuidFeature.BMI2, CpuidFeature.F16C, CpuidFeature.FMA,
            CpuidFeature.LZCNT, CpuidFeature.MOVBE, CpuidFeature.XSAVE]),
        ("max", [CpuidFeature.AES, CpuidFeature.PCLMULQDQ, CpuidFeature.SHA, CpuidFeature.ADX, CpuidFeature.RDRAND, CpuidFeature.RDSEED,
            CpuidFeature.XSAVEOPT, CpuidFeature.FSGSBASE, CpuidFeature.RDPID,
            CpuidFeature.CLFLUSHOPT, CpuidFeature.CLWB]),
    ];

    [Theory]
    [InlineData("x86-64-v1", 1200)]
    [InlineData("x86-64-v2", 1300)]
    [InlineData("x86-64-v3", 2000)]
    [InlineData("max", 2050)]
    public void A_model_has_the_instructions_of_its_level_and_no_others(string model, int least)
    {
        HashSet<CpuidFeature> offered = [.. s_always];
        foreach ((string name, CpuidFeature[] adds) in s_models)
        {
            offered.UnionWith(adds);
            if (name == model)
                break;
        }

        FeatureSet features = FeatureSet.Of(CpuidModel.Find(model)!.Table);
        var differences = new SortedSet<string>(StringComparer.Ordinal);
        HashSet<Code> existing = [];
        foreach (byte[] bytes in Encodings())
        {
            var iced = Iced.Intel.Decoder.Create(64, new ByteArrayCodeReader(bytes));
            Instruction instruction = iced.Decode();
            if (instruction.IsInvalid || instruction.Mnemonic is Mnemonic.Ud0 or Mnemonic.Ud1 or Mnemonic.Ud2)
                continue;
            bool expected = IsOffered(instruction, offered, model);
            var op = default(Op);
            bool exists = Decode.Decoder.Decode(bytes, new ModeKey(ModeKey.Code64), features, ref op) == DecodeStatus.Ok;
            if (expected != exists)
                differences.Add($"{instruction.Code} ({string.Join('+', instruction.CpuidFeatures)}) {(exists ? "exists" : "is undefined")}");
            else if (exists)
                existing.Add(instruction.Code);
        }

        Assert.True(differences.Count == 0, string.Join('\n', differences));
        Assert.True(existing.Count >= least, $"{existing.Count} instructions");
    }

    /// <summary>Bits of SDM 2A CPUID, tables 3-8, 3-10 and 3-11, and of leaf 7, that name instructions, by the level from which a model has
    /// them.</summary>
    [Theory]
    [InlineData("x86-64-v1", 0)]
    [InlineData("x86-64-v2", 1)]
    [InlineData("x86-64-v3", 2)]
    [InlineData("max", 3)]
    public void Cpuid_reports_what_the_level_has(string model, int level)
    {
        uint[] leaf1Edx = [1u << 0 | 1u << 8 | 1u << 15 | 1u << 23 | 1u << 24 | 1u << 25 | 1u << 26, 0, 0, 0];
        uint[] leaf1Ecx =
        [
            0, 1u << 0 | 1u << 9 | 1u << 13 | 1u << 19 | 1u << 20 | 1u << 23, 1u << 12 | 1u << 22 | 1u << 26 | 1u << 28 | 1u << 29,
            1u << 1 | 1u << 25 | 1u << 30,
        ];
        uint[] leaf7Ebx =
            [0, 0, 1u << 3 | 1u << 5 | 1u << 8, 1u << 0 | 1u << 18 | 1u << 19 | 1u << 23 | 1u << 24 | 1u << 29];
        uint[] leaf7Ecx = [0, 0, 0, 1u << 22];
        uint[] extendedEcx = [0, 1u << 0, 1u << 5, 0];
        // Bits of other things: the hypervisor's, SMEP, SMAP, ERMS and two of the x87's; UMIP; system features of leaf 1.
        const uint OtherEcx = 1u << 31, OtherEbx7 = 1u << 6 | 1u << 7 | 1u << 9 | 1u << 13 | 1u << 20, OtherEcx7 = 1u << 2;
        const uint OtherEdx = 1u << 2 | 1u << 3 | 1u << 4 | 1u << 5 | 1u << 6 | 1u << 11 | 1u << 13 | 1u << 16 | 1u << 17 | 1u << 19;

        CpuidTable table = CpuidModel.Find(model)!.Table;
        Assert.Equal(UpTo(leaf1Edx), table.Query(1, 0).Edx & ~OtherEdx);
        Assert.Equal(UpTo(leaf1Ecx), table.Query(1, 0).Ecx & ~OtherEcx);
        Assert.Equal(UpTo(leaf7Ebx), table.Query(7, 0).Ebx & ~OtherEbx7);
        Assert.Equal(UpTo(leaf7Ecx), table.Query(7, 0).Ecx & ~OtherEcx7);
        Assert.Equal(0u, table.Query(7, 0).Edx);
        Assert.Equal(UpTo(extendedEcx), table.Query(0x8000_0001, 0).Ecx);

        uint UpTo(uint[] adds) => adds[..(level + 1)].Aggregate((a, b) => a | b);
    }

    private static bool IsOffered(in Instruction instruction, HashSet<CpuidFeature> offered, string model) => instruction.Mnemonic switch
    {
        // CPUID 80000001H ECX[0]: LAHF and SAHF in 64-bit mode (SDM 2A LAHF).
        Mnemonic.Lahf or Mnemonic.Sahf => model != "x86-64-v1",
        // Without the feature the prefix means nothing (SDM 2C TZCNT, 2B LZCNT, 2D WBNOINVD).
        Mnemonic.Tzcnt or Mnemonic.Lzcnt or Mnemonic.Wbnoinvd => true,
        _ => IsHint(instruction) || instruction.CpuidFeatures.All(offered.Contains),
    };

    /// <summary>Opcodes that are NOPs of one operand until a feature gives them a meaning (SDM 2D table A-3).</summary>
    private static bool IsHint(in Instruction instruction) =>
        instruction.OpCode is
        {
            Encoding: EncodingKind.Legacy, Table: OpCodeTableKind.T0F, OpCode: 0x0D or (>= 0x18 and <= 0x1F) or 0x1EFA or 0x1EFB
        };

    private static IEnumerable<byte[]> Encodings()
    {
        byte[][] maps = [[], [0x0F], [0x0F, 0x38], [0x0F, 0x3A]];
        byte[][] prefixes = [[], [0x66], [0xF3], [0xF2]];
        for (int opcode = 0; opcode < 256; opcode++)
        {
            foreach (byte[] modRm in ModRms())
            {
                byte[] rest = [(byte)opcode, .. modRm];
                foreach (byte[] map in maps)
                    foreach (byte[] prefix in prefixes)
                        for (byte rex = 0x40; rex <= 0x48; rex += 8)
                            yield return Padded([.. prefix, rex, .. map, .. rest]);
                for (int map = 1; map <= 3; map++)
                    for (int variant = 0; variant < 16; variant++)
                        yield return Padded([0xC4, (byte)(0xE0 | map), (byte)(0x78 | (variant >> 3) << 7 | (variant & 7)), .. rest]);
            }
        }
    }

    private static IEnumerable<byte[]> ModRms()
    {
        for (int reg = 0; reg < 8; reg++)
            yield return [(byte)(reg << 3 | 4), 0x10]; // [rax+rdx], or a vector of indexes
        for (int both = 0xC0; both < 0x100; both++)
            yield return [(byte)both];
    }

    private static byte[] Padded(byte[] bytes)
    {
        Array.Resize(ref bytes, 20);
        return bytes;
    }
}
