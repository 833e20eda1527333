using Iced.Intel;

namespace Hv.Conformance.Campaigns.Planting;

/// <summary>Faults that emulators have had in x87, MMX, SSE and AVX instructions.</summary>
public static class ExtendedFaults
{
    private const uint InvalidFlag = 1, DenormalFlag = 2, ZeroDivideFlag = 4, OverflowFlag = 8, UnderflowFlag = 0x10, InexactFlag = 0x20;
    private const uint StackFault = 0x40, C1 = 0x200, C2 = 0x400, C3 = 0x4000, Top = 0x3800;
    private const uint General = 13, MathFault = 16, Alignment = 17, SimdFault = 19;

    /// <summary>The list.</summary>
    public static IReadOnlyList<Planted> All { get; } =
    [
        // x87.
        new ExtendedFault("FADD rounds wrongly", Mnemonic.Fadd, ExtendedEffect.StackRoundedWrongly),
        new ExtendedFault("FMUL ignores the precision control", Mnemonic.Fmul, ExtendedEffect.PrecisionIgnored),
        new ExtendedFault("FDIV misses #Z's flag", Mnemonic.Fdiv, ExtendedEffect.StatusKept, ZeroDivideFlag),
        new ExtendedFault("FSQRT misses the flag of an invalid operand", Mnemonic.Fsqrt, ExtendedEffect.StatusKept, InvalidFlag),
        new ExtendedFault("FLD m32 misses the denormal flag", Mnemonic.Fld, ExtendedEffect.StatusKept, DenormalFlag),
        new ExtendedFault("FSUB does not set C1 when it rounds up", Mnemonic.Fsub, ExtendedEffect.StatusKept, C1),
        new ExtendedFault("FXCH leaves C1", Mnemonic.Fxch, ExtendedEffect.StatusKept, C1),
        new ExtendedFault("FILD does not move TOP", Mnemonic.Fild, ExtendedEffect.StatusKept, Top),
        new ExtendedFault("FST does not report a stack underflow", Mnemonic.Fst, ExtendedEffect.StatusKept, StackFault),
        new ExtendedFault("FSTP leaves the register full", Mnemonic.Fstp, ExtendedEffect.TagsKept),
        new ExtendedFault("FFREE leaves the register full", Mnemonic.Ffree, ExtendedEffect.TagsKept),
        new ExtendedFault("FCOM inverts C3", Mnemonic.Fcom, ExtendedEffect.StatusInverted, C3),
        new ExtendedFault("FXAM takes an unnormal for a normal number", Mnemonic.Fxam, ExtendedEffect.StatusInverted, C2),
        new ExtendedFault("FCHS leaves the sign", Mnemonic.Fchs, ExtendedEffect.SignInverted),
        new ExtendedFault("FRNDINT misses the inexact flag", Mnemonic.Frndint, ExtendedEffect.StatusKept, InexactFlag),
        new ExtendedFault("FSCALE misses overflow's flag", Mnemonic.Fscale, ExtendedEffect.StatusKept, OverflowFlag),
        new ExtendedFault("FPREM leaves C2 of a remainder that is not done", Mnemonic.Fprem, ExtendedEffect.StatusKept, C2),
        new ExtendedFault("FSUBR does not record its address", Mnemonic.Fsubr, ExtendedEffect.PointerKept),
        new PlantedFault("FISTP stores nothing", Mnemonic.Fistp, PlantedEffect.StoreLost),
        new PlantedFault("FBSTP stores a byte too few", Mnemonic.Fbstp, PlantedEffect.StoreTooNarrow),
        new PlantedFault("FCOMI leaves PF", Mnemonic.Fcomi, PlantedEffect.FlagKept, 4),
        new PlantedFault("a waiting x87 exception is not reported", Mnemonic.Fnop, PlantedEffect.FaultMissed, MathFault),
        // MMX.
        new ExtendedFault("PADDW does not mark the x87 registers", Mnemonic.Paddw, ExtendedEffect.ExponentKept),
        new ExtendedFault("PXOR of MMX registers leaves TOP", Mnemonic.Pxor, ExtendedEffect.StatusKept, Top),
        new ExtendedFault("EMMS leaves the tags", Mnemonic.Emms, ExtendedEffect.TagsKept),
        new PlantedFault("MOVQ from an MMX register stores four bytes", Mnemonic.Movntq, PlantedEffect.StoreTooNarrow),
        // SSE and AVX.
        new ExtendedFault("ADDPS rounds wrongly", Mnemonic.Addps, ExtendedEffect.RoundedWrongly),
        new ExtendedFault("MULPS rounds to nearest whatever MXCSR says", Mnemonic.Mulps, ExtendedEffect.RoundingIgnored),
        new ExtendedFault("ADDSS takes the NaN of the wrong operand", Mnemonic.Addss, ExtendedEffect.PayloadLost),
        new ExtendedFault("SUBPS misses the denormal flag", Mnemonic.Subps, ExtendedEffect.MxcsrMissed, DenormalFlag),
        new ExtendedFault("MULSD misses underflow's flag", Mnemonic.Mulsd, ExtendedEffect.MxcsrMissed, UnderflowFlag),
        new ExtendedFault("DIVPD misses the flag of a division by zero", Mnemonic.Divpd, ExtendedEffect.MxcsrMissed, ZeroDivideFlag),
        new ExtendedFault("SQRTPD misses the inexact flag", Mnemonic.Sqrtpd, ExtendedEffect.MxcsrMissed, InexactFlag),
        new ExtendedFault("MINPS raises an invalid operand for everything", Mnemonic.Minps, ExtendedEffect.MxcsrExtra, InvalidFlag),
        new ExtendedFault("CVTSD2SS misses overflow's flag", Mnemonic.Cvtsd2ss, ExtendedEffect.MxcsrMissed, OverflowFlag),
        new PlantedFault("CVTTSS2SI's out-of-range answer is one too large", Mnemonic.Cvttss2si, PlantedEffect.TopBitLost),
        new PlantedFault("COMISS leaves ZF", Mnemonic.Comiss, PlantedEffect.FlagKept, 0x40),
        new PlantedFault("UCOMISD sets OF", Mnemonic.Ucomisd, PlantedEffect.FlagInverted, 0x800),
        new PlantedFault("MOVAPS accepts a misaligned operand", Mnemonic.Movaps, PlantedEffect.FaultMissed, General),
        new PlantedFault("an unmasked SIMD exception is not raised", Mnemonic.Addpd, PlantedEffect.FaultMissed, SimdFault),
        new PlantedFault("LDMXCSR accepts reserved bits", Mnemonic.Ldmxcsr, PlantedEffect.FaultMissed, General),
        new ExtendedFault("ORPS clears the upper half of YMM", Mnemonic.Orps, ExtendedEffect.UpperCleared),
        new ExtendedFault("VANDPS of 128 bits leaves the upper half of YMM", Mnemonic.Vandps, ExtendedEffect.UpperKept),
        new ExtendedFault("VMOVD leaves the upper half of YMM", Mnemonic.Vmovd, ExtendedEffect.UpperKept),
        new ExtendedFault("VPADDD of 256 bits computes 128", Mnemonic.Vpaddd, ExtendedEffect.UpperKept),
        new ExtendedFault("PSHUFB takes the wrong byte", Mnemonic.Pshufb, ExtendedEffect.ByteInverted, 5),
        new ExtendedFault("PMULHW is wrong in its second word", Mnemonic.Pmulhw, ExtendedEffect.ByteInverted, 2),
        new ExtendedFault("AESENC is wrong in one byte", Mnemonic.Aesenc, ExtendedEffect.ByteInverted, 7),
        new ExtendedFault("PCLMULQDQ is wrong in one byte", Mnemonic.Pclmulqdq, ExtendedEffect.ByteInverted, 9),
        new ExtendedFault("SHA256RNDS2 is wrong in one byte", Mnemonic.Sha256rnds2, ExtendedEffect.ByteInverted, 3),
        new ExtendedFault("VFMADD231PD rounds twice", Mnemonic.Vfmadd231pd, ExtendedEffect.RoundedWrongly),
        new ExtendedFault("VCVTPH2PS quiets nothing", Mnemonic.Vcvtph2ps, ExtendedEffect.MxcsrMissed, InvalidFlag),
        new ExtendedFault("VPGATHERDD writes nothing", Mnemonic.Vpgatherdd, ExtendedEffect.DestinationKept),
        new ExtendedFault("VBROADCASTSS fills 128 bits only", Mnemonic.Vbroadcastss, ExtendedEffect.UpperKept),
        new PlantedFault("PTEST leaves CF", Mnemonic.Ptest, PlantedEffect.FlagKept, 1),
        new PlantedFault("PCMPISTRI leaves RCX", Mnemonic.Pcmpistri, PlantedEffect.RegisterKept, 1),
        new PlantedFault("PMOVMSKB's result keeps the register's upper half", Mnemonic.Pmovmskb, PlantedEffect.DestinationKept),
        new PlantedFault("VMASKMOVPS stores a masked byte too few", Mnemonic.Vmaskmovps, PlantedEffect.StoreTooNarrow),
        new PlantedFault("FNSTENV of a misaligned operand misses #AC", Mnemonic.Fnstcw, PlantedEffect.FaultMissed, Alignment),
    ];
}
