namespace Hv.Cpu.Decode;

/// <summary>Which instruction an operation is: the manuals' mnemonics, one per behaviour; operand shapes are in <see cref="Op"/>.</summary>
public enum OpKind : ushort
{
    /// <summary>Undefined: #UD.</summary>
    Invalid,

    // System instructions; Hv.Cpu.System holds their handlers.
    Arpl, Clac, Cli, Clts, Cpuid, Hlt, Int, Int1, Int3, Into, Invd, Invlpg, Iret, Lar, Lgdt, Lidt, Lldt, Lmsw, Lsl, Ltr, Monitor,
    MovFromCr, MovFromDr, MovFromSeg, MovToCr, MovToDr, MovToSeg, Mwait, Pause, Popf, PopSeg, Pushf, PushSeg, RdFsGsBase, Rdmsr, Rdpmc, Rdtsc,
    Rdtscp, Rsm,
    Sgdt, Sidt, Sldt, Smsw, Stac, Sti, Str, Swapgs, Syscall, Sysenter, Sysexit, Sysret, Vendor, Verr, Verw, Wbinvd, WrFsGsBase, Wrmsr, Xgetbv, Xsetbv,
    CallFar, JmpFar, RetFar, LoadFarPointer, In, Out, Ins, Outs, Fxsave, Fxrstor, Ldmxcsr, Stmxcsr, Xsave, Xsaveopt, Xrstor,
    Fwait,
    Emms,

    // Arithmetic and logic; the first eight in the order of their opcodes.
    Add, Or, Adc, Sbb, And, Sub, Xor, Cmp, Test, Inc, Dec, Neg, Not,

    // Shifts in the order of group 2, whose /6 is an alias of /4.
    Rol, Ror, Rcl, Rcr, Shl, Shr, Sal, Sar, Shld, Shrd,
    Mul, ImulWide, Imul, Div, Idiv,

    // Bits.
    Bt, Bts, Btr, Btc, Bsf, Bsr, Tzcnt, Lzcnt, Popcnt, Crc32Byte, Crc32, Adcx, Adox,
    Andn, Bextr, Blsi, Blsmsk, Blsr, Bzhi, Mulx, Pdep, Pext, Rorx, Sarx, Shlx, Shrx,

    // Moves and conversions.
    Mov, MovFromMoffs, MovToMoffs, Movzx8, Movzx16, Movsx8, Movsx16, Movsxd, Movbe, Bswap, Lea, Xchg, Xadd, Cmpxchg, Cmpxchg8b, Cmpxchg16b,
    Cbw, Cwd, Xlat, Rdrand, Rdseed, Rdpid,

    // Stack and control flow.
    Push, Pop, Pusha, Popa, Enter, Leave, Call, CallIndirect, Jmp, JmpIndirect, Ret, Loop, Loope, Loopne, Jcxz,

    // Sixteen conditions each, in the order of their encodings.
    Jo, Jno, Jb, Jae, Je, Jne, Jbe, Ja, Js, Jns, Jp, Jnp, Jl, Jge, Jle, Jg,
    Seto, Setno, Setb, Setae, Sete, Setne, Setbe, Seta, Sets, Setns, Setp, Setnp, Setl, Setge, Setle, Setg,
    Cmovo, Cmovno, Cmovb, Cmovae, Cmove, Cmovne, Cmovbe, Cmova, Cmovs, Cmovns, Cmovp, Cmovnp, Cmovl, Cmovge, Cmovle, Cmovg,

    // Flags, decimal, strings, rest.
    Lahf, Sahf, Clc, Stc, Cmc, Cld, Std, Salc, Daa, Das, Aaa, Aas, Aam, Aad, Bound,
    Movs, Cmps, Stos, Lods, Scas, Nop, Clflush,

    /// <summary>D8 to DF: the escape's low three bits and the ModRM byte are in <see cref="Op.Immediate"/> (<c>Hv.Cpu.X87</c>).</summary>
    X87Escape,

    /// <summary>Not an instruction: the block ends and falls through to the RIP in <see cref="Op.Immediate"/>.</summary>
    BlockEnd,

    /// <summary>An instruction longer than 15 bytes or outside CS's limit: #GP(0).</summary>
    FetchViolation,

    // Vector instructions: <c>Hv.Cpu.Simd</c> holds their handlers. MMX, SSE and VEX encodings of one mnemonic are one kind (OpForm tells).
    // Logic first, which is where vector kinds begin.
    Andps, Andpd, Andnps, Andnpd, Orps, Orpd, Xorps, Xorpd, Pand, Pandn, Por, Pxor,

    // Vector floating point: arithmetic, comparisons and conversions.
    Addps, Addpd, Addss, Addsd, Mulps, Mulpd, Mulss, Mulsd, Subps, Subpd, Subss, Subsd, Divps, Divpd, Divss, Divsd,
    Minps, Minpd, Minss, Minsd, Maxps, Maxpd, Maxss, Maxsd, Sqrtps, Sqrtpd, Sqrtss, Sqrtsd, Cmpps, Cmppd, Cmpss, Cmpsd,
    Rcpps, Rcpss, Rsqrtps, Rsqrtss, Haddps, Haddpd, Hsubps, Hsubpd, Addsubps, Addsubpd, Dpps, Dppd, Roundps, Roundpd, Roundss, Roundsd,
    Comiss, Comisd, Ucomiss, Ucomisd,
    Cvtdq2pd, Cvtdq2ps, Cvtpd2dq, Cvtpd2pi, Cvtpd2ps, Cvtpi2pd, Cvtpi2ps, Cvtps2dq, Cvtps2pd, Cvtps2pi, Cvtsd2si, Cvtsd2ss, Cvtsi2sd, Cvtsi2ss,
    Cvtss2sd, Cvtss2si, Cvttpd2dq, Cvttpd2pi, Cvttps2dq, Cvttps2pi, Cvttsd2si, Cvttss2si, Vcvtph2ps, Vcvtps2ph,

    // Fused multiplication in the order of opcodes 96 to 9F, A6 to AF, B6 to BF, with VEX.W 0 and then 1.
    Vfmaddsub132ps, Vfmaddsub132pd, Vfmsubadd132ps, Vfmsubadd132pd, Vfmadd132ps, Vfmadd132pd, Vfmadd132ss, Vfmadd132sd, Vfmsub132ps, Vfmsub132pd,
    Vfmsub132ss, Vfmsub132sd, Vfnmadd132ps, Vfnmadd132pd, Vfnmadd132ss, Vfnmadd132sd, Vfnmsub132ps, Vfnmsub132pd, Vfnmsub132ss, Vfnmsub132sd,
    Vfmaddsub213ps, Vfmaddsub213pd, Vfmsubadd213ps, Vfmsubadd213pd, Vfmadd213ps, Vfmadd213pd, Vfmadd213ss, Vfmadd213sd, Vfmsub213ps, Vfmsub213pd,
    Vfmsub213ss, Vfmsub213sd, Vfnmadd213ps, Vfnmadd213pd, Vfnmadd213ss, Vfnmadd213sd, Vfnmsub213ps, Vfnmsub213pd, Vfnmsub213ss, Vfnmsub213sd,
    Vfmaddsub231ps, Vfmaddsub231pd, Vfmsubadd231ps, Vfmsubadd231pd, Vfmadd231ps, Vfmadd231pd, Vfmadd231ss, Vfmadd231sd, Vfmsub231ps, Vfmsub231pd,
    Vfmsub231ss, Vfmsub231sd, Vfnmadd231ps, Vfnmadd231pd, Vfnmadd231ss, Vfnmadd231sd, Vfnmsub231ps, Vfnmsub231pd, Vfnmsub231ss, Vfnmsub231sd,

    // Vectors of integers, and moves of any. Where several mnemonics do the same with the same operands one stands for all: MOVAPS for MOVAPD, MOVDQA
    // and the non-temporal moves, MOVUPS for MOVUPD, MOVDQU and LDDQU, PUNPCKLDQ for UNPCKLPS, VPBROADCASTD for VBROADCASTSS and so on.
    Movaps, Movups, Movq, Movd, Movss, Movsd, Movlps, Movhps, Movhlps, Movddup, Movsldup, Movshdup, Movq2dq, Movdq2q, Maskmov, Vpmaskmovd, Vpmaskmovq,
    Movmskps, Movmskpd, Pmovmskb, Pinsrb, Pinsrw, Pinsrd, Pextrb, Pextrw, Pextrd, Extractps, Insertps, Vzeroupper, Vzeroall,
    Vpgatherdd, Vpgatherdq, Vpgatherqd, Vpgatherqq, Ptest, Vtestps, Vtestpd, Pcmpestri, Pcmpestrm, Pcmpistri, Pcmpistrm,
    Paddb, Paddw, Paddd, Paddq, Paddsb, Paddsw, Paddusb, Paddusw, Psubb, Psubw, Psubd, Psubq, Psubsb, Psubsw, Psubusb, Psubusw,
    Pminsb, Pminsw, Pminsd, Pminub, Pminuw, Pminud, Pmaxsb, Pmaxsw, Pmaxsd, Pmaxub, Pmaxuw, Pmaxud, Pavgb, Pavgw, Pabsb, Pabsw, Pabsd,
    Psignb, Psignw, Psignd, Pcmpeqb, Pcmpeqw, Pcmpeqd, Pcmpeqq, Pcmpgtb, Pcmpgtw, Pcmpgtd, Pcmpgtq,
    Pmullw, Pmulld, Pmulhw, Pmulhuw, Pmulhrsw, Pmuldq, Pmuludq, Pmaddwd, Pmaddubsw, Psadbw, Mpsadbw, Phminposuw,
    Phaddw, Phaddd, Phaddsw, Phsubw, Phsubd, Phsubsw, Packsswb, Packuswb, Packssdw, Packusdw,
    Psllw, Pslld, Psllq, Psrlw, Psrld, Psrlq, Psraw, Psrad, Pslldq, Psrldq, Vpsllvd, Vpsllvq, Vpsrlvd, Vpsrlvq, Vpsravd,
    Punpcklbw, Punpcklwd, Punpckldq, Punpcklqdq, Punpckhbw, Punpckhwd, Punpckhdq, Punpckhqdq, Pmovsxbw, Pmovsxbd, Pmovsxbq, Pmovsxwd, Pmovsxwq,
    Pmovsxdq, Pmovzxbw, Pmovzxbd, Pmovzxbq, Pmovzxwd, Pmovzxwq, Pmovzxdq, Pshufb, Pshufd, Pshufhw, Pshuflw, Shufps, Shufpd, Palignr,
    Pblendw, Blendps, Blendpd, Pblendvb, Blendvps, Blendvpd, Vpermilps, Vpermilpd, Vpermd, Vpermq, Vperm2f128, Vinsertf128, Vextractf128,
    Vpbroadcastb, Vpbroadcastw, Vpbroadcastd, Vpbroadcastq, Vbroadcastf128,
    Aesenc, Aesenclast, Aesdec, Aesdeclast, Aesimc, Aeskeygenassist, Pclmulqdq,
    Sha1rnds4, Sha1nexte, Sha1msg1, Sha1msg2, Sha256rnds2, Sha256msg1, Sha256msg2,
}
