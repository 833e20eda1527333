using System.Runtime.CompilerServices;
using Hv.Cpu.State;

namespace Hv.Cpu.System;

/// <summary>Who may use a port: IOPL, then the I/O permission bit map of the current TSS (SDM 1 19.5.2; SDM 3A 8.2.1).</summary>
internal static class PortPermission
{
    private const uint MapBaseField = 0x66, MinimumLimit = 0x67;

    /// <summary>Whether the privilege level allows every port, so that the map does not count.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool IsByLevel(ref CpuState s) => Modes.IsReal(ref s) || (!Modes.IsVm86(ref s) && s.Sys.Cpl <= Modes.Iopl(ref s));

    /// <summary>Checks <paramref name="size"/> ports from <paramref name="port"/> on; refused is #GP(0).</summary>
    public static bool TryCheck(ref CpuState s, Processor p, ushort port, int size)
    {
        if (IsByLevel(ref s))
            return true;
        if (!TaskState.Is32(ref s) || s.Sys.Tr.Limit < MinimumLimit)
            return Faults.GeneralProtection(ref s);
        if (!TaskState.TryRead(ref s, p, MapBaseField, 2, out ulong mapBase))
            return false;

        // Two bytes are always read, so the byte after the port's own must lie within the limit too (SDM 1 19.5.2).
        uint offset = (uint)mapBase + port / 8u;
        if (offset + 1 > s.Sys.Tr.Limit)
            return Faults.GeneralProtection(ref s);
        if (!TaskState.TryRead(ref s, p, offset, 2, out ulong bits))
            return false;
        uint wanted = ((1u << size) - 1) << (port & 7);
        return (bits & wanted) == 0 || Faults.GeneralProtection(ref s);
    }
}
