using Xunit;

namespace Hv.Contracts.Guests;

/// <summary>Sets of modes for theories.</summary>
public static class Modes
{
    /// <summary>Each mode.</summary>
    public static TheoryData<CodeMode> All => [.. Enum.GetValues<CodeMode>()];

    /// <summary>16, 32 and 64-bit code.</summary>
    public static TheoryData<CodeMode> Sizes => [CodeMode.Real16, CodeMode.Protected32, CodeMode.Long64];

    /// <summary>The modes with page tables.</summary>
    public static TheoryData<CodeMode> Paged => [CodeMode.Paged32, CodeMode.Pae32, CodeMode.Long64];

    /// <summary>The modes with privilege levels.</summary>
    public static TheoryData<CodeMode> Protected => [CodeMode.Protected32, CodeMode.Long64];
}
