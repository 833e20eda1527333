using Hv.Core.Registers;
using Hv.Cpu.State;

namespace Hv.Cpu.System;

/// <summary>Whether an external event may be taken between two instructions (SDM 3A 6.8.1, 6.7.1).</summary>
public static class Interrupts
{
    /// <summary>Whether an external interrupt may be delivered now.</summary>
    public static bool CanTakeInterrupt(ref CpuState s) =>
        (s.Gpr.Rflags & Rflags.If) != 0 && (s.Sys.Shadow & (InterruptShadow.Sti | InterruptShadow.MovSs)) == 0 && IsReady(ref s);

    /// <summary>Whether an NMI may be delivered now.</summary>
    public static bool CanTakeNmi(ref CpuState s) => (s.Sys.Shadow & (InterruptShadow.NmiBlocked | InterruptShadow.MovSs)) == 0 && IsReady(ref s);

    private static bool IsReady(ref CpuState s) => s.Delivery.Kind == DeliveryKind.None && s.Sys.Activity is ActivityState.Running or ActivityState.Halted;
}
