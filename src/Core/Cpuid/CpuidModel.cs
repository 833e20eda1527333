namespace Hv.Core.Cpuid;

/// <summary>A processor model by name: what a guest is promised, and all that it can execute.</summary>
/// <param name="Name">The name that users choose it by, in the words of QEMU and of the psABI where they have one.</param>
/// <param name="Description">One line for a list.</param>
/// <param name="Table">What CPUID answers.</param>
public sealed record CpuidModel(string Name, string Description, CpuidTable Table)
{
    /// <summary>The models that there are, from the least to the most capable. The levels are those of the x86-64 psABI (table 3.1).</summary>
    public static IReadOnlyList<CpuidModel> All { get; } =
    [
        new("x86-64-v1", "CMOV, CMPXCHG8B, MMX, SSE, SSE2", CpuidTables.Level1),
        new("x86-64-v2", "and CMPXCHG16B, LAHF, POPCNT, SSE3, SSSE3, SSE4.1, SSE4.2", CpuidTables.Level2),
        new("x86-64-v3", "and XSAVE, AVX, AVX2, BMI1, BMI2, F16C, FMA, LZCNT, MOVBE", CpuidTables.Level3),
        new("max", "and AES, PCLMULQDQ, SHA, ADX, RDRAND, RDSEED, XSAVEOPT, FSGSBASE, RDPID, CLFLUSHOPT, CLWB, UMIP", CpuidTables.Most),
    ];

    /// <summary>The model called <paramref name="name"/>, in any case of letters; null when there is none.</summary>
    public static CpuidModel? Find(string name) => All.FirstOrDefault(m => m.Name.Equals(name, StringComparison.OrdinalIgnoreCase));
}
