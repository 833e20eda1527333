using System.Runtime.CompilerServices;
using Hv.Core.Exits;
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
        Put(p, value);
        p.Retire();
    }

    /// <summary>As <see cref="Complete"/>, without <see cref="Processor.Retire"/>, which must follow.</summary>
    /// <param name="p">The processor.</param>
    /// <param name="value">What the device gave; ignored for a write.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Put(Processor p, ulong value)
    {
        PortIoExit port = p.Event.Port;
        ref CpuState s = ref p.State;
        if (!port.IsWrite)
        {
            s.Gpr.Rax = port.Size switch
            {
                1 => s.Gpr.Rax & ~0xFFUL | value & 0xFF,
                2 => s.Gpr.Rax & ~0xFFFFUL | value & 0xFFFF,
                _ => (uint)value,
            };
        }

        DebugTraps.PortAccess(ref s, port.Port, port.Size);
    }
}
