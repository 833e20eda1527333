using Iced.Intel;

namespace Hv.Conformance.Campaigns.Forms;

/// <summary>Which forms hv's largest processor model owes: those of x86-64-v3 (System V ABI, AMD64 supplement, 3.1.1) and of the extensions that
/// compilers and libraries ask for beside it. Other extensions of the machine that runs a campaign are no gap.</summary>
public static class PromisedForms
{
    private static readonly HashSet<CpuidFeature> _features =
    [
        CpuidFeature.INTEL8086, CpuidFeature.INTEL186, CpuidFeature.INTEL286, CpuidFeature.INTEL386, CpuidFeature.INTEL486, CpuidFeature.X64,
        CpuidFeature.FPU, CpuidFeature.FPU287, CpuidFeature.FPU387, CpuidFeature.FXSR, CpuidFeature.CMOV, CpuidFeature.CX8, CpuidFeature.MSR,
        CpuidFeature.TSC, CpuidFeature.SYSCALL, CpuidFeature.SEP, CpuidFeature.CPUID, CpuidFeature.MULTIBYTENOP, CpuidFeature.PAUSE,
        CpuidFeature.MMX, CpuidFeature.SSE, CpuidFeature.SSE2, CpuidFeature.SSE3, CpuidFeature.SSSE3, CpuidFeature.SSE4_1, CpuidFeature.SSE4_2,
        CpuidFeature.POPCNT, CpuidFeature.CMPXCHG16B, CpuidFeature.AVX, CpuidFeature.AVX2, CpuidFeature.FMA, CpuidFeature.F16C, CpuidFeature.BMI1,
        CpuidFeature.BMI2, CpuidFeature.LZCNT, CpuidFeature.MOVBE, CpuidFeature.XSAVE, CpuidFeature.XSAVEOPT, CpuidFeature.AES,
        CpuidFeature.PCLMULQDQ, CpuidFeature.SHA, CpuidFeature.ADX, CpuidFeature.RDRAND, CpuidFeature.RDSEED, CpuidFeature.RDTSCP,
        CpuidFeature.CLFSH, CpuidFeature.PREFETCHW, CpuidFeature.FSGSBASE, CpuidFeature.RDPID, CpuidFeature.SMAP, CpuidFeature.CLFLUSHOPT,
        CpuidFeature.CLWB,
    ];

    /// <summary>Whether <paramref name="form"/> is owed. SYSRET outside 64-bit code is #UD (SDM 2B SYSRET); AMD's processors have it there (APM 3
    /// SYSRET).</summary>
    public static bool Contains(Form form) => form.Code.CpuidFeatures().All(_features.Contains)
        && !(form.Code == Code.Sysretd && form.Mode != CodeMode.Bits64);
}
