using Hv.Core.Registers;
using Hv.Cpu.Decode;
using Hv.Cpu.State;

namespace Hv.Cpu.System;

/// <summary>SYSCALL, SYSRET, SYSENTER, SYSEXIT: segments from model-specific registers with fixed attributes, no table reads, no stack (SDM 2B; APM
/// 3; APM 2 6.1).</summary>
internal static class Syscalls
{
    /// <summary>Present, accessed, 4 GiB: code with L, code with D, writable data.</summary>
    private const uint Code64 = 0xA09B, Code32 = 0xC09B, Data = 0xC093;

    private const ulong SysretFlags = 0x3C7FD7;

    public static void Syscall(ref CpuState s, ref Op op, Processor p)
    {
        Faults.Begin(ref s, ref op);
        if ((s.Sys.Efer & ControlBits.Sce) == 0 || (p.Rules.SyscallOnlyIn64Bit && !Modes.Is64(ref s)))
        {
            Faults.Undefined(ref s);
            return;
        }

        ulong flags = FlagWrite.Read(ref s);
        var selector = (ushort)(s.Sys.Star >> 32 & 0xFFFC);
        s.Gpr.Rcx = p.NextRip(ref s, ref op);
        if (Modes.IsLong(ref s))
        {
            s.Gpr.R11 = flags & ~Rflags.Rf;
            s.Gpr.Rip = Modes.Is64(ref s) ? s.Sys.Lstar : s.Sys.Cstar;
            Enter(ref s, selector, Code64, 0);
            FlagWrite.Write(ref s, p, flags & ~(s.Sys.Sfmask | Rflags.Rf));
        }
        else
        {
            s.Gpr.Rip = (uint)s.Sys.Star;
            Enter(ref s, selector, Code32, 0);
            FlagWrite.Write(ref s, p, flags & ~(Rflags.Vm | Rflags.If | Rflags.Rf));
        }
    }

    public static void Sysret(ref CpuState s, ref Op op, Processor p)
    {
        Faults.Begin(ref s, ref op);
        bool wide = OpAccess.Size(ref op) == 8;
        if ((s.Sys.Efer & ControlBits.Sce) == 0 || (p.Rules.SyscallOnlyIn64Bit && !Modes.Is64(ref s)))
        {
            Faults.Undefined(ref s);
            return;
        }

        bool badTarget = wide && p.Rules.SysretChecksAtCpl0 && !Modes.IsCanonical(s.Gpr.Rcx);
        if (Modes.IsReal(ref s) || badTarget)
        {
            Faults.GeneralProtection(ref s);
            return;
        }

        if (!ControlRegisterInstructions.Privileged(ref s))
            return;
        var user = (ushort)(s.Sys.Star >> 48);
        bool wasLong = Modes.IsLong(ref s);
        s.Gpr.Rip = wide ? s.Gpr.Rcx : (uint)s.Gpr.Rcx;
        Load(ref s.Sys.Cs, (ushort)((wide ? user + 16 : user) | 3), wide ? Code64 : Code32, 3);
        Load(ref s.Sys.Ss, (ushort)(user + 8 | 3), Data, 3);
        s.Sys.Cpl = 3;
        ulong flags = wasLong ? s.Gpr.R11 & SysretFlags : FlagWrite.Read(ref s) | Rflags.If;
        FlagWrite.Write(ref s, p, flags);
    }

    public static void Sysenter(ref CpuState s, ref Op op, Processor p)
    {
        Faults.Begin(ref s, ref op);
        if (Modes.IsLong(ref s) && !p.Rules.SysenterInLongMode)
        {
            Faults.Undefined(ref s);
            return;
        }

        var selector = (ushort)(s.Sys.SysenterCs & 0xFFFC);
        if (Modes.IsReal(ref s) || selector == 0)
        {
            Faults.GeneralProtection(ref s);
            return;
        }

        bool wide = Modes.IsLong(ref s);
        ulong flags = FlagWrite.Read(ref s) & ~(Rflags.Vm | Rflags.If | Rflags.Rf);
        s.Gpr.Rsp = wide ? s.Sys.SysenterEsp : (uint)s.Sys.SysenterEsp;
        s.Gpr.Rip = wide ? s.Sys.SysenterEip : (uint)s.Sys.SysenterEip;
        Enter(ref s, selector, wide ? Code64 : Code32, 0);
        FlagWrite.Write(ref s, p, flags);
    }

    public static void Sysexit(ref CpuState s, ref Op op, Processor p)
    {
        Faults.Begin(ref s, ref op);
        if (Modes.IsLong(ref s) && !p.Rules.SysenterInLongMode)
        {
            Faults.Undefined(ref s);
            return;
        }

        bool wide = OpAccess.Size(ref op) == 8;
        var selector = (ushort)(s.Sys.SysenterCs & 0xFFFC);
        bool badTarget = wide && !(Modes.IsCanonical(s.Gpr.Rcx) && Modes.IsCanonical(s.Gpr.Rdx));
        if (Modes.IsReal(ref s) || selector == 0 || badTarget)
        {
            Faults.GeneralProtection(ref s);
            return;
        }

        if (!ControlRegisterInstructions.Privileged(ref s))
            return;
        s.Gpr.Rsp = wide ? s.Gpr.Rcx : (uint)s.Gpr.Rcx;
        s.Gpr.Rip = wide ? s.Gpr.Rdx : (uint)s.Gpr.Rdx;
        Enter(ref s, (ushort)(selector + (wide ? 32 : 16)), wide ? Code64 : Code32, 3);
        p.ModeChanged(ref s);
    }

    /// <summary>Loads a code segment and the stack segment that follows it in the table.</summary>
    private static void Enter(ref CpuState s, ushort selector, uint code, int cpl)
    {
        Load(ref s.Sys.Cs, (ushort)(selector | cpl), code, cpl);
        Load(ref s.Sys.Ss, (ushort)(selector + 8 | cpl), Data, cpl);
        s.Sys.Cpl = (byte)cpl;
    }

    private static void Load(ref SegmentRegister segment, ushort selector, uint attributes, int dpl) =>
        segment = new SegmentRegister { Selector = selector, Limit = 0xFFFF_FFFF, Attributes = attributes | (uint)dpl << 5 };
}
