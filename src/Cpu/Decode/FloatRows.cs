using static Hv.Cpu.Decode.Operands;
using static Hv.Cpu.Decode.OpKind;

namespace Hv.Cpu.Decode;

/// <summary>The opcode map's rows for floating point in vector registers (SDM 2D tables; 2A to 2C for each instruction's VEX forms).
/// Scalar instructions ignore VEX.L.</summary>
internal static class FloatRows
{
    /// <summary>All rows.</summary>
    internal static IEnumerable<OpcodeRow> All() => [.. Arithmetic(), .. s_sse, .. s_vex, .. Fused()];

    private static readonly (OpKind First, int Opcode)[] s_arithmetic =
        [(Sqrtps, 0x51), (Addps, 0x58), (Mulps, 0x59), (Subps, 0x5C), (Minps, 0x5D), (Divps, 0x5E), (Maxps, 0x5F)];

    private static readonly string[] s_prefixes = ["NP", "66", "F3", "F2"];

    private static readonly OpcodeRow[] s_sse =
    [
        new("NP 0F 52", Rsqrtps, VW, Feature.Sse), new("F3 0F 52", Rsqrtss, VW, Feature.Sse),
        new("NP 0F 53", Rcpps, VW, Feature.Sse), new("F3 0F 53", Rcpss, VW, Feature.Sse),
        new("NP 0F C2", Cmpps, VWIb, Feature.Sse), new("66 0F C2", Cmppd, VWIb, Feature.Sse2),
        new("F3 0F C2", Cmpss, VWIb, Feature.Sse), new("F2 0F C2", Cmpsd, VWIb, Feature.Sse2),
        new("F2 0F 7C", Haddps, VW, Feature.Sse3), new("66 0F 7C", Haddpd, VW, Feature.Sse3),
        new("F2 0F 7D", Hsubps, VW, Feature.Sse3), new("66 0F 7D", Hsubpd, VW, Feature.Sse3),
        new("F2 0F D0", Addsubps, VW, Feature.Sse3), new("66 0F D0", Addsubpd, VW, Feature.Sse3),
        new("66 0F3A 40", Dpps, VWIb, Feature.Sse41), new("66 0F3A 41", Dppd, VWIb, Feature.Sse41),
        new("66 0F3A 08", Roundps, VWIb, Feature.Sse41), new("66 0F3A 09", Roundpd, VWIb, Feature.Sse41),
        new("66 0F3A 0A", Roundss, VWIb, Feature.Sse41), new("66 0F3A 0B", Roundsd, VWIb, Feature.Sse41),
        new("NP 0F 2E", Ucomiss, VW, Feature.Sse), new("66 0F 2E", Ucomisd, VW, Feature.Sse2),
        new("NP 0F 2F", Comiss, VW, Feature.Sse), new("66 0F 2F", Comisd, VW, Feature.Sse2),
        new("NP 0F 2A", Cvtpi2ps, VW, Feature.Sse), new("66 0F 2A", Cvtpi2pd, VW, Feature.Sse2),
        new("F3 0F 2A", Cvtsi2ss, VW, Feature.Sse), new("F2 0F 2A", Cvtsi2sd, VW, Feature.Sse2),
        new("NP 0F 2C", Cvttps2pi, VW, Feature.Sse), new("66 0F 2C", Cvttpd2pi, VW, Feature.Sse2),
        new("F3 0F 2C", Cvttss2si, VW, Feature.Sse), new("F2 0F 2C", Cvttsd2si, VW, Feature.Sse2),
        new("NP 0F 2D", Cvtps2pi, VW, Feature.Sse), new("66 0F 2D", Cvtpd2pi, VW, Feature.Sse2),
        new("F3 0F 2D", Cvtss2si, VW, Feature.Sse), new("F2 0F 2D", Cvtsd2si, VW, Feature.Sse2),
        new("NP 0F 5A", Cvtps2pd, VW, Feature.Sse2), new("66 0F 5A", Cvtpd2ps, VW, Feature.Sse2),
        new("F3 0F 5A", Cvtss2sd, VW, Feature.Sse2), new("F2 0F 5A", Cvtsd2ss, VW, Feature.Sse2),
        new("NP 0F 5B", Cvtdq2ps, VW, Feature.Sse2), new("66 0F 5B", Cvtps2dq, VW, Feature.Sse2), new("F3 0F 5B", Cvttps2dq, VW, Feature.Sse2),
        new("66 0F E6", Cvttpd2dq, VW, Feature.Sse2), new("F3 0F E6", Cvtdq2pd, VW, Feature.Sse2), new("F2 0F E6", Cvtpd2dq, VW, Feature.Sse2),
    ];

    private static readonly OpcodeRow[] s_vex =
    [
        new("NP VEX 0F 52", Rsqrtps, VW, Feature.Avx), new("F3 VEX 0F 52", Rsqrtss, VHW, Feature.Avx),
        new("NP VEX 0F 53", Rcpps, VW, Feature.Avx), new("F3 VEX 0F 53", Rcpss, VHW, Feature.Avx),
        new("NP VEX 0F C2", Cmpps, VHWIb, Feature.Avx), new("66 VEX 0F C2", Cmppd, VHWIb, Feature.Avx),
        new("F3 VEX 0F C2", Cmpss, VHWIb, Feature.Avx), new("F2 VEX 0F C2", Cmpsd, VHWIb, Feature.Avx),
        new("F2 VEX 0F 7C", Haddps, VHW, Feature.Avx), new("66 VEX 0F 7C", Haddpd, VHW, Feature.Avx),
        new("F2 VEX 0F 7D", Hsubps, VHW, Feature.Avx), new("66 VEX 0F 7D", Hsubpd, VHW, Feature.Avx),
        new("F2 VEX 0F D0", Addsubps, VHW, Feature.Avx), new("66 VEX 0F D0", Addsubpd, VHW, Feature.Avx),
        new("66 VEX 0F3A 40", Dpps, VHWIb, Feature.Avx), new("66 VEX L0 0F3A 41", Dppd, VHWIb, Feature.Avx),
        new("66 VEX 0F3A 08", Roundps, VWIb, Feature.Avx), new("66 VEX 0F3A 09", Roundpd, VWIb, Feature.Avx),
        new("66 VEX 0F3A 0A", Roundss, VHWIb, Feature.Avx), new("66 VEX 0F3A 0B", Roundsd, VHWIb, Feature.Avx),
        new("NP VEX 0F 2E", Ucomiss, VW, Feature.Avx), new("66 VEX 0F 2E", Ucomisd, VW, Feature.Avx),
        new("NP VEX 0F 2F", Comiss, VW, Feature.Avx), new("66 VEX 0F 2F", Comisd, VW, Feature.Avx),
        new("F3 VEX 0F 2A", Cvtsi2ss, VHW, Feature.Avx), new("F2 VEX 0F 2A", Cvtsi2sd, VHW, Feature.Avx),
        new("F3 VEX 0F 2C", Cvttss2si, VW, Feature.Avx), new("F2 VEX 0F 2C", Cvttsd2si, VW, Feature.Avx),
        new("F3 VEX 0F 2D", Cvtss2si, VW, Feature.Avx), new("F2 VEX 0F 2D", Cvtsd2si, VW, Feature.Avx),
        new("NP VEX 0F 5A", Cvtps2pd, VW, Feature.Avx), new("66 VEX 0F 5A", Cvtpd2ps, VW, Feature.Avx),
        new("F3 VEX 0F 5A", Cvtss2sd, VHW, Feature.Avx), new("F2 VEX 0F 5A", Cvtsd2ss, VHW, Feature.Avx),
        new("NP VEX 0F 5B", Cvtdq2ps, VW, Feature.Avx), new("66 VEX 0F 5B", Cvtps2dq, VW, Feature.Avx),
        new("F3 VEX 0F 5B", Cvttps2dq, VW, Feature.Avx),
        new("66 VEX 0F E6", Cvttpd2dq, VW, Feature.Avx), new("F3 VEX 0F E6", Cvtdq2pd, VW, Feature.Avx),
        new("F2 VEX 0F E6", Cvtpd2dq, VW, Feature.Avx),
        new("66 VEX W0 0F38 13", Vcvtph2ps, VW, Feature.F16c), new("66 VEX W0 0F3A 1D", Vcvtps2ph, WVIb, Feature.F16c),
    ];

    /// <summary>The instructions that exist in all four forms PS, PD, SS and SD, by mandatory prefix. Doubles came with SSE2; a square root of a
    /// packed source has no third operand.</summary>
    private static IEnumerable<OpcodeRow> Arithmetic()
    {
        foreach ((OpKind first, int opcode) in s_arithmetic)
        {
            for (int form = 0; form < s_prefixes.Length; form++)
            {
                Operands vex = first == Sqrtps && form < 2 ? VW : VHW;
                yield return new($"{s_prefixes[form]} 0F {opcode:X2}", Nth(first, form), VW, (form & 1) != 0 ? Feature.Sse2 : Feature.Sse);
                yield return new($"{s_prefixes[form]} VEX 0F {opcode:X2}", Nth(first, form), vex, Feature.Avx);
            }
        }
    }

    private static IEnumerable<OpcodeRow> Fused()
    {
        const int Orders = 3, PerOrder = 10, FirstOpcode = 0x96, NextOrder = 0x10;
        for (int i = 0; i < Orders * PerOrder * 2; i++)
        {
            int opcode = FirstOpcode + i / (PerOrder * 2) * NextOrder + i / 2 % PerOrder;
            yield return new($"66 VEX W{i & 1} 0F38 {opcode:X2}", Nth(Vfmaddsub132ps, i), VHW, Feature.Fma);
        }
    }

    private static OpKind Nth(OpKind first, int n) => (OpKind)((int)first + n);
}
