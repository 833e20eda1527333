using static Hv.Cpu.Decode.Operands;
using static Hv.Cpu.Decode.OpKind;

namespace Hv.Cpu.Decode;

/// <summary>The opcode map's rows for arithmetic on vectors of integers (SDM 2D tables; 2B and 2C for the VEX forms). Most have an MMX
/// encoding without a prefix and SSE and VEX encodings under 66.</summary>
internal static class IntegerVectorRows
{
    private const Feature Never = Feature.None;

    /// <summary>Opcode, kind, and the features that brought the MMX and the SSE encoding.</summary>
    private static readonly (string Code, OpKind Kind, Feature Mmx, Feature Sse)[] s_binary =
    [
        ("0F 60", Punpcklbw, Feature.Mmx, Feature.Sse2), ("0F 61", Punpcklwd, Feature.Mmx, Feature.Sse2),
        ("0F 62", Punpckldq, Feature.Mmx, Feature.Sse2),
        ("0F 63", Packsswb, Feature.Mmx, Feature.Sse2), ("0F 64", Pcmpgtb, Feature.Mmx, Feature.Sse2), ("0F 65", Pcmpgtw, Feature.Mmx, Feature.Sse2),
        ("0F 66", Pcmpgtd, Feature.Mmx, Feature.Sse2), ("0F 67", Packuswb, Feature.Mmx, Feature.Sse2),
        ("0F 68", Punpckhbw, Feature.Mmx, Feature.Sse2),
        ("0F 69", Punpckhwd, Feature.Mmx, Feature.Sse2), ("0F 6A", Punpckhdq, Feature.Mmx, Feature.Sse2),
        ("0F 6B", Packssdw, Feature.Mmx, Feature.Sse2),
        ("0F 6C", Punpcklqdq, Never, Feature.Sse2), ("0F 6D", Punpckhqdq, Never, Feature.Sse2),
        ("0F 74", Pcmpeqb, Feature.Mmx, Feature.Sse2), ("0F 75", Pcmpeqw, Feature.Mmx, Feature.Sse2), ("0F 76", Pcmpeqd, Feature.Mmx, Feature.Sse2),
        ("0F D1", Psrlw, Feature.Mmx, Feature.Sse2), ("0F D2", Psrld, Feature.Mmx, Feature.Sse2), ("0F D3", Psrlq, Feature.Mmx, Feature.Sse2),
        ("0F D4", Paddq, Feature.Sse2, Feature.Sse2), ("0F D5", Pmullw, Feature.Mmx, Feature.Sse2),
        ("0F D8", Psubusb, Feature.Mmx, Feature.Sse2), ("0F D9", Psubusw, Feature.Mmx, Feature.Sse2), ("0F DA", Pminub, Feature.Sse, Feature.Sse2),
        ("0F DC", Paddusb, Feature.Mmx, Feature.Sse2), ("0F DD", Paddusw, Feature.Mmx, Feature.Sse2), ("0F DE", Pmaxub, Feature.Sse, Feature.Sse2),
        ("0F E0", Pavgb, Feature.Sse, Feature.Sse2), ("0F E1", Psraw, Feature.Mmx, Feature.Sse2), ("0F E2", Psrad, Feature.Mmx, Feature.Sse2),
        ("0F E3", Pavgw, Feature.Sse, Feature.Sse2), ("0F E4", Pmulhuw, Feature.Sse, Feature.Sse2), ("0F E5", Pmulhw, Feature.Mmx, Feature.Sse2),
        ("0F E8", Psubsb, Feature.Mmx, Feature.Sse2), ("0F E9", Psubsw, Feature.Mmx, Feature.Sse2), ("0F EA", Pminsw, Feature.Sse, Feature.Sse2),
        ("0F EC", Paddsb, Feature.Mmx, Feature.Sse2), ("0F ED", Paddsw, Feature.Mmx, Feature.Sse2), ("0F EE", Pmaxsw, Feature.Sse, Feature.Sse2),
        ("0F F1", Psllw, Feature.Mmx, Feature.Sse2), ("0F F2", Pslld, Feature.Mmx, Feature.Sse2), ("0F F3", Psllq, Feature.Mmx, Feature.Sse2),
        ("0F F4", Pmuludq, Feature.Sse2, Feature.Sse2), ("0F F5", Pmaddwd, Feature.Mmx, Feature.Sse2), ("0F F6", Psadbw, Feature.Sse, Feature.Sse2),
        ("0F F8", Psubb, Feature.Mmx, Feature.Sse2), ("0F F9", Psubw, Feature.Mmx, Feature.Sse2), ("0F FA", Psubd, Feature.Mmx, Feature.Sse2),
        ("0F FB", Psubq, Feature.Sse2, Feature.Sse2), ("0F FC", Paddb, Feature.Mmx, Feature.Sse2), ("0F FD", Paddw, Feature.Mmx, Feature.Sse2),
        ("0F FE", Paddd, Feature.Mmx, Feature.Sse2),
        ("0F38 00", Pshufb, Feature.Ssse3, Feature.Ssse3), ("0F38 01", Phaddw, Feature.Ssse3, Feature.Ssse3),
        ("0F38 02", Phaddd, Feature.Ssse3, Feature.Ssse3), ("0F38 03", Phaddsw, Feature.Ssse3, Feature.Ssse3),
        ("0F38 04", Pmaddubsw, Feature.Ssse3, Feature.Ssse3), ("0F38 05", Phsubw, Feature.Ssse3, Feature.Ssse3),
        ("0F38 06", Phsubd, Feature.Ssse3, Feature.Ssse3), ("0F38 07", Phsubsw, Feature.Ssse3, Feature.Ssse3),
        ("0F38 08", Psignb, Feature.Ssse3, Feature.Ssse3), ("0F38 09", Psignw, Feature.Ssse3, Feature.Ssse3),
        ("0F38 0A", Psignd, Feature.Ssse3, Feature.Ssse3), ("0F38 0B", Pmulhrsw, Feature.Ssse3, Feature.Ssse3),
        ("0F38 28", Pmuldq, Never, Feature.Sse41), ("0F38 29", Pcmpeqq, Never, Feature.Sse41), ("0F38 2B", Packusdw, Never, Feature.Sse41),
        ("0F38 37", Pcmpgtq, Never, Feature.Sse42), ("0F38 38", Pminsb, Never, Feature.Sse41), ("0F38 39", Pminsd, Never, Feature.Sse41),
        ("0F38 3A", Pminuw, Never, Feature.Sse41), ("0F38 3B", Pminud, Never, Feature.Sse41), ("0F38 3C", Pmaxsb, Never, Feature.Sse41),
        ("0F38 3D", Pmaxsd, Never, Feature.Sse41), ("0F38 3E", Pmaxuw, Never, Feature.Sse41), ("0F38 3F", Pmaxud, Never, Feature.Sse41),
        ("0F38 40", Pmulld, Never, Feature.Sse41),
    ];

    /// <summary>As above, with one source.</summary>
    private static readonly (string Code, OpKind Kind, Feature Mmx, Feature Sse)[] s_unary =
    [
        ("0F38 1C", Pabsb, Feature.Ssse3, Feature.Ssse3), ("0F38 1D", Pabsw, Feature.Ssse3, Feature.Ssse3),
        ("0F38 1E", Pabsd, Feature.Ssse3, Feature.Ssse3),
        ("0F38 20", Pmovsxbw, Never, Feature.Sse41), ("0F38 21", Pmovsxbd, Never, Feature.Sse41), ("0F38 22", Pmovsxbq, Never, Feature.Sse41),
        ("0F38 23", Pmovsxwd, Never, Feature.Sse41), ("0F38 24", Pmovsxwq, Never, Feature.Sse41), ("0F38 25", Pmovsxdq, Never, Feature.Sse41),
        ("0F38 30", Pmovzxbw, Never, Feature.Sse41), ("0F38 31", Pmovzxbd, Never, Feature.Sse41), ("0F38 32", Pmovzxbq, Never, Feature.Sse41),
        ("0F38 33", Pmovzxwd, Never, Feature.Sse41), ("0F38 34", Pmovzxwq, Never, Feature.Sse41), ("0F38 35", Pmovzxdq, Never, Feature.Sse41),
    ];

    /// <summary>Shifts by an immediate: groups 12 to 14.</summary>
    private static readonly (string Code, OpKind Kind, Feature Mmx)[] s_shifts =
    [
        ("0F 71 /2", Psrlw, Feature.Mmx), ("0F 71 /4", Psraw, Feature.Mmx), ("0F 71 /6", Psllw, Feature.Mmx),
        ("0F 72 /2", Psrld, Feature.Mmx), ("0F 72 /4", Psrad, Feature.Mmx), ("0F 72 /6", Pslld, Feature.Mmx),
        ("0F 73 /2", Psrlq, Feature.Mmx), ("0F 73 /3", Psrldq, Never), ("0F 73 /6", Psllq, Feature.Mmx), ("0F 73 /7", Pslldq, Never),
    ];

    private static readonly OpcodeRow[] s_rest =
    [
        new("NP 0F DB", Pand, PQ, Feature.Mmx), new("NP 0F DF", Pandn, PQ, Feature.Mmx), new("NP 0F EB", Por, PQ, Feature.Mmx),
        new("NP 0F EF", Pxor, PQ, Feature.Mmx),
        new("66 0F38 41", Phminposuw, VW, Feature.Sse41), new("66 VEX L0 0F38 41", Phminposuw, VW, Feature.Avx),
        new("66 0F3A 42", Mpsadbw, VWIb, Feature.Sse41), new("66 VEX L0 0F3A 42", Mpsadbw, VHWIb, Feature.Avx),
        new("66 VEX L1 0F3A 42", Mpsadbw, VHWIb, Feature.Avx2),
        new("66 VEX W0 0F38 45", Vpsrlvd, VHW, Feature.Avx2), new("66 VEX W1 0F38 45", Vpsrlvq, VHW, Feature.Avx2),
        new("66 VEX W0 0F38 46", Vpsravd, VHW, Feature.Avx2),
        new("66 VEX W0 0F38 47", Vpsllvd, VHW, Feature.Avx2), new("66 VEX W1 0F38 47", Vpsllvq, VHW, Feature.Avx2),
        new("66 0F38 17", Ptest, VW, Feature.Sse41), new("66 VEX 0F38 17", Ptest, VW, Feature.Avx),
        new("66 VEX W0 0F38 0E", Vtestps, VW, Feature.Avx), new("66 VEX W0 0F38 0F", Vtestpd, VW, Feature.Avx),
        new("66 0F3A 60", Pcmpestrm, VWIb, Feature.Sse42), new("66 VEX L0 0F3A 60", Pcmpestrm, VWIb, Feature.Avx),
        new("66 0F3A 61", Pcmpestri, VWIb, Feature.Sse42), new("66 VEX L0 0F3A 61", Pcmpestri, VWIb, Feature.Avx),
        new("66 0F3A 62", Pcmpistrm, VWIb, Feature.Sse42), new("66 VEX L0 0F3A 62", Pcmpistrm, VWIb, Feature.Avx),
        new("66 0F3A 63", Pcmpistri, VWIb, Feature.Sse42), new("66 VEX L0 0F3A 63", Pcmpistri, VWIb, Feature.Avx),
        new("66 0F38 DB", Aesimc, VW, Feature.Aes), new("66 VEX L0 0F38 DB", Aesimc, VW, Feature.Aes),
        new("66 0F38 DC", Aesenc, VW, Feature.Aes), new("66 VEX L0 0F38 DC", Aesenc, VHW, Feature.Aes),
        new("66 0F38 DD", Aesenclast, VW, Feature.Aes), new("66 VEX L0 0F38 DD", Aesenclast, VHW, Feature.Aes),
        new("66 0F38 DE", Aesdec, VW, Feature.Aes), new("66 VEX L0 0F38 DE", Aesdec, VHW, Feature.Aes),
        new("66 0F38 DF", Aesdeclast, VW, Feature.Aes), new("66 VEX L0 0F38 DF", Aesdeclast, VHW, Feature.Aes),
        new("66 0F3A DF", Aeskeygenassist, VWIb, Feature.Aes), new("66 VEX L0 0F3A DF", Aeskeygenassist, VWIb, Feature.Aes),
        new("66 0F3A 44", OpKind.Pclmulqdq, VWIb, Feature.Pclmulqdq), new("66 VEX L0 0F3A 44", OpKind.Pclmulqdq, VHWIb, Feature.Pclmulqdq),
        new("NP 0F38 C8", Sha1nexte, VW, Feature.Sha), new("NP 0F38 C9", Sha1msg1, VW, Feature.Sha), new("NP 0F38 CA", Sha1msg2, VW, Feature.Sha),
        new("NP 0F38 CB", Sha256rnds2, VW, Feature.Sha), new("NP 0F38 CC", Sha256msg1, VW, Feature.Sha),
        new("NP 0F38 CD", Sha256msg2, VW, Feature.Sha),
        new("NP 0F3A CC", Sha1rnds4, VWIb, Feature.Sha),
    ];

    internal static IEnumerable<OpcodeRow> All()
    {
        foreach ((string code, OpKind kind, Feature mmx, Feature sse) in s_binary)
        {
            foreach (OpcodeRow row in Encodings(code, kind, mmx, sse, PQ, VW, VHW))
                yield return row;
        }

        foreach ((string code, OpKind kind, Feature mmx, Feature sse) in s_unary)
        {
            foreach (OpcodeRow row in Encodings(code, kind, mmx, sse, PQ, VW, VW))
                yield return row;
        }

        foreach ((string code, OpKind kind, Feature mmx) in s_shifts)
        {
            foreach (OpcodeRow row in Encodings(code + " reg", kind, mmx, Feature.Sse2, QIb, WIb, HWIb))
                yield return row;
        }

        foreach (OpcodeRow row in s_rest)
            yield return row;
    }

    private static IEnumerable<OpcodeRow> Encodings(string code, OpKind kind, Feature mmx, Feature sse, Operands mmxForm, Operands sseForm,
        Operands vexForm)
    {
        if (mmx != Never)
            yield return new($"NP {code}", kind, mmxForm, mmx);
        yield return new($"66 {code}", kind, sseForm, sse);
        yield return new($"66 VEX L0 {code}", kind, vexForm, Feature.Avx);
        yield return new($"66 VEX L1 {code}", kind, vexForm, Feature.Avx2);
    }
}
