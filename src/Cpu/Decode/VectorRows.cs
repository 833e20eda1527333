using static Hv.Cpu.Decode.Operands;
using static Hv.Cpu.Decode.OpKind;

namespace Hv.Cpu.Decode;

/// <summary>The opcode map's rows for vector logic (SDM 2D tables; 2A and 2B for each instruction's VEX forms).</summary>
internal static class VectorRows
{
    internal static readonly OpcodeRow[] Logic =
    [
        new("NP 0F 54", Andps, VW, Feature.Sse), new("66 0F 54", Andpd, VW, Feature.Sse2),
        new("NP 0F 55", Andnps, VW, Feature.Sse), new("66 0F 55", Andnpd, VW, Feature.Sse2),
        new("NP 0F 56", Orps, VW, Feature.Sse), new("66 0F 56", Orpd, VW, Feature.Sse2),
        new("NP 0F 57", Xorps, VW, Feature.Sse), new("66 0F 57", Xorpd, VW, Feature.Sse2),
        new("66 0F DB", Pand, VW, Feature.Sse2), new("66 0F DF", Pandn, VW, Feature.Sse2), new("66 0F EB", Por, VW, Feature.Sse2),
        new("66 0F EF", Pxor, VW, Feature.Sse2),
        new("NP VEX 0F 54", Andps, VHW, Feature.Avx), new("66 VEX 0F 54", Andpd, VHW, Feature.Avx),
        new("NP VEX 0F 55", Andnps, VHW, Feature.Avx), new("66 VEX 0F 55", Andnpd, VHW, Feature.Avx),
        new("NP VEX 0F 56", Orps, VHW, Feature.Avx), new("66 VEX 0F 56", Orpd, VHW, Feature.Avx),
        new("NP VEX 0F 57", Xorps, VHW, Feature.Avx), new("66 VEX 0F 57", Xorpd, VHW, Feature.Avx),
        new("66 VEX L0 0F DB", Pand, VHW, Feature.Avx), new("66 VEX L0 0F DF", Pandn, VHW, Feature.Avx),
        new("66 VEX L0 0F EB", Por, VHW, Feature.Avx), new("66 VEX L0 0F EF", Pxor, VHW, Feature.Avx),
        new("66 VEX L1 0F DB", Pand, VHW, Feature.Avx2), new("66 VEX L1 0F DF", Pandn, VHW, Feature.Avx2),
        new("66 VEX L1 0F EB", Por, VHW, Feature.Avx2), new("66 VEX L1 0F EF", Pxor, VHW, Feature.Avx2),
    ];
}
