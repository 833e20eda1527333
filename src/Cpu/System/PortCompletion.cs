using Hv.Cpu.State;
using Hv.Cpu.Virtualization;

namespace Hv.Cpu.System;

/// <summary>Ends of port instructions, after the layer or the host has answered.</summary>
public static class PortCompletion
{
    /// <summary>Completes the IN or OUT in <see cref="Processor.Event"/>. An element of INS or OUTS is completed by
    /// <see cref="Processor.CompleteDeviceAccess"/>: the instruction is executed again, so that it meets the same memory as any other
    /// access.</summary>
    /// <param name="p">The processor.</param>
    /// <param name="value">What the device gave; ignored for a write.</param>
    public static void Complete(Processor p, ulong value)
    {
        ref CpuEvent e = ref p.Event;
        ref CpuState s = ref p.State;
        if (!e.IsWrite)
        {
            s.Gpr.Rax = e.Size switch
            {
                1 => s.Gpr.Rax & ~0xFFUL | value & 0xFF,
                2 => s.Gpr.Rax & ~0xFFFFUL | value & 0xFFFF,
                _ => (uint)value,
            };
        }

        DebugTraps.PortAccess(ref s, (ushort)e.Index, e.Size);
        p.Retire();
    }
}
