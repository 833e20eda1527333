namespace Hv.Core.Cpuid;

/// <summary>A processor model by name: what a guest is promised, and all that it can execute.</summary>
public sealed class CpuidModel
{
    private readonly Func<CpuidTable> _table;

    private CpuidModel(string name, string description, Func<CpuidTable> table)
    {
        Name = name;
        Description = description;
        _table = table;
    }

    /// <summary>The models that there are, from the least to the most capable. The levels are those of the x86-64 psABI (table 3.1).</summary>
    public static IReadOnlyList<CpuidModel> All { get; } =
    [
        new("x86-64-v1", "CMOV, CMPXCHG8B, MMX, SSE, SSE2", static () => CpuidTables.Level1),
        new("x86-64-v2", "and CMPXCHG16B, LAHF, POPCNT, SSE3, SSSE3, SSE4.1, SSE4.2", static () => CpuidTables.Level2),
        new("x86-64-v3", "and XSAVE, AVX, AVX2, BMI1, BMI2, F16C, FMA, LZCNT, MOVBE", static () => CpuidTables.Level3),
        new("max", "and AES, PCLMULQDQ, SHA, ADX, RDRAND, RDSEED, XSAVEOPT, FSGSBASE, RDPID, CLFLUSHOPT, CLWB, UMIP", static () => CpuidTables.Most),
    ];

    /// <summary>The name that users choose it by, in the words of QEMU and of the psABI where they have one.</summary>
    public string Name { get; }

    /// <summary>One line for a list.</summary>
    public string Description { get; }

    /// <summary>What CPUID answers.</summary>
    public CpuidTable Table => _table();

    /// <summary>The model called <paramref name="name"/>, in any case of letters; null when there is none.</summary>
    public static CpuidModel? Find(string name) => All.FirstOrDefault(m => m.Name.Equals(name, StringComparison.OrdinalIgnoreCase));
}
