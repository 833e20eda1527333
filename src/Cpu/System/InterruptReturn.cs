using Hv.Core.Registers;
using Hv.Cpu.State;
using Hv.Cpu.Virtualization;

namespace Hv.Cpu.System;

/// <summary>IRET in all its forms (SDM 2A IRET/IRETD/IRETQ; SDM 3B 21.2.4 for virtual-8086).</summary>
internal static class InterruptReturn
{
    private const ulong RealKept = Rflags.Vm | Rflags.Vif | Rflags.Vip;

    public static void Execute(ref CpuState s, Processor p, in CpuEvent e)
    {
        // NMIs are unblocked even if the IRET faults (SDM 3A 6.7.1; the handler's own fault must not leave them blocked for ever).
        s.Sys.Shadow &= ~InterruptShadow.NmiBlocked;
        int size = e.Size;
        if (Modes.IsVm86(ref s) && Modes.Iopl(ref s) != 3)
        {
            Faults.GeneralProtection(ref s);
            return;
        }

        if (Modes.IsProtected(ref s) && (s.Gpr.Rflags & Rflags.Nt) != 0)
        {
            if (Modes.IsLong(ref s))
                Faults.GeneralProtection(ref s);
            else
                TaskTransfer.TryFromReturn(ref s, p, in e);
            return;
        }

        if (!Stacks.TryPeek(ref s, p, 0, size, out ulong rip) || !Stacks.TryPeek(ref s, p, (uint)size, size, out ulong cs)
            || !Stacks.TryPeek(ref s, p, 2 * (uint)size, size, out ulong flags))
            return;
        bool toVm86 = (flags & Rflags.Vm) != 0 && size == 4 && s.Sys.Cpl == 0 && !Modes.IsLong(ref s);
        bool done = !Modes.IsProtected(ref s) ? TryFlat(ref s, p, size, rip, (ushort)cs, flags)
            : toVm86 ? TryToVm86(ref s, p, rip, (ushort)cs, flags) : TryProtected(ref s, p, size, rip, (ushort)cs, flags);
        if (done)
            p.RetireJump();
    }

    private static bool TryFlat(ref CpuState s, Processor p, int size, ulong rip, ushort cs, ulong flags)
    {
        ulong kept = RealKept;
        if (Modes.IsVm86(ref s))
            kept |= Rflags.Iopl;
        if (!CodeTransfer.TryCommitFlat(ref s, p, cs, rip))
            return false;
        s.Gpr.Rsp = Stacks.Moved(ref s, 3 * (uint)size);
        FlagWrite.Apply(ref s, p, flags, Rflags.Defined & ~kept & OpAccess.Mask(size));
        return true;
    }

    /// <summary>Enters virtual-8086 mode with the nine-slot frame that an interrupt from it left.</summary>
    private static bool TryToVm86(ref CpuState s, Processor p, ulong rip, ushort cs, ulong flags)
    {
        Span<ulong> frame = stackalloc ulong[6]; // ESP SS ES DS FS GS
        for (int i = 0; i < frame.Length; i++)
        {
            if (!Stacks.TryPeek(ref s, p, 4 * (uint)(3 + i), 4, out frame[i]))
                return false;
        }

        if (rip > 0xFFFF)
            return Faults.GeneralProtection(ref s);
        s.Gpr.Rflags = flags & Rflags.Defined | Rflags.Fixed;
        s.Gpr.Rsp = frame[0];
        s.Gpr.Rip = rip;
        Segments.LoadVm86(ref s.Sys.Cs, cs);
        Segments.LoadVm86(ref s.Sys.Ss, (ushort)frame[1]);
        Segments.LoadVm86(ref s.Sys.Es, (ushort)frame[2]);
        Segments.LoadVm86(ref s.Sys.Ds, (ushort)frame[3]);
        Segments.LoadVm86(ref s.Sys.Fs, (ushort)frame[4]);
        Segments.LoadVm86(ref s.Sys.Gs, (ushort)frame[5]);
        s.Sys.Cpl = 3;
        p.ModeChanged(ref s);
        return true;
    }

    private static bool TryProtected(ref CpuState s, Processor p, int size, ulong rip, ushort cs, ulong flags)
    {
        if (!FarReturn.TryCheckCode(ref s, p, cs, rip, out Descriptor code))
            return false;
        int cpl = cs & 3;
        ulong mask = FlagWrite.ReturnMask(ref s, size);

        // 64-bit mode pops SS:RSP even at the same level (SDM 3A 6.14.3).
        bool outer = cpl != s.Sys.Cpl;
        if (!outer && !Modes.Is64(ref s))
        {
            s.Gpr.Rsp = Stacks.Moved(ref s, 3 * (uint)size);
        }
        else
        {
            if (!Stacks.TryPeek(ref s, p, 3 * (uint)size, size, out ulong pointer) || !Stacks.TryPeek(ref s, p, 4 * (uint)size, size, out ulong ss)
                || !FarReturn.TryCheckStack(ref s, p, (ushort)ss, cpl, in code, out SegmentRegister stack))
                return false;
            s.Gpr.Rsp = FarReturn.OuterPointer(ref s, in stack, in code, pointer);
            s.Sys.Ss = stack;
        }

        CodeTransfer.Commit(ref s, p, cs, in code, cpl, rip);
        if (outer)
            SegmentLoad.DropInner(ref s);
        FlagWrite.Apply(ref s, p, flags, mask);
        return true;
    }
}
