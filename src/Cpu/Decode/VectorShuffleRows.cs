using static Hv.Cpu.Decode.Operands;
using static Hv.Cpu.Decode.OpKind;

namespace Hv.Cpu.Decode;

/// <summary>The opcode map's rows for shuffles, blends, permutes and broadcasts (SDM 2D tables; 2A to 2C for the VEX forms).</summary>
internal static class VectorShuffleRows
{
    internal static readonly OpcodeRow[] All =
    [
        new("NP 0F 14", Punpckldq, VW, Feature.Sse), new("66 0F 14", Punpcklqdq, VW, Feature.Sse2),
        new("NP 0F 15", Punpckhdq, VW, Feature.Sse), new("66 0F 15", Punpckhqdq, VW, Feature.Sse2),
        new("NP VEX 0F 14", Punpckldq, VHW, Feature.Avx), new("66 VEX 0F 14", Punpcklqdq, VHW, Feature.Avx),
        new("NP VEX 0F 15", Punpckhdq, VHW, Feature.Avx), new("66 VEX 0F 15", Punpckhqdq, VHW, Feature.Avx),
        new("NP 0F 70", Pshuflw, PQIb, Feature.Sse), new("66 0F 70", Pshufd, VWIb, Feature.Sse2), new("F3 0F 70", Pshufhw, VWIb, Feature.Sse2),
        new("F2 0F 70", Pshuflw, VWIb, Feature.Sse2),
        new("66 VEX L0 0F 70", Pshufd, VWIb, Feature.Avx), new("F3 VEX L0 0F 70", Pshufhw, VWIb, Feature.Avx),
        new("F2 VEX L0 0F 70", Pshuflw, VWIb, Feature.Avx),
        new("66 VEX L1 0F 70", Pshufd, VWIb, Feature.Avx2), new("F3 VEX L1 0F 70", Pshufhw, VWIb, Feature.Avx2),
        new("F2 VEX L1 0F 70", Pshuflw, VWIb, Feature.Avx2),
        new("NP 0F C6", Shufps, VWIb, Feature.Sse), new("66 0F C6", Shufpd, VWIb, Feature.Sse2),
        new("NP VEX 0F C6", Shufps, VHWIb, Feature.Avx), new("66 VEX 0F C6", Shufpd, VHWIb, Feature.Avx),
        new("NP 0F3A 0F", Palignr, PQIb, Feature.Ssse3), new("66 0F3A 0F", Palignr, VWIb, Feature.Ssse3),
        new("66 VEX L0 0F3A 0F", Palignr, VHWIb, Feature.Avx), new("66 VEX L1 0F3A 0F", Palignr, VHWIb, Feature.Avx2),
        new("66 0F3A 0C", Blendps, VWIb, Feature.Sse41), new("66 0F3A 0D", Blendpd, VWIb, Feature.Sse41),
        new("66 0F3A 0E", Pblendw, VWIb, Feature.Sse41),
        new("66 VEX 0F3A 0C", Blendps, VHWIb, Feature.Avx), new("66 VEX 0F3A 0D", Blendpd, VHWIb, Feature.Avx),
        new("66 VEX L0 0F3A 0E", Pblendw, VHWIb, Feature.Avx), new("66 VEX L1 0F3A 0E", Pblendw, VHWIb, Feature.Avx2),
        new("66 VEX W0 0F3A 02", Blendps, VHWIb, Feature.Avx2),
        new("66 0F38 10", Pblendvb, VW, Feature.Sse41), new("66 0F38 14", Blendvps, VW, Feature.Sse41),
        new("66 0F38 15", Blendvpd, VW, Feature.Sse41),
        new("66 VEX W0 0F3A 4A", Blendvps, VHWIb, Feature.Avx), new("66 VEX W0 0F3A 4B", Blendvpd, VHWIb, Feature.Avx),
        new("66 VEX W0 L0 0F3A 4C", Pblendvb, VHWIb, Feature.Avx), new("66 VEX W0 L1 0F3A 4C", Pblendvb, VHWIb, Feature.Avx2),
        new("66 VEX W0 0F38 0C", Vpermilps, VHW, Feature.Avx), new("66 VEX W0 0F38 0D", Vpermilpd, VHW, Feature.Avx),
        new("66 VEX W0 0F3A 04", Vpermilps, VWIb, Feature.Avx), new("66 VEX W0 0F3A 05", Vpermilpd, VWIb, Feature.Avx),
        new("66 VEX W0 L1 0F38 16", Vpermd, VHW, Feature.Avx2), new("66 VEX W0 L1 0F38 36", Vpermd, VHW, Feature.Avx2),
        new("66 VEX W1 L1 0F3A 00", Vpermq, VWIb, Feature.Avx2), new("66 VEX W1 L1 0F3A 01", Vpermq, VWIb, Feature.Avx2),
        new("66 VEX W0 L1 0F3A 06", Vperm2f128, VHWIb, Feature.Avx), new("66 VEX W0 L1 0F3A 46", Vperm2f128, VHWIb, Feature.Avx2),
        new("66 VEX W0 L1 0F3A 18", Vinsertf128, VHWIb, Feature.Avx), new("66 VEX W0 L1 0F3A 38", Vinsertf128, VHWIb, Feature.Avx2),
        new("66 VEX W0 L1 0F3A 19", Vextractf128, WVIb, Feature.Avx), new("66 VEX W0 L1 0F3A 39", Vextractf128, WVIb, Feature.Avx2),
        new("66 VEX W0 0F38 18 mem", Vpbroadcastd, VW, Feature.Avx), new("66 VEX W0 0F38 18 reg", Vpbroadcastd, VW, Feature.Avx2),
        new("66 VEX W0 L1 0F38 19 mem", Vpbroadcastq, VW, Feature.Avx), new("66 VEX W0 L1 0F38 19 reg", Vpbroadcastq, VW, Feature.Avx2),
        new("66 VEX W0 L1 0F38 1A", Vbroadcastf128, VM, Feature.Avx), new("66 VEX W0 L1 0F38 5A", Vbroadcastf128, VM, Feature.Avx2),
        new("66 VEX W0 0F38 58", Vpbroadcastd, VW, Feature.Avx2), new("66 VEX W0 0F38 59", Vpbroadcastq, VW, Feature.Avx2),
        new("66 VEX W0 0F38 78", Vpbroadcastb, VW, Feature.Avx2), new("66 VEX W0 0F38 79", Vpbroadcastw, VW, Feature.Avx2),
    ];
}
