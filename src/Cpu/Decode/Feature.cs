using Hv.Core.Cpuid;

namespace Hv.Cpu.Decode;

/// <summary>Parts of the instruction set that CPUID reports one by one. Instructions of a part that the model does not have are #UD.</summary>
internal enum Feature : byte
{
    /// <summary>In every model.</summary>
    None,
    Mmx, Sse, Sse2, Sse3, Ssse3, Sse41, Sse42, Popcnt, Aes, Pclmulqdq, Movbe, Xsave, Xsaveopt, Avx, F16c, Rdrand, Fma, Bmi1, Avx2, Bmi2, Rdseed, Adx,
    Smap, Sha, Fsgsbase, Rdpid, Lzcnt, Clflushopt, Clwb, Cmpxchg16b,

    /// <summary>LAHF and SAHF in 64-bit code.</summary>
    Lahf64,
}

/// <summary>The parts of the instruction set that a CPUID table reports (SDM 2A CPUID, tables 3-8 to 3-11).</summary>
/// <param name="Bits">Bit n is <see cref="Feature"/> n; bit 0 is always set.</param>
internal readonly record struct FeatureSet(ulong Bits)
{
    private static readonly (Feature Feature, uint Leaf, uint Subleaf, char Register, int Bit)[] _rows =
    [
        (Feature.Mmx, 1, 0, 'd', 23), (Feature.Sse, 1, 0, 'd', 25), (Feature.Sse2, 1, 0, 'd', 26), (Feature.Sse3, 1, 0, 'c', 0),
        (Feature.Pclmulqdq, 1, 0, 'c', 1), (Feature.Ssse3, 1, 0, 'c', 9), (Feature.Fma, 1, 0, 'c', 12), (Feature.Sse41, 1, 0, 'c', 19),
        (Feature.Sse42, 1, 0, 'c', 20), (Feature.Movbe, 1, 0, 'c', 22), (Feature.Popcnt, 1, 0, 'c', 23), (Feature.Aes, 1, 0, 'c', 25),
        (Feature.Xsave, 1, 0, 'c', 26), (Feature.Avx, 1, 0, 'c', 28), (Feature.F16c, 1, 0, 'c', 29), (Feature.Rdrand, 1, 0, 'c', 30),
        (Feature.Fsgsbase, 7, 0, 'b', 0), (Feature.Bmi1, 7, 0, 'b', 3), (Feature.Avx2, 7, 0, 'b', 5), (Feature.Bmi2, 7, 0, 'b', 8),
        (Feature.Rdseed, 7, 0, 'b', 18), (Feature.Adx, 7, 0, 'b', 19), (Feature.Smap, 7, 0, 'b', 20), (Feature.Sha, 7, 0, 'b', 29),
        (Feature.Rdpid, 7, 0, 'c', 22), (Feature.Xsaveopt, 0xD, 1, 'a', 0), (Feature.Lzcnt, 0x8000_0001, 0, 'c', 5),
        (Feature.Clflushopt, 7, 0, 'b', 23), (Feature.Clwb, 7, 0, 'b', 24), (Feature.Cmpxchg16b, 1, 0, 'c', 13),
        (Feature.Lahf64, 0x8000_0001, 0, 'c', 0),
    ];

    /// <summary>Every part that there is.</summary>
    internal static FeatureSet All => new(ulong.MaxValue);

    /// <summary>What a table reports.</summary>
    internal static FeatureSet Of(CpuidTable cpuid)
    {
        ulong bits = 1;
        foreach ((Feature feature, uint leaf, uint subleaf, char register, int bit) in _rows)
        {
            CpuidResult result = cpuid.Query(leaf, subleaf);
            uint value = register switch { 'a' => result.Eax, 'b' => result.Ebx, 'c' => result.Ecx, _ => result.Edx };
            bits |= (ulong)(value >> bit & 1) << (int)feature;
        }

        return new(bits);
    }

    /// <summary>Whether the model has the part.</summary>
    internal bool Has(Feature feature) => (Bits >> (int)feature & 1) != 0;
}
