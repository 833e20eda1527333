using Hv.Cpu.Virtualization;
using static Hv.Cpu.Decode.Operands;
using static Hv.Cpu.Decode.OpKind;

namespace Hv.Cpu.Decode;

/// <summary>One row of the opcode map.</summary>
/// <param name="Code">The encoding as the manuals write it: an optional mandatory prefix (NP, 66, F3, F2), optionally VEX and after it L0, L1, W0 or
/// W1, the opcode bytes, then optionally <c>/digit</c> for ModRM.reg, and <c>mem</c>, <c>reg</c> or <c>=n</c> (ModRM.rm, register form) to narrow it
/// further. A row without a mandatory prefix (or L, or W) holds for all; later rows replace earlier ones where they are narrower.</param>
/// <param name="Kind">The instruction.</param>
/// <param name="Operands">Its operands.</param>
/// <param name="Extra">A number that goes to <see cref="Op.Immediate"/>: a segment, or which vendor instruction.</param>
/// <param name="Feature">What CPUID must report for the instruction to exist.</param>
internal readonly record struct OpcodeRow(string Code, OpKind Kind, Operands Operands = Operands.None, int Extra = 0, Feature Feature = Feature.None)
{
    /// <summary>A row without <see cref="Extra"/>.</summary>
    internal OpcodeRow(string code, OpKind kind, Operands operands, Feature feature) : this(code, kind, operands, 0, feature)
    {
    }
}

/// <summary>The opcode maps (SDM 2D, appendix A; APM 3, appendix A). Other units of the instruction set add rows of their own.</summary>
internal static class OpcodeRows
{
    private const int Es = 0, Cs = 1, Ss = 2, Ds = 3, Fs = 4, Gs = 5;

    internal static readonly OpcodeRow[] OneByte =
    [
        new("D8", X87Escape, Ev, 0), new("D9", X87Escape, Ev, 1), new("DA", X87Escape, Ev, 2), new("DB", X87Escape, Ev, 3),
        new("DC", X87Escape, Ev, 4), new("DD", X87Escape, Ev, 5), new("DE", X87Escape, Ev, 6), new("DF", X87Escape, Ev, 7),
        new("DB /1 mem", X87Escape, Ev, 3, Feature.Sse3), new("DD /1 mem", X87Escape, Ev, 5, Feature.Sse3), // FISTTP
        new("DF /1 mem", X87Escape, Ev, 7, Feature.Sse3),
        new("06", PushSeg, No64 | Default64, Es), new("07", PopSeg, No64 | Default64, Es), new("0E", PushSeg, No64 | Default64, Cs),
        new("16", PushSeg, No64 | Default64, Ss), new("17", PopSeg, No64 | Default64, Ss),
        new("1E", PushSeg, No64 | Default64, Ds), new("1F", PopSeg, No64 | Default64, Ds),
        new("27", Daa, No64), new("2F", Das, No64), new("37", Aaa, No64), new("3F", Aas, No64),
        new("60", Pusha, No64), new("61", Popa, No64), new("62", Bound, GvM | No64),
        new("63", Arpl, EvGv | No64), new("63", Movsxd, GvEv | Only64),
        new("68", Push, (Operands)OpShape.Imm | Iz | Default64), new("69", Imul, GvEvIz),
        new("6A", Push, (Operands)OpShape.Imm | IbSigned | Default64), new("6B", Imul, GvEvIb),
        new("6C", Ins, ByteSized), new("6D", Ins, Most32), new("6E", Outs, ByteSized), new("6F", Outs, Most32),
        new("84", Test, EbGb), new("85", Test, EvGv), new("86", Xchg, EbGb | Lockable), new("87", Xchg, EvGv | Lockable),
        new("88", Mov, EbGb), new("89", Mov, EvGv), new("8A", Mov, GbEb), new("8B", Mov, GvEv),
        new("8C", MovFromSeg, EvGv | SegmentReg), new("8D", Lea, GvM), new("8E", MovToSeg, GvEv | SegmentReg), new("8F /0", Pop, Ev | Default64),
        new("F3 90", Pause), new("98", Cbw), new("99", Cwd), new("9A", CallFar, Far | No64), new("9B", Fwait),
        new("9C", Pushf, Default64), new("9D", Popf, Default64), new("9E", Sahf, No64), new("9F", Lahf, No64),
        new("9E", Sahf, Only64, Feature.Lahf64), new("9F", Lahf, Only64, Feature.Lahf64),
        new("A0", MovFromMoffs, Moffs | ByteSized), new("A1", MovFromMoffs, Moffs), new("A2", MovToMoffs, Moffs | ByteSized),
        new("A3", MovToMoffs, Moffs),
        new("A4", Movs, ByteSized), new("A5", Movs), new("A6", Cmps, ByteSized), new("A7", Cmps), new("A8", Test, AccIb), new("A9", Test, AccIz),
        new("AA", Stos, ByteSized), new("AB", Stos), new("AC", Lods, ByteSized), new("AD", Lods), new("AE", Scas, ByteSized), new("AF", Scas),
        new("C2", Ret, (Operands)OpShape.Imm | Iw | Force64), new("C3", Ret, Force64), new("C4", LoadFarPointer, GvM | No64, Es),
        new("C5", LoadFarPointer, GvM | No64, Ds),
        new("C6 /0", Mov, EbIb), new("C7 /0", Mov, EvIz), new("C8", Enter, (Operands)OpShape.Imm | IwIb | Default64), new("C9", Leave, Default64),
        new("CA", RetFar, (Operands)OpShape.Imm | Iw), new("CB", RetFar), new("CC", Int3), new("CD", Int, (Operands)OpShape.Imm | Ib),
        new("CE", Into, No64), new("CF", Iret),
        new("D4", Aam, (Operands)OpShape.Imm | Ib | No64), new("D5", Aad, (Operands)OpShape.Imm | Ib | No64), new("D6", Salc, No64),
        new("D7", Xlat, ByteSized),
        new("E0", Loopne, (Operands)OpShape.Imm | Rel8 | Force64), new("E1", Loope, (Operands)OpShape.Imm | Rel8 | Force64),
        new("E2", Loop, (Operands)OpShape.Imm | Rel8 | Force64), new("E3", Jcxz, (Operands)OpShape.Imm | Rel8 | Force64),
        new("E4", In, (Operands)OpShape.Imm | Ib | ByteSized), new("E5", In, (Operands)OpShape.Imm | Ib | Most32),
        new("E6", Out, (Operands)OpShape.Imm | Ib | ByteSized), new("E7", Out, (Operands)OpShape.Imm | Ib | Most32),
        new("E8", Call, (Operands)OpShape.Imm | RelZ | Force64), new("E9", Jmp, (Operands)OpShape.Imm | RelZ | Force64),
        new("EA", JmpFar, Far | No64), new("EB", Jmp, (Operands)OpShape.Imm | Rel8 | Force64),
        new("EC", In, ByteSized), new("ED", In, Most32), new("EE", Out, ByteSized), new("EF", Out, Most32),
        new("F1", Int1), new("F4", Hlt), new("F5", Cmc),
        new("F6 /0", Test, EbIb), new("F6 /1", Test, EbIb), new("F6 /2", Not, Eb | Lockable), new("F6 /3", Neg, Eb | Lockable),
        new("F6 /4", Mul, Eb), new("F6 /5", ImulWide, Eb), new("F6 /6", Div, Eb), new("F6 /7", Idiv, Eb),
        new("F7 /0", Test, EvIz), new("F7 /1", Test, EvIz), new("F7 /2", Not, Ev | Lockable), new("F7 /3", Neg, Ev | Lockable),
        new("F7 /4", Mul, Ev), new("F7 /5", ImulWide, Ev), new("F7 /6", Div, Ev), new("F7 /7", Idiv, Ev),
        new("F8", Clc), new("F9", Stc), new("FA", Cli), new("FB", Sti), new("FC", Cld), new("FD", Std),
        new("FE /0", Inc, Eb | Lockable), new("FE /1", Dec, Eb | Lockable),
        new("FF /0", Inc, Ev | Lockable), new("FF /1", Dec, Ev | Lockable), new("FF /2", CallIndirect, Ev | Force64), new("FF /3 mem", CallFar, Mv),
        new("FF /4", JmpIndirect, Ev | Force64), new("FF /5 mem", JmpFar, Mv), new("FF /6", Push, Ev | Default64),
    ];

    internal static readonly OpcodeRow[] TwoByte =
    [
        new("0F 00 /0", Sldt, Ev), new("0F 00 /1", Str, Ev), new("0F 00 /2", Lldt, Ev), new("0F 00 /3", Ltr, Ev), new("0F 00 /4", Verr, Ev),
        new("0F 00 /5", Verw, Ev),
        new("0F 01 /0 mem", Sgdt, Mv), new("0F 01 /1 mem", Sidt, Mv), new("0F 01 /2 mem", Lgdt, Mv), new("0F 01 /3 mem", Lidt, Mv),
        new("0F 01 /4", Smsw, Ev), new("0F 01 /6", Lmsw, Ev), new("0F 01 /7 mem", Invlpg, Mv | ByteSized),
        new("NP 0F 01 /0 =1", Vendor, Ev, (int)VendorInstruction.Vmcall), new("NP 0F 01 /0 =2", Vendor, Ev, (int)VendorInstruction.Vmlaunch),
        new("NP 0F 01 /0 =3", Vendor, Ev, (int)VendorInstruction.Vmresume), new("NP 0F 01 /0 =4", Vendor, Ev, (int)VendorInstruction.Vmxoff),
        new("NP 0F 01 /1 =0", OpKind.Monitor, Ev), new("NP 0F 01 /1 =1", Mwait, Ev),
        new("NP 0F 01 /1 =2", Clac, Ev, Feature.Smap), new("NP 0F 01 /1 =3", Stac, Ev, Feature.Smap),
        new("NP 0F 01 /2 =0", Xgetbv, Ev, Feature.Xsave), new("NP 0F 01 /2 =1", Xsetbv, Ev, Feature.Xsave),
        new("NP 0F 01 /2 =4", Vendor, Ev, (int)VendorInstruction.Vmfunc),
        new("0F 01 /3 =0", Vendor, Ev, (int)VendorInstruction.Vmrun), new("0F 01 /3 =1", Vendor, Ev, (int)VendorInstruction.Vmmcall),
        new("0F 01 /3 =2", Vendor, Ev, (int)VendorInstruction.Vmload), new("0F 01 /3 =3", Vendor, Ev, (int)VendorInstruction.Vmsave),
        new("0F 01 /3 =4", Vendor, Ev, (int)VendorInstruction.Stgi), new("0F 01 /3 =5", Vendor, Ev, (int)VendorInstruction.Clgi),
        new("0F 01 /3 =6", Vendor, Ev, (int)VendorInstruction.Skinit), new("0F 01 /3 =7", Vendor, Ev, (int)VendorInstruction.Invlpga),
        new("0F 01 /7 =0", Swapgs, Ev | Only64), new("0F 01 /7 =1", Rdtscp, Ev),
        new("0F 02", Lar, GvEv), new("0F 03", Lsl, GvEv), new("0F 05", Syscall), new("0F 06", Clts), new("0F 07", Sysret),
        new("0F 08", Invd), new("0F 09", Wbinvd), new("0F 0D", Nop, Ev),
        new("0F 18", Nop, Ev), new("0F 19", Nop, Ev), new("0F 1A", Nop, Ev), new("0F 1B", Nop, Ev),
        new("0F 1C", Nop, Ev), new("0F 1D", Nop, Ev), new("0F 1E", Nop, Ev), new("0F 1F", Nop, Ev),
        new("0F 20", MovFromCr, EvGv | ModIgnored | ControlReg | Force64), new("0F 21", MovFromDr, EvGv | ModIgnored | DebugReg | Force64),
        new("0F 22", MovToCr, GvEv | ModIgnored | ControlReg | Force64), new("0F 23", MovToDr, GvEv | ModIgnored | DebugReg | Force64),
        new("0F 30", Wrmsr), new("0F 31", Rdtsc), new("0F 32", Rdmsr), new("0F 33", Rdpmc), new("0F 34", Sysenter), new("0F 35", Sysexit),
        new("NP 0F 77", Emms),
        new("NP 0F 78", Vendor, EvGv | Force64, (int)VendorInstruction.Vmread),
        new("NP 0F 79", Vendor, GvEv | Force64, (int)VendorInstruction.Vmwrite),
        new("0F A0", PushSeg, Default64, Fs), new("0F A1", PopSeg, Default64, Fs), new("0F A2", Cpuid), new("0F A3", Bt, EvGv),
        new("0F A4", Shld, EvGvIb), new("0F A5", Shld, EvGvCl), new("0F A8", PushSeg, Default64, Gs), new("0F A9", PopSeg, Default64, Gs),
        new("0F AA", Rsm), new("0F AB", Bts, EvGv | Lockable), new("0F AC", Shrd, EvGvIb), new("0F AD", Shrd, EvGvCl),
        new("NP 0F AE /0 mem", Fxsave, Mv), new("NP 0F AE /1 mem", Fxrstor, Mv), new("NP 0F AE /2 mem", Ldmxcsr, Mv),
        new("NP 0F AE /3 mem", Stmxcsr, Mv), new("NP VEX L0 0F AE /2 mem", Ldmxcsr, Mv | Vector, Feature.Avx),
        new("NP VEX L0 0F AE /3 mem", Stmxcsr, Mv | Vector, Feature.Avx),
        new("NP 0F AE /4 mem", Xsave, Mv, Feature.Xsave), new("NP 0F AE /5 mem", Xrstor, Mv, Feature.Xsave),
        new("NP 0F AE /6 mem", Xsaveopt, Mv, Feature.Xsaveopt),
        new("NP 0F AE /7 mem", Clflush, Mv | ByteSized), new("66 0F AE /7 mem", Clflush, Mv | ByteSized, Feature.Clflushopt),
        new("66 0F AE /6 mem", Clflush, Mv | ByteSized, Feature.Clwb),
        new("NP 0F AE /5 reg", Nop, Ev), new("NP 0F AE /6 reg", Nop, Ev), new("NP 0F AE /7 reg", Nop, Ev),
        new("F3 0F AE /0 reg", RdFsGsBase, Ev | Only64 | Dword, Fs, Feature.Fsgsbase),
        new("F3 0F AE /1 reg", RdFsGsBase, Ev | Only64 | Dword, Gs, Feature.Fsgsbase),
        new("F3 0F AE /2 reg", WrFsGsBase, Ev | Only64 | Dword, Fs, Feature.Fsgsbase),
        new("F3 0F AE /3 reg", WrFsGsBase, Ev | Only64 | Dword, Gs, Feature.Fsgsbase),
        new("0F AF", Imul, GvEv), new("0F B0", Cmpxchg, EbGb | Lockable), new("0F B1", Cmpxchg, EvGv | Lockable),
        new("0F B2", LoadFarPointer, GvM, Ss), new("0F B3", Btr, EvGv | Lockable), new("0F B4", LoadFarPointer, GvM, Fs),
        new("0F B5", LoadFarPointer, GvM, Gs),
        new("0F B6", Movzx8, GvEb), new("0F B7", Movzx16, GvEv), new("F3 0F B8", Popcnt, GvEv, Feature.Popcnt),
        new("0F B9 /7 =0", Vendor, Ev, (int)VendorInstruction.HvExit),
        new("0F BA /4", Bt, EvIb), new("0F BA /5", Bts, EvIb | Lockable), new("0F BA /6", Btr, EvIb | Lockable),
        new("0F BA /7", Btc, EvIb | Lockable),
        new("0F BB", Btc, EvGv | Lockable), new("0F BC", Bsf, GvEv), new("0F BD", Bsr, GvEv), new("F3 0F BC", Tzcnt, GvEv, Feature.Bmi1),
        new("F3 0F BD", Lzcnt, GvEv, Feature.Lzcnt),
        new("0F BE", Movsx8, GvEb), new("0F BF", Movsx16, GvEv),
        new("0F C0", Xadd, EbGb | Lockable), new("0F C1", Xadd, EvGv | Lockable), new("NP 0F C3", Mov, MvGv | Dword, Feature.Sse2),
        new("0F C7 /1 mem", Cmpxchg8b, Mv | Lockable), new("NP 0F C7 /6 reg", Rdrand, Ev, Feature.Rdrand),
        new("NP 0F C7 /7 reg", Rdseed, Ev, Feature.Rdseed),
        new("66 0F C7 /6 reg", Rdrand, Ev, Feature.Rdrand), new("66 0F C7 /7 reg", Rdseed, Ev, Feature.Rdseed),
        new("F3 0F C7 /7 reg", Rdpid, Ev | Force64, Feature.Rdpid),
        new("NP 0F C7 /6 mem", Vendor, Mv | Force64, (int)VendorInstruction.Vmptrld),
        new("66 0F C7 /6 mem", Vendor, Mv | Force64, (int)VendorInstruction.Vmclear),
        new("F3 0F C7 /6 mem", Vendor, Mv | Force64, (int)VendorInstruction.Vmxon),
        new("NP 0F C7 /7 mem", Vendor, Mv | Force64, (int)VendorInstruction.Vmptrst),
    ];

    internal static readonly OpcodeRow[] ThreeByte =
    [
        new("66 0F38 80", Vendor, GvM | Force64, (int)VendorInstruction.Invept),
        new("66 0F38 81", Vendor, GvM | Force64, (int)VendorInstruction.Invvpid),
        new("NP 0F38 F0", Movbe, GvM, Feature.Movbe), new("NP 0F38 F1", Movbe, MvGv, Feature.Movbe),
        new("66 0F38 F0", Movbe, GvM, Feature.Movbe), new("66 0F38 F1", Movbe, MvGv, Feature.Movbe),
        new("F2 0F38 F0", Crc32Byte, GvEb | Dword, Feature.Sse42), new("F2 0F38 F1", Crc32, GvEv, Feature.Sse42),
        new("66 0F38 F6", Adcx, GvEv | Dword, Feature.Adx),
        new("F3 0F38 F6", Adox, GvEv | Dword, Feature.Adx),
    ];

    internal static readonly OpcodeRow[] BitManipulation =
    [
        new("NP VEX L0 0F38 F2", Andn, GyByEy, Feature.Bmi1), new("NP VEX L0 0F38 F3 /1", Blsr, ByEy, Feature.Bmi1),
        new("NP VEX L0 0F38 F3 /2", Blsmsk, ByEy, Feature.Bmi1), new("NP VEX L0 0F38 F3 /3", Blsi, ByEy, Feature.Bmi1),
        new("NP VEX L0 0F38 F7", Bextr, GyEyBy, Feature.Bmi1),
        new("NP VEX L0 0F38 F5", Bzhi, GyEyBy, Feature.Bmi2), new("F3 VEX L0 0F38 F5", Pext, GyByEy, Feature.Bmi2),
        new("F2 VEX L0 0F38 F5", Pdep, GyByEy, Feature.Bmi2), new("F2 VEX L0 0F38 F6", Mulx, GyByEy, Feature.Bmi2),
        new("66 VEX L0 0F38 F7", Shlx, GyEyBy, Feature.Bmi2), new("F3 VEX L0 0F38 F7", Sarx, GyEyBy, Feature.Bmi2),
        new("F2 VEX L0 0F38 F7", Shrx, GyEyBy, Feature.Bmi2), new("F2 VEX L0 0F3A F0", Rorx, GvEv | Ib, Feature.Bmi2),
    ];

    /// <summary>The rows whose opcodes follow a pattern.</summary>
    internal static IEnumerable<OpcodeRow> Regular()
    {
        for (int i = 0; i < 8; i++)
        {
            OpKind kind = Nth(Add, i);
            Operands locked = kind == Cmp ? Operands.None : Lockable;
            yield return new($"{i * 8:X2}", kind, EbGb | locked);
            yield return new($"{i * 8 + 1:X2}", kind, EvGv | locked);
            yield return new($"{i * 8 + 2:X2}", kind, GbEb);
            yield return new($"{i * 8 + 3:X2}", kind, GvEv);
            yield return new($"{i * 8 + 4:X2}", kind, AccIb);
            yield return new($"{i * 8 + 5:X2}", kind, AccIz);
            yield return new($"80 /{i}", kind, EbIb | locked);
            yield return new($"81 /{i}", kind, EvIz | locked);
            yield return new($"82 /{i}", kind, EbIb | locked | No64);
            yield return new($"83 /{i}", kind, EvIbSigned | locked);
            yield return new($"C0 /{i}", Nth(Rol, i), EbIb);
            yield return new($"C1 /{i}", Nth(Rol, i), EvIb);
            yield return new($"D0 /{i}", Nth(Rol, i), Eb1);
            yield return new($"D1 /{i}", Nth(Rol, i), Ev1);
            yield return new($"D2 /{i}", Nth(Rol, i), EbCl);
            yield return new($"D3 /{i}", Nth(Rol, i), EvCl);
            yield return new($"{0x40 + i:X2}", Inc, Zv | No64);
            yield return new($"{0x48 + i:X2}", Dec, Zv | No64);
            yield return new($"{0x50 + i:X2}", Push, Zv | Default64);
            yield return new($"{0x58 + i:X2}", Pop, Zv | Default64);
            yield return new($"{0x90 + i:X2}", Xchg, (Operands)OpShape.RmReg | Z);
            yield return new($"{0xB0 + i:X2}", Mov, ZbIb);
            yield return new($"{0xB8 + i:X2}", Mov, ZvIv);
            yield return new($"0F {0xC8 + i:X2}", Bswap, Zv);
        }

        for (int condition = 0; condition < 16; condition++)
        {
            yield return new($"{0x70 + condition:X2}", Nth(Jo, condition), (Operands)OpShape.Imm | Rel8 | Force64);
            yield return new($"0F {0x80 + condition:X2}", Nth(Jo, condition), (Operands)OpShape.Imm | RelZ | Force64);
            yield return new($"0F {0x40 + condition:X2}", Nth(Cmovo, condition), GvEv);
            yield return new($"0F {0x90 + condition:X2}", Nth(Seto, condition), Eb);
        }
    }

    private static OpKind Nth(OpKind first, int n) => (OpKind)((int)first + n);
}
