using Hv.Core.Registers;
using Hv.Cpu.Decode;
using Hv.Cpu.State;
using Hv.Cpu.Virtualization;

namespace Hv.Cpu.System;

/// <summary>Ends of port instructions: the value into AL, AX or EAX or into memory, string registers moved by one element, RIP past the instruction when it is done.</summary>
public static class PortCompletion
{
    /// <summary>Completes IN or INS with the value that the device gave. False: the write to memory faulted, and the fault is recorded.</summary>
    public static bool CompleteIn(ref CpuState s, Processor p, in CpuEvent e, ulong value)
    {
        if (e.Kind == CpuEventKind.StringIo)
        {
            Op op = Stacks.Here(ref s, (SegmentNumber)e.Segment);
            ulong offset = s.Gpr.Rdi & OpAccess.Mask(e.AddressSize);
            if (!p.TryWrite(ref s, ref op, (SegmentNumber)e.Segment, offset, e.Size, value & OpAccess.Mask(e.Size)))
                return false;
            Step(ref s, in e, 7);
            return true;
        }

        s.Gpr.Rax = e.Size switch
        {
            1 => s.Gpr.Rax & ~0xFFUL | value & 0xFF,
            2 => s.Gpr.Rax & ~0xFFFFUL | value & 0xFFFF,
            _ => (uint)value,
        };
        RegisterCompletion.Skip(ref s, in e);
        return true;
    }

    /// <summary>Completes OUT or OUTS.</summary>
    public static void CompleteOut(ref CpuState s, in CpuEvent e)
    {
        if (e.Kind == CpuEventKind.StringIo)
            Step(ref s, in e, 6);
        else
            RegisterCompletion.Skip(ref s, in e);
    }

    /// <summary>Moves RSI (6) or RDI (7) by one element in the direction of DF, counts RCX down, and stays on the instruction while elements remain.</summary>
    private static void Step(ref CpuState s, in CpuEvent e, int index)
    {
        ulong delta = (s.Gpr.Rflags & Rflags.Df) != 0 ? (ulong)-e.Size : e.Size;
        OpAccess.SetNumbered(ref s, index, e.AddressSize, s.Gpr[index] + delta);
        if (e.IsRep)
        {
            ulong count = (s.Gpr.Rcx - 1) & OpAccess.Mask(e.AddressSize);
            OpAccess.SetNumbered(ref s, 1, e.AddressSize, count);
            if (count != 0)
                return;
        }

        RegisterCompletion.Skip(ref s, in e);
    }
}
