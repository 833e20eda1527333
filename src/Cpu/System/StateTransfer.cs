using Hv.Core.Registers;
using Hv.Cpu.State;

namespace Hv.Cpu.System;

/// <summary>
/// The processor's state to and from Core's neutral form. A state that a guest could have reached comes back bit for bit. Any other is first made one
/// that the processor
/// can run: what it relies on (LMA as PE, PG and LME say, CPL, reserved bits, canonical bases) is forced.
/// </summary>
public static class StateTransfer
{
    private const uint SegmentAttributes = 0xF0FF | SegmentRegister.UnusableBit;
    private const ulong Cr0Defined = 0xE005_003F;

    /// <summary>Saves everything. Registers that another backend left in <see cref="VcpuState.Msrs"/> stay.</summary>
    public static void Save(Processor p, VcpuState state)
    {
        ref CpuState s = ref p.State;
        state.General = p.ExactRegisters;
        state.System = s.Sys;
        state.System.Tsc = TimeStamp.Read(p);
        FpuImage.SaveArea(in s.Fpu, state.Extended);
        state.Pending = Pending(p);
        state.Random = p.Random;
        foreach (uint index in ModelSpecificRegisters.KeptIndexes)
        {
            ModelSpecificRegisters.TryRead(ref s, p, index, out ulong value);
            state.Msrs[index] = value;
        }
    }

    /// <summary>Loads everything, from any values.</summary>
    public static void Load(Processor p, VcpuState state)
    {
        ref CpuState s = ref p.State;
        s.Gpr = state.General;
        s.Sys = state.System;
        Sanitize(ref s);
        FpuImage.LoadArea(ref s.Fpu, state.Extended);
        // A state from a backend without the sequence does not say where it stands, and xorshift has no state 0.
        if (state.Random != 0)
            p.Random = state.Random;
        s.Delivery = default;
        p.ForgetEvent();
        p.Deliver(Known(state.Pending), 0);
        s.PendingDebug = 0;
        s.Attention = Attention.None;
        s.Fault = default;
        TimeStamp.Write(p, state.System.Tsc);
        foreach (uint index in ModelSpecificRegisters.KeptIndexes)
        {
            if (state.Msrs.TryGetValue(index, out ulong value))
                ModelSpecificRegisters.TryWrite(ref s, p, index, value);
        }

        FlagWrite.Write(ref s, p, s.Gpr.Rflags);
        p.FlushTlb(false);
        p.ModeChanged(ref s);
    }

    private static void Sanitize(ref CpuState s)
    {
        ref SystemRegisters y = ref s.Sys;
        y.Cr0 &= Cr0Defined;
        if ((y.Cr0 & ControlBits.Pe) == 0)
            y.Cr0 &= ~ControlBits.Pg;
        bool lma = (y.Cr0 & ControlBits.Pg) != 0 && (y.Efer & ControlBits.Lme) != 0;
        y.Efer = lma ? y.Efer | ControlBits.Lma : y.Efer & ~ControlBits.Lma;
        if (lma)
        {
            y.Cr4 |= ControlBits.Pae;
            s.Gpr.Rflags &= ~Rflags.Vm;
        }

        y.Cr8 &= 15;
        y.Xcr0 |= 1;
        y.Dr6 = DebugRegisters.Dr6(y.Dr6);
        y.Dr7 = DebugRegisters.Dr7(y.Dr7);
        bool vm86 = (s.Gpr.Rflags & Rflags.Vm) != 0 && (y.Cr0 & ControlBits.Pe) != 0;
        y.Cpl = (byte)((y.Cr0 & ControlBits.Pe) == 0 ? 0 : vm86 ? 3 : y.Cpl & 3);
        y.Shadow &= InterruptShadow.Sti | InterruptShadow.MovSs | InterruptShadow.NmiBlocked;
        if (y.Activity > ActivityState.WaitForStart)
            y.Activity = ActivityState.Shutdown;
        for (int i = 0; i < 6; i++)
            Sanitize(ref Segments.Register(ref s, (SegmentNumber)i), lma);
        Sanitize(ref y.Ldtr, lma);
        Sanitize(ref y.Tr, lma);
        y.Gdtr.Base = Base(y.Gdtr.Base, lma);
        y.Idtr.Base = Base(y.Idtr.Base, lma);
        y.KernelGsBase = Base(y.KernelGsBase, true);
    }

    private static void Sanitize(ref SegmentRegister segment, bool lma)
    {
        segment.Attributes &= SegmentAttributes;
        segment.Base = Base(segment.Base, lma);
    }

    /// <summary>A base that linear-address arithmetic expects: canonical in IA-32e mode, 32 bits wide outside it.</summary>
    private static ulong Base(ulong value, bool lma) => lma ? (ulong)((long)(value << 16) >> 16) : (uint)value;

    /// <summary>Kinds that can wait without an instruction.</summary>
    private static PendingEvent Known(PendingEvent e) =>
        e.Kind is PendingEventKind.Interrupt or PendingEventKind.Nmi or PendingEventKind.Exception ? e : default;

    /// <summary>Software interrupts and exceptions happen again by executing their instruction, which RIP is still on.</summary>
    private static PendingEvent Pending(Processor p) =>
        p.PendingLength == 0 && p.Pending.Kind != PendingEventKind.SoftwareInterrupt ? p.Pending : default;
}
