using Hv.Core.Registers;
using Hv.Cpu.State;

namespace Hv.Cpu.System;

/// <summary>The processor's state after reset and after INIT (SDM 3A table 10-1).</summary>
public static class ResetState
{
    private const uint RealData = 0x93, RealCode = 0x9B, Ldt = 0x82, BusyTss = 0x8B;
    private const ulong ApicDefault = 0xFEE0_0800, BootstrapBit = 1 << 8, CacheBits = ControlBits.Cd | ControlBits.Nw;
    private const int MiscEnableSlot = 27;

    /// <summary>Power-up or RESET#.</summary>
    /// <param name="p">The processor.</param>
    /// <param name="bootstrap">Whether it is the bootstrap processor, which IA32_APIC_BASE says.</param>
    public static void Reset(Processor p, bool bootstrap = true)
    {
        ref CpuState s = ref p.State;
        s.Fpu = new FpuState { Control = FpuState.ControlReset, Tags = 0xFF, Mxcsr = FpuState.MxcsrDefault };
        s.KeptMsr = default;
        s.KeptMsr[MiscEnableSlot] = 1; // fast strings
        s.Sys = new SystemRegisters
        {
            Cr0 = CacheBits,
            Xcr0 = 1,
            Pat = 0x0007_0406_0007_0406,
            ApicBase = ApicDefault | (bootstrap ? BootstrapBit : 0),
        };
        Init(p);
    }

    /// <summary>INIT: as reset, but caches, FPU, MTRRs, time stamp and most model-specific registers keep their values.</summary>
    public static void Init(Processor p)
    {
        ref CpuState s = ref p.State;
        s.Gpr = default;
        p.ForgetEvent();
        s.Gpr.Rdx = p.Cpuid.Query(1, 0).Eax;
        s.Gpr.Rip = 0xFFF0;
        SystemRegisters old = s.Sys;
        s.Sys = new SystemRegisters
        {
            Cs = new SegmentRegister { Selector = 0xF000, Base = 0xFFFF_0000, Limit = 0xFFFF, Attributes = RealCode },
            Ss = Data(),
            Ds = Data(),
            Es = Data(),
            Fs = Data(),
            Gs = Data(),
            Ldtr = new SegmentRegister { Limit = 0xFFFF, Attributes = Ldt },
            Tr = new SegmentRegister { Limit = 0xFFFF, Attributes = BusyTss },
            Gdtr = new TableRegister { Limit = 0xFFFF },
            Idtr = new TableRegister { Limit = 0xFFFF },
            Cr0 = old.Cr0 & CacheBits | ControlBits.Et,
            Dr6 = DebugRegisters.Dr6(0),
            Dr7 = DebugRegisters.Dr7(0),
            Xcr0 = old.Xcr0,
            Star = old.Star,
            Lstar = old.Lstar,
            Cstar = old.Cstar,
            Sfmask = old.Sfmask,
            KernelGsBase = old.KernelGsBase,
            SysenterCs = old.SysenterCs,
            SysenterEsp = old.SysenterEsp,
            SysenterEip = old.SysenterEip,
            Pat = old.Pat,
            ApicBase = old.ApicBase,
            TscAux = old.TscAux,
            Tsc = old.Tsc,
        };
        s.Delivery = default;
        p.Deliver(default, 0);
        p.Interrupted = default;
        s.PendingDebug = 0;
        s.Attention = Attention.None;
        FlagWrite.Write(ref s, p, 0);
        p.FlushTlb(false);
        p.ModeChanged(ref s);
    }

    private static SegmentRegister Data() => new() { Limit = 0xFFFF, Attributes = RealData };
}
