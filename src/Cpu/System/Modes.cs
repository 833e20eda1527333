using System.Runtime.CompilerServices;
using Hv.Core.Registers;
using Hv.Cpu.State;

namespace Hv.Cpu.System;

/// <summary>RFLAGS bits (SDM 1 3.4.3).</summary>
internal static class Rflags
{
    public const ulong Cf = 1, Fixed = 2, Pf = 4, Af = 1 << 4, Zf = 1 << 6, Sf = 1 << 7, Tf = 1 << 8, If = 1 << 9, Df = 1 << 10, Of = 1 << 11,
        Iopl = 3 << 12, Nt = 1 << 14, Rf = 1 << 16, Vm = 1 << 17, Ac = 1 << 18, Vif = 1 << 19, Vip = 1 << 20, Id = 1 << 21;

    public const ulong Arithmetic = Cf | Pf | Af | Zf | Sf | Of;

    /// <summary>Every bit that software can see set.</summary>
    public const ulong Defined = Arithmetic | Tf | If | Df | Iopl | Nt | Rf | Vm | Ac | Vif | Vip | Id;
}

/// <summary>Control register and EFER bits (SDM 3A 2.5, 2.2.1; APM 2 3.1).</summary>
internal static class ControlBits
{
    public const ulong Pe = 1, Mp = 2, Em = 4, Ts = 8, Et = 0x10, Ne = 0x20, Wp = 0x10000, Am = 0x40000, Nw = 1UL << 29, Cd = 1UL << 30,
        Pg = 1UL << 31;

    public const ulong Vme = 1, Pvi = 2, Tsd = 4, De = 8, Pse = 0x10, Pae = 0x20, Mce = 0x40, Pge = 0x80, Pce = 0x100, Osfxsr = 0x200,
        Osxmmexcpt = 0x400, Umip = 0x800, La57 = 0x1000, Vmxe = 0x2000, Fsgsbase = 1 << 16, Pcide = 1 << 17, Osxsave = 1 << 18, Smep = 1 << 20,
        Smap = 1 << 21;

    public const ulong Sce = 1, Lme = 1 << 8, Lma = 1 << 10, Nxe = 1 << 11, Svme = 1 << 12;
}

/// <summary>Which of the processor's modes is in force.</summary>
internal static class Modes
{
    /// <summary>CR0.PE clear.</summary>
    public static bool IsReal(ref CpuState s) => (s.Sys.Cr0 & ControlBits.Pe) == 0;

    /// <summary>Virtual-8086: PE and RFLAGS.VM set (LMA excludes it).</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool IsVm86(ref CpuState s) => (s.Gpr.Rflags & Rflags.Vm) != 0 && (s.Sys.Cr0 & ControlBits.Pe) != 0;

    /// <summary>Protected mode with descriptors in force: neither real nor virtual-8086.</summary>
    public static bool IsProtected(ref CpuState s) => !IsReal(ref s) && !IsVm86(ref s);

    /// <summary>IA-32e mode, 64-bit or compatibility.</summary>
    public static bool IsLong(ref CpuState s) => (s.Sys.Efer & ControlBits.Lma) != 0;

    /// <summary>64-bit mode: IA-32e with CS.L.</summary>
    public static bool Is64(ref CpuState s) => IsLong(ref s) && s.Sys.Cs.Long;

    /// <summary>Bits 63:47 all equal (48-bit linear addresses).</summary>
    public static bool IsCanonical(ulong address) => (long)(address << 16) >> 16 == (long)address;

    /// <summary>I/O privilege level, 0..3.</summary>
    public static int Iopl(ref CpuState s) => (int)(s.Gpr.Rflags >> 12) & 3;

    /// <summary>The bits of RSP that stack operations change: by SS.B outside 64-bit mode (SDM 1 6.2.3).</summary>
    public static ulong StackMask(ref CpuState s) => Is64(ref s) ? ulong.MaxValue : Segments.StackMask(in s.Sys.Ss);
}
