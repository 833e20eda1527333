using System.Runtime.CompilerServices;
using Hv.Cpu.Decode;
using Hv.Cpu.State;

namespace Hv.Cpu.System;

/// <summary>Recording of exceptions by the system half. All return false, so that a check reads <c>return Faults.…</c>; RIP is on the instruction
/// already.</summary>
internal static class Faults
{
    /// <summary>Puts RIP on the instruction, for memory accesses and faults that do not name it. The first thing a handler does.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Begin(ref CpuState s, ref Op op) => s.Gpr.Rip = s.BlockRip + op.RipDelta;

    /// <summary>An exception without an error code.</summary>
    public static bool Raise(ref CpuState s, byte vector)
    {
        s.Fault = new FaultRecord { Vector = vector };
        s.Attention |= Attention.Fault;
        return false;
    }

    /// <summary>An exception whose error code is a selector, or 0; its RPL bits are dropped and EXT is added.</summary>
    public static bool Raise(ref CpuState s, byte vector, uint selector) => RaiseRaw(ref s, vector, (selector & 0xFFFC) | Ext(ref s));

    /// <summary>An exception whose error code names an IDT entry (SDM 3A 6.13: index * 8 + IDT bit + EXT).</summary>
    public static bool RaiseIdt(ref CpuState s, byte vector, byte entry) => RaiseRaw(ref s, vector, ((uint)entry << 3) | 2 | Ext(ref s));

    public static bool GeneralProtection(ref CpuState s, uint selector = 0) => Raise(ref s, ExceptionVector.GeneralProtection, selector);

    public static bool Undefined(ref CpuState s) => Raise(ref s, ExceptionVector.InvalidOpcode);

    /// <summary>EXT: the fault was met while delivering something other than INT n, INT3 or INTO (SDM 3A 6.13).</summary>
    private static uint Ext(ref CpuState s) =>
        s.Delivery.Kind is DeliveryKind.None or DeliveryKind.SoftwareInterrupt or DeliveryKind.SoftwareException ? 0u : 1u;

    private static bool RaiseRaw(ref CpuState s, byte vector, uint errorCode)
    {
        s.Fault = new FaultRecord { Vector = vector, HasErrorCode = true, ErrorCode = errorCode };
        s.Attention |= Attention.Fault;
        return false;
    }
}
