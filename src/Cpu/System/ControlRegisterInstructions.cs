using Hv.Cpu.Decode;
using Hv.Cpu.State;
using Hv.Cpu.Virtualization;

namespace Hv.Cpu.System;

/// <summary>MOV to and from control registers, LMSW, SMSW, CLTS, XGETBV, XSETBV. Privilege is checked before the layer is asked, values
/// after.</summary>
internal static class ControlRegisterInstructions
{
    private const ulong LmswMask = ControlBits.Pe | ControlBits.Mp | ControlBits.Em | ControlBits.Ts;

    public static void MovTo(ref CpuState s, ref Op op, Processor p) => Offer(ref s, ref op, p, CpuEventKind.CrWrite);

    public static void MovFrom(ref CpuState s, ref Op op, Processor p) => Offer(ref s, ref op, p, CpuEventKind.CrRead);

    private static void Offer(ref CpuState s, ref Op op, Processor p, CpuEventKind kind)
    {
        Faults.Begin(ref s, ref op);
        int number = OpAccess.Number(ref op);
        if (number is not (0 or 2 or 3 or 4 or 8))
        {
            Faults.Undefined(ref s);
            return;
        }

        if (!Privileged(ref s))
            return;
        ulong value = kind == CpuEventKind.CrRead ? ControlRegisters.Read(ref s, number) : OpAccess.Register(ref s, op.Rm);
        p.Leave(ref s, ref op, kind);
        p.Event.Index = (uint)number;
        p.Event.Register = (byte)(op.Rm >> 3);
        p.Event.Value = Modes.Is64(ref s) ? value : (uint)value;
    }

    public static bool TryWrite(ref CpuState s, Processor p, in CpuEvent e)
    {
        if (!ControlRegisters.TryWrite(ref s, p, (int)e.Index, e.Value))
            return false;
        p.Retire();
        return true;
    }

    public static bool TryRead(ref CpuState s, Processor p, in CpuEvent e)
    {
        OpAccess.SetNumbered(ref s, e.Register, Modes.Is64(ref s) ? 8 : 4, e.Value);
        p.Retire();
        return true;
    }

    public static void Lmsw(ref CpuState s, ref Op op, Processor p)
    {
        Faults.Begin(ref s, ref op);
        if (!Privileged(ref s) || !OpAccess.TryRead16(ref s, ref op, p, out ushort value))
            return;
        OperandEvents.Leave(ref s, ref op, p, CpuEventKind.Lmsw);
        p.Event.Value = value;
    }

    /// <summary>LMSW can set PE, never clear it (SDM 2A LMSW).</summary>
    public static bool TryLmsw(ref CpuState s, Processor p, in CpuEvent e)
    {
        ulong kept = s.Sys.Cr0 & (~LmswMask | ControlBits.Pe);
        if (!ControlRegisters.TryWriteCr0(ref s, p, kept | e.Value & LmswMask))
            return false;
        p.Retire();
        return true;
    }

    public static void Smsw(ref CpuState s, ref Op op, Processor p)
    {
        Faults.Begin(ref s, ref op);
        if (!UserModeAllowed(ref s))
            return;
        OperandEvents.Leave(ref s, ref op, p, CpuEventKind.Smsw);
        p.Event.Value = s.Sys.Cr0;
    }

    public static bool TrySmsw(ref CpuState s, Processor p, in CpuEvent e)
    {
        if (!OperandEvents.TryStore(ref s, p, in e, e.Value))
            return false;
        p.Retire();
        return true;
    }

    public static void Clts(ref CpuState s, ref Op op, Processor p)
    {
        Faults.Begin(ref s, ref op);
        if (Privileged(ref s))
            p.Leave(ref s, ref op, CpuEventKind.Clts);
    }

    public static bool TryClts(ref CpuState s, Processor p, in CpuEvent e)
    {
        s.Sys.Cr0 &= ~ControlBits.Ts;
        p.ModeChanged(ref s);
        p.Retire();
        return true;
    }

    public static void Xgetbv(ref CpuState s, ref Op op, Processor p)
    {
        Faults.Begin(ref s, ref op);
        if ((s.Sys.Cr4 & ControlBits.Osxsave) == 0)
        {
            Faults.Undefined(ref s);
        }
        else if ((uint)s.Gpr.Rcx != 0)
        {
            Faults.GeneralProtection(ref s);
        }
        else
        {
            s.Gpr.Rax = (uint)s.Sys.Xcr0;
            s.Gpr.Rdx = s.Sys.Xcr0 >> 32;
            p.Finish(ref s, ref op);
        }
    }

    public static void Xsetbv(ref CpuState s, ref Op op, Processor p)
    {
        Faults.Begin(ref s, ref op);
        if ((s.Sys.Cr4 & ControlBits.Osxsave) == 0)
        {
            Faults.Undefined(ref s);
            return;
        }

        if (!Privileged(ref s))
            return;
        p.Leave(ref s, ref op, CpuEventKind.Xsetbv);
        p.Event.Index = (uint)s.Gpr.Rcx;
        p.Event.Value = s.Gpr.Rdx << 32 | (uint)s.Gpr.Rax;
    }

    public static bool TryXsetbv(ref CpuState s, Processor p, in CpuEvent e)
    {
        if (e.Index != 0)
            return Faults.GeneralProtection(ref s);
        if (!ControlRegisters.TryWriteXcr0(ref s, p, e.Value))
            return false;
        p.Retire();
        return true;
    }

    /// <summary>#GP(0) unless CPL is 0 (virtual-8086 code is at 3, real-mode code at 0).</summary>
    public static bool Privileged(ref CpuState s) => s.Sys.Cpl == 0 || Faults.GeneralProtection(ref s);

    /// <summary>SMSW, SGDT, SIDT, SLDT and STR at CPL above 0 are #GP(0) under CR4.UMIP (SDM 3A 2.5).</summary>
    public static bool UserModeAllowed(ref CpuState s) => s.Sys.Cpl == 0 || (s.Sys.Cr4 & ControlBits.Umip) == 0 || Faults.GeneralProtection(ref s);
}
