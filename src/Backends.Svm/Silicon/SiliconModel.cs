using Hv.Core.Cpuid;

namespace Hv.Backends.Svm.Silicon;

/// <summary>Features of SVM in CPUID 8000_000AH:EDX (APM 3 E.4.9).</summary>
[Flags]
public enum SvmFeatures : uint
{
    None = 0,
    NestedPaging = 1u << 0,
    LbrVirtualization = 1u << 1,
    SvmLock = 1u << 2,
    NripSave = 1u << 3,
    TscRateMsr = 1u << 4,
    VmcbClean = 1u << 5,
    FlushByAsid = 1u << 6,
    DecodeAssists = 1u << 7,
    PauseFilter = 1u << 10,
    PauseFilterThreshold = 1u << 12,
    Avic = 1u << 13,
    VmsaveVirtualization = 1u << 15,
    VirtualGif = 1u << 16,
    ReadOnlyGuestTables = 1u << 21,
}

/// <summary>What the modelled processor can do, as data that its checks consult. A hypervisor learns it from CPUID.</summary>
public sealed record SiliconModel
{
    /// <summary>The model that the backend runs on.</summary>
    public static SiliconModel Default { get; } = new();

    /// <summary>The features of SVM.</summary>
    public SvmFeatures Features { get; init; } = SvmFeatures.NestedPaging | SvmFeatures.SvmLock | SvmFeatures.NripSave | SvmFeatures.VmcbClean
        | SvmFeatures.FlushByAsid | SvmFeatures.DecodeAssists | SvmFeatures.PauseFilter | SvmFeatures.ReadOnlyGuestTables;

    /// <summary>The number of address space identifiers, at least 2; 0 is the host's.</summary>
    public uint Asids { get; init; } = 0x8000;

    /// <summary>Bits of a physical address, 32 to 52.</summary>
    public int PhysicalAddressBits { get; init; } = 52;

    /// <summary>Whether there is long mode.</summary>
    public bool LongMode { get; init; } = true;

    /// <summary>CR4 bits that the processor knows: VME PVI TSD DE PSE PAE MCE PGE PCE OSFXSR OSXMMEXCPT UMIP FSGSBASE PCIDE OSXSAVE SMEP SMAP. The
    /// others must be zero.</summary>
    public ulong Cr4Bits { get; init; } = 0x0037_0FFF;

    /// <summary>EFER bits that the processor knows: SCE LME LMA NXE SVME LMSLE FFXSR TCE. The others must be zero.</summary>
    public ulong EferBits { get; init; } = 0xFD01;

    /// <summary>The first address beyond physical memory's reach.</summary>
    public ulong PhysicalLimit => 1UL << PhysicalAddressBits;

    /// <summary>CPUID 8000_000AH: revision, number of ASIDs, features.</summary>
    public CpuidResult SvmLeaf => new(1, Asids, 0, (uint)Features);

    /// <summary>Whether all of <paramref name="features"/> are there.</summary>
    public bool Has(SvmFeatures features) => (Features & features) == features;
}
