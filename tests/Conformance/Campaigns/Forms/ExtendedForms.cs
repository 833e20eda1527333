using Iced.Intel;

namespace Hv.Conformance.Campaigns.Forms;

/// <summary>Which instructions' cases set and compare x87, MMX, SSE and AVX state; the others are spared the cost.</summary>
public static class ExtendedForms
{
    private static readonly HashSet<CpuidFeature> _without = [CpuidFeature.INTEL8086, CpuidFeature.INTEL186, CpuidFeature.INTEL286,
        CpuidFeature.INTEL386, CpuidFeature.INTEL486, CpuidFeature.X64, CpuidFeature.BMI1, CpuidFeature.BMI2, CpuidFeature.ADX, CpuidFeature.CMOV,
        CpuidFeature.LZCNT, CpuidFeature.POPCNT, CpuidFeature.MOVBE, CpuidFeature.CX8, CpuidFeature.CMPXCHG16B, CpuidFeature.MULTIBYTENOP,
        CpuidFeature.FSGSBASE, CpuidFeature.SEP, CpuidFeature.SYSCALL, CpuidFeature.PAUSE, CpuidFeature.MSR, CpuidFeature.CET_IBT,
        CpuidFeature.CET_SS, CpuidFeature.CLDEMOTE, CpuidFeature.CLFLUSHOPT, CpuidFeature.CLFSH, CpuidFeature.CLWB, CpuidFeature.PREFETCHITI,
        CpuidFeature.PREFETCHW, CpuidFeature.PREFETCHWT1, CpuidFeature.WBNOINVD];

    private static readonly HashSet<Mnemonic> _general = [Mnemonic.Prefetchnta, Mnemonic.Prefetcht0, Mnemonic.Prefetcht1, Mnemonic.Prefetcht2,
        Mnemonic.Sfence, Mnemonic.Lfence, Mnemonic.Mfence, Mnemonic.Movnti, Mnemonic.Crc32];

    private static readonly bool[] _uses = [.. Enum.GetValues<Code>().Select(Decide)];

    /// <summary>Whether cases of this instruction carry the state.</summary>
    public static bool Uses(Code code) => _uses[(int)code];

    /// <summary>Whether cases of this form say something only where the upper halves of the YMM registers go in and come out: VEX instructions on
    /// vectors, and XSAVE's images, which have a part for them.</summary>
    public static bool NeedsUpperHalves(Form form) => Uses(form.Code)
        && (form.OpCode.Encoding == EncodingKind.VEX || form.Feature.Contains("XSAVE", StringComparison.Ordinal));

    private static bool Decide(Code code)
    {
        OpCodeInfo opcode = code.ToOpCode();
        return opcode.IsInstruction && !_general.Contains(opcode.Mnemonic)
            && (opcode.Mnemonic == Mnemonic.Wait || code.CpuidFeatures().Contains(CpuidFeature.FPU)
                || !code.CpuidFeatures().Any(_without.Contains));
    }
}
