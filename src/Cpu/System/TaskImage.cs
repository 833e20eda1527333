using System.Runtime.CompilerServices;
using Hv.Core.Registers;
using Hv.Cpu.State;

namespace Hv.Cpu.System;

/// <summary>The dynamic part of a TSS, read once into a copy (SDM 3A 8.2.1 for the 32-bit layout, 8.6 for the 16-bit one).</summary>
internal struct TaskImage
{
    public uint Cr3, Eip, Eflags;
    public Eight General;

    /// <summary>ES CS SS DS FS GS, as in the segment encoding.</summary>
    public Eight Selectors;
    public ushort Ldt;

    /// <summary>The T bit: #DB when this task is entered.</summary>
    public bool Trap;

    [InlineArray(8)]
    public struct Eight
    {
        private uint _value;
    }

    /// <summary>The lowest limit that holds all fields (SDM 3A 8.2.2, 8.6).</summary>
    public static uint MinimumLimit(bool wide) => wide ? 0x67u : 0x2Bu;

    /// <summary>Reads the incoming task.</summary>
    public static bool TryRead(ref CpuState s, Processor p, ulong tss, bool wide, out TaskImage image)
    {
        image = default;
        uint step = wide ? 4u : 2u;
        uint at = wide ? 0x20u : 0x0E;
        ulong value = 0;
        if (wide && !p.TryReadSystem(ref s, (uint)(tss + 0x1C), 4, out value))
            return false;
        image.Cr3 = (uint)value;
        if (!Next(ref s, p, tss, ref at, step, out image.Eip) || !Next(ref s, p, tss, ref at, step, out image.Eflags))
            return false;
        for (int i = 0; i < 8; i++)
        {
            if (!Next(ref s, p, tss, ref at, step, out uint register))
                return false;
            // A 16-bit TSS leaves the upper halves undefined; ones, as 80386 successors load them.
            image.General[i] = wide ? register : register | 0xFFFF_0000;
        }

        for (int i = 0; i < (wide ? 6 : 4); i++)
        {
            if (!Next(ref s, p, tss, ref at, step, out uint selector))
                return false;
            image.Selectors[i] = selector & 0xFFFF;
        }

        if (!Next(ref s, p, tss, ref at, step, out uint ldt) || (wide && !p.TryReadSystem(ref s, (uint)(tss + at), 2, out value)))
            return false;
        image.Ldt = (ushort)ldt;
        image.Trap = wide && (value & 1) != 0;
        return true;
    }

    /// <summary>Saves the outgoing task, after probing all of it.</summary>
    public static bool TrySave(ref CpuState s, Processor p, ulong rip, ulong flags)
    {
        bool wide = TaskState.Is32(ref s);
        int step = wide ? 4 : 2;
        uint at = wide ? 0x20u : 0x0E;
        int fields = wide ? 16 : 14;
        if (s.Sys.Tr.Limit < at + (uint)(fields * step) - 1)
            return Faults.Raise(ref s, ExceptionVector.InvalidTss, s.Sys.Tr.Selector);
        for (int i = 0; i < fields; i++)
        {
            if (!p.TryProbeWrite(ref s, (uint)(s.Sys.Tr.Base + at + (uint)(i * step)), step, 0))
                return false;
        }

        for (int i = 0; i < fields; i++)
        {
            ulong value = i switch
            {
                0 => rip,
                1 => flags,
                < 10 => s.Gpr[i - 2],
                _ => Segments.Register(ref s, (SegmentNumber)(i - 10)).Selector,
            };

            // The words above the selectors are reserved and stay as they are (SDM 3A figure 8-2).
            int size = i < 10 ? step : 2;
            if (!p.TryWriteSystem(ref s, (uint)(s.Sys.Tr.Base + at + (uint)(i * step)), size, value & OpAccess.Mask(size)))
                return false;
        }

        return true;
    }

    /// <summary>Puts the general registers, RIP and RFLAGS of the incoming task in force.</summary>
    public readonly void Load(ref CpuState s, ulong flags)
    {
        for (int i = 0; i < 8; i++)
            s.Gpr[i] = General[i];
        s.Gpr.Rip = Eip;
        s.Gpr.Rflags = flags & Rflags.Defined | Rflags.Fixed;
    }

    private static bool Next(ref CpuState s, Processor p, ulong tss, ref uint at, uint step, out uint value)
    {
        bool ok = p.TryReadSystem(ref s, (uint)(tss + at), (int)step, out ulong wide);
        value = (uint)wide;
        at += step;
        return ok;
    }
}
