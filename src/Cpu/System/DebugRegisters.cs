using Hv.Cpu.Decode;
using Hv.Cpu.State;
using Hv.Cpu.Virtualization;

namespace Hv.Cpu.System;

/// <summary>MOV to and from DR0-DR7, and what a #DB leaves in them (SDM 3B 18.2; SDM 2B MOV, debug registers).</summary>
internal static class DebugRegisters
{
    /// <summary>DR6: the four breakpoint bits, BD, BS, BT.</summary>
    public const ulong HitMask = 0xF, DetectBit = 1 << 13, StepBit = 1 << 14, TaskBit = 1 << 15;

    private const ulong Dr6Fixed = 0xFFFF_0FF0, Dr6Writable = 0xE00F, Dr7Fixed = 0x400, Dr7Writable = 0xFFFF_2BFF & ~0x1000UL,
        GeneralDetect = 1 << 13;

    /// <summary>#DB's effect on the registers: hits are replaced, the other causes accumulate, GD is cleared so that the handler may use them (SDM 3B
    /// 18.2.3, 18.2.4).</summary>
    public static void Record(ref CpuState s, ulong bits)
    {
        s.Sys.Dr6 = (s.Sys.Dr6 & ~HitMask | bits & (HitMask | DetectBit | StepBit | TaskBit)) | Dr6Fixed;
        s.Sys.Dr7 &= ~GeneralDetect;
    }

    public static void MovFrom(ref CpuState s, ref Op op, Processor p) => Offer(ref s, ref op, p, CpuEventKind.DrRead);

    public static void MovTo(ref CpuState s, ref Op op, Processor p) => Offer(ref s, ref op, p, CpuEventKind.DrWrite);

    /// <summary>The native effect of DrRead.</summary>
    public static bool TryRead(ref CpuState s, Processor p, in CpuEvent e)
    {
        if (!TryAccess(ref s))
            return false;
        OpAccess.SetNumbered(ref s, e.Register, Modes.Is64(ref s) ? 8 : 4, Value(ref s, (int)e.Index));
        p.Retire();
        return true;
    }

    /// <summary>The native effect of DrWrite: reserved upper halves of DR6 and DR7 are #GP(0), other fixed bits are ignored.</summary>
    public static bool TryWrite(ref CpuState s, Processor p, in CpuEvent e)
    {
        if (!TryAccess(ref s))
            return false;
        ulong value = e.Value;
        int number = Alias((int)e.Index);
        if (number >= 6 && value >> 32 != 0)
            return Faults.GeneralProtection(ref s);
        switch (number)
        {
            case 0: s.Sys.Dr0 = value; break;
            case 1: s.Sys.Dr1 = value; break;
            case 2: s.Sys.Dr2 = value; break;
            case 3: s.Sys.Dr3 = value; break;
            case 6: s.Sys.Dr6 = value & Dr6Writable | Dr6Fixed; break;
            default: s.Sys.Dr7 = Dr7(value); break;
        }

        p.Retire();
        // Breakpoints decide whether the loop steps, and which pages the translation cache may serve.
        p.FlushTlb(false);
        return true;
    }

    /// <summary>DR7 with its fixed bits.</summary>
    public static ulong Dr7(ulong value) => value & Dr7Writable | Dr7Fixed;

    /// <summary>DR6 with its fixed bits.</summary>
    public static ulong Dr6(ulong value) => value & Dr6Writable | Dr6Fixed;

    /// <summary>#UD and CPL come before an exit; DR7.GD after it.</summary>
    private static void Offer(ref CpuState s, ref Op op, Processor p, CpuEventKind kind)
    {
        Faults.Begin(ref s, ref op);
        int number = OpAccess.Number(ref op);
        bool alias = number is 4 or 5;
        if (number > 7 || (alias && (s.Sys.Cr4 & ControlBits.De) != 0))
        {
            Faults.Undefined(ref s);
            return;
        }

        if (s.Sys.Cpl != 0)
        {
            Faults.GeneralProtection(ref s);
            return;
        }

        ulong value = OpAccess.Register(ref s, op.Rm);
        p.Leave(ref s, ref op, kind);
        p.Event.Index = (uint)number;
        p.Event.Register = (byte)(op.Rm >> 3);
        p.Event.Value = Modes.Is64(ref s) ? value : (uint)value;
    }

    /// <summary>General detect: any use of a debug register is a fault, with BD set (SDM 3B 18.3.1.3).</summary>
    private static bool TryAccess(ref CpuState s)
    {
        if ((s.Sys.Dr7 & GeneralDetect) == 0)
            return true;
        return DebugTraps.Raise(ref s, DetectBit);
    }

    /// <summary>DR4 and DR5 are DR6 and DR7 while CR4.DE is clear.</summary>
    private static int Alias(int number) => number is 4 or 5 ? number + 2 : number;

    private static ulong Value(ref CpuState s, int number) => Alias(number) switch
    {
        0 => s.Sys.Dr0,
        1 => s.Sys.Dr1,
        2 => s.Sys.Dr2,
        3 => s.Sys.Dr3,
        6 => s.Sys.Dr6,
        _ => s.Sys.Dr7,
    };
}
