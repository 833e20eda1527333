using static Hv.Cpu.Decode.Operands;
using static Hv.Cpu.Decode.OpKind;

namespace Hv.Cpu.Decode;

/// <summary>The opcode map's rows for moves of vectors and their parts (SDM 2D tables A-3 to A-5; 2A to 2C for the VEX forms).</summary>
internal static class VectorMoveRows
{
    /// <summary>Moves of whole vectors between registers and memory, which have the same operands in SSE and VEX encodings. VEX.vvvv is
    /// unused.</summary>
    private static readonly (string Prefix, string Code, OpKind Kind, Operands Operands, Feature Feature)[] s_whole =
    [
        ("NP", "0F 10", Movups, VW, Feature.Sse), ("NP", "0F 11", Movups, WV, Feature.Sse),
        ("66", "0F 10", Movups, VW, Feature.Sse2), ("66", "0F 11", Movups, WV, Feature.Sse2),
        ("NP", "0F 28", Movaps, VW, Feature.Sse), ("NP", "0F 29", Movaps, WV, Feature.Sse),
        ("66", "0F 28", Movaps, VW, Feature.Sse2), ("66", "0F 29", Movaps, WV, Feature.Sse2),
        ("NP", "0F 2B", Movaps, MV, Feature.Sse), ("66", "0F 2B", Movaps, MV, Feature.Sse2), ("66", "0F E7", Movaps, MV, Feature.Sse2),
        ("66", "0F 6F", Movaps, VW, Feature.Sse2), ("66", "0F 7F", Movaps, WV, Feature.Sse2),
        ("F3", "0F 6F", Movups, VW, Feature.Sse2), ("F3", "0F 7F", Movups, WV, Feature.Sse2), ("F2", "0F F0", Movups, VM, Feature.Sse3),
        ("F2", "0F 12", Movddup, VW, Feature.Sse3), ("F3", "0F 12", Movsldup, VW, Feature.Sse3), ("F3", "0F 16", Movshdup, VW, Feature.Sse3),
        ("NP", "0F 50 reg", Movmskps, VW, Feature.Sse), ("66", "0F 50 reg", Movmskpd, VW, Feature.Sse2),
    ];

    /// <summary>Moves of parts, which exist for 128 bits only.</summary>
    private static readonly (string Prefix, string Code, OpKind Kind, Operands Sse, Operands Vex, Feature Feature)[] s_parts =
    [
        ("F3", "0F 10 reg", Movss, VW, VHW, Feature.Sse), ("F3", "0F 10 mem", Movss, VW, VW, Feature.Sse),
        ("F3", "0F 11 reg", Movss, WV, WHV, Feature.Sse), ("F3", "0F 11 mem", Movss, WV, WV, Feature.Sse),
        ("F2", "0F 10 reg", Movsd, VW, VHW, Feature.Sse2), ("F2", "0F 10 mem", Movsd, VW, VW, Feature.Sse2),
        ("F2", "0F 11 reg", Movsd, WV, WHV, Feature.Sse2), ("F2", "0F 11 mem", Movsd, WV, WV, Feature.Sse2),
        ("NP", "0F 12 mem", Movlps, VW, VHW, Feature.Sse), ("NP", "0F 12 reg", Movhlps, VW, VHW, Feature.Sse),
        ("66", "0F 12 mem", Movlps, VW, VHW, Feature.Sse2), ("NP", "0F 13 mem", Movlps, WV, WV, Feature.Sse),
        ("66", "0F 13 mem", Movlps, WV, WV, Feature.Sse2),
        ("NP", "0F 16", Movhps, VW, VHW, Feature.Sse), ("66", "0F 16 mem", Movhps, VW, VHW, Feature.Sse2),
        ("NP", "0F 17 mem", Movhps, WV, WV, Feature.Sse), ("66", "0F 17 mem", Movhps, WV, WV, Feature.Sse2),
        ("66", "0F 6E", Movd, VW, VW, Feature.Sse2), ("66", "0F 7E", Movd, WV, WV, Feature.Sse2),
        ("F3", "0F 7E", Movq, VW, VW, Feature.Sse2), ("66", "0F D6", Movq, WV, WV, Feature.Sse2),
        ("66", "0F C4", Pinsrw, VWIb, VHWIb, Feature.Sse2), ("66", "0F C5 reg", Pextrw, VWIb, VWIb, Feature.Sse2),
        ("66", "0F F7 reg", Maskmov, VW, VW, Feature.Sse2),
        ("66", "0F3A 14", Pextrb, WVIb, WVIb, Feature.Sse41), ("66", "0F3A 15", Pextrw, WVIb, WVIb, Feature.Sse41),
        ("66", "0F3A 16", Pextrd, WVIb, WVIb, Feature.Sse41), ("66", "0F3A 17", Extractps, WVIb, WVIb, Feature.Sse41),
        ("66", "0F3A 20", Pinsrb, VWIb, VHWIb, Feature.Sse41), ("66", "0F3A 21", Insertps, VWIb, VHWIb, Feature.Sse41),
        ("66", "0F3A 22", Pinsrd, VWIb, VHWIb, Feature.Sse41),
    ];

    private static readonly OpcodeRow[] s_rest =
    [
        new("NP 0F 6E", Movd, PQ, Feature.Mmx), new("NP 0F 7E", Movd, QP, Feature.Mmx), new("NP 0F 6F", Movq, PQ, Feature.Mmx),
        new("NP 0F 7F", Movq, QP, Feature.Mmx), new("NP 0F E7 mem", Movq, QP, Feature.Sse), new("NP 0F F7 reg", Maskmov, PQ, Feature.Sse),
        new("NP 0F D7 reg", Pmovmskb, PQ, Feature.Sse), new("NP 0F C4", Pinsrw, PQIb, Feature.Sse), new("NP 0F C5 reg", Pextrw, PQIb, Feature.Sse),
        new("F3 0F D6 reg", Movq2dq, VW, Feature.Sse2), new("F2 0F D6 reg", Movdq2q, VW, Feature.Sse2),
        new("66 0F D7 reg", Pmovmskb, VW, Feature.Sse2), new("66 VEX L0 0F D7 reg", Pmovmskb, VW, Feature.Avx),
        new("66 VEX L1 0F D7 reg", Pmovmskb, VW, Feature.Avx2),
        new("66 0F38 2A", Movaps, VM, Feature.Sse41), new("66 VEX L0 0F38 2A", Movaps, VM, Feature.Avx),
        new("66 VEX L1 0F38 2A", Movaps, VM, Feature.Avx2),
        new("NP VEX L0 0F 77", Vzeroupper, Vector, Feature.Avx), new("NP VEX L1 0F 77", Vzeroall, Vector, Feature.Avx),
        new("66 VEX W0 0F38 2C", Vpmaskmovd, VHM, Feature.Avx), new("66 VEX W0 0F38 2D", Vpmaskmovq, VHM, Feature.Avx),
        new("66 VEX W0 0F38 2E", Vpmaskmovd, MHV, Feature.Avx), new("66 VEX W0 0F38 2F", Vpmaskmovq, MHV, Feature.Avx),
        new("66 VEX W0 0F38 8C", Vpmaskmovd, VHM, Feature.Avx2), new("66 VEX W1 0F38 8C", Vpmaskmovq, VHM, Feature.Avx2),
        new("66 VEX W0 0F38 8E", Vpmaskmovd, MHV, Feature.Avx2), new("66 VEX W1 0F38 8E", Vpmaskmovq, MHV, Feature.Avx2),
        new("66 VEX W0 0F38 90", Vpgatherdd, VWH | Vsib, Feature.Avx2), new("66 VEX W1 0F38 90", Vpgatherdq, VWH | Vsib, Feature.Avx2),
        new("66 VEX W0 0F38 91", Vpgatherqd, VWH | Vsib, Feature.Avx2), new("66 VEX W1 0F38 91", Vpgatherqq, VWH | Vsib, Feature.Avx2),
        new("66 VEX W0 0F38 92", Vpgatherdd, VWH | Vsib, Feature.Avx2), new("66 VEX W1 0F38 92", Vpgatherdq, VWH | Vsib, Feature.Avx2),
        new("66 VEX W0 0F38 93", Vpgatherqd, VWH | Vsib, Feature.Avx2), new("66 VEX W1 0F38 93", Vpgatherqq, VWH | Vsib, Feature.Avx2),
    ];

    internal static IEnumerable<OpcodeRow> All()
    {
        foreach ((string prefix, string code, OpKind kind, Operands operands, Feature feature) in s_whole)
        {
            yield return new($"{prefix} {code}", kind, operands, feature);
            yield return new($"{prefix} VEX {code}", kind, operands, Feature.Avx);
        }

        foreach ((string prefix, string code, OpKind kind, Operands sse, Operands vex, Feature feature) in s_parts)
        {
            yield return new($"{prefix} {code}", kind, sse, feature);
            // VMOVSS and VMOVSD ignore VEX.L (SDM 2B MOVSS, MOVSD).
            yield return new($"{prefix} VEX {(kind is Movss or Movsd ? "" : "L0 ")}{code}", kind, vex, Feature.Avx);
        }

        foreach (OpcodeRow row in s_rest)
            yield return row;
    }
}
