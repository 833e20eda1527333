using System.Runtime.CompilerServices;
using Hv.Core.Registers;
using Hv.Cpu.State;

namespace Hv.Cpu.System;

/// <summary>
/// Debug conditions around an instruction: breakpoints before it, data and I/O hits during it, the single-step trap after it (SDM 3B 18.3.1). The run
/// loop calls
/// these only while <see cref="Stepping"/> holds, one instruction at a time.
/// </summary>
internal static class DebugTraps
{
    private const ulong EnableMask = 0xFF;
    private const int Execute = 0, Write = 1, Io = 2, ReadWrite = 3;

    /// <summary>Whether the next instruction needs care: TF, RF, an armed breakpoint, or a one-instruction shadow.</summary>
    public static bool Stepping(ref CpuState s) => StepReasons(ref s) != 0;

    /// <summary>The reasons for <see cref="Stepping"/>, as bits that mean nothing else.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static uint StepReasons(ref CpuState s) => (uint)(s.Gpr.Rflags & (Rflags.Tf | Rflags.Rf)) | (uint)(s.Sys.Dr7 & EnableMask)
        | (uint)(s.Sys.Shadow & (InterruptShadow.Sti | InterruptShadow.MovSs));

    /// <summary>Whether <see cref="AfterInstruction"/> has a trap to make, where RFLAGS is what it was before the instruction.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool IsDue(ref CpuState s) => (s.PendingDebug | s.Gpr.Rflags & Rflags.Tf) != 0;

    /// <summary>Whether memory accesses must be reported through <see cref="Access"/>.</summary>
    public static bool WatchesData(ref CpuState s)
    {
        if ((s.Sys.Dr7 & EnableMask) == 0)
            return false;
        for (int i = 0; i < 4; i++)
        {
            if (IsEnabled(ref s, i) && Kind(ref s, i) is Write or ReadWrite)
                return true;
        }

        return false;
    }

    /// <summary>
    /// Instruction breakpoints at CS:RIP, unless RF or a MOV SS shadow holds them off. RF serves this one instruction: a fault of it saves RF set
    /// anyway, so that it may be
    /// cleared here. False: the #DB fault is recorded.
    /// </summary>
    public static bool BeforeInstruction(ref CpuState s)
    {
        bool afterMovSs = (s.Sys.Shadow & InterruptShadow.MovSs) != 0, held = (s.Gpr.Rflags & Rflags.Rf) != 0 || afterMovSs;
        s.Gpr.Rflags &= ~Rflags.Rf;
        if (!afterMovSs)
            s.PendingDebug = 0;
        if (held || (s.Sys.Dr7 & EnableMask) == 0)
            return true;
        ulong linear = Modes.Is64(ref s) ? s.Gpr.Rip : (uint)(s.Sys.Cs.Base + s.Gpr.Rip);
        ulong hits = 0;
        for (int i = 0; i < 4; i++)
        {
            if (IsEnabled(ref s, i) && Kind(ref s, i) == Execute && Address(ref s, i) == linear)
                hits |= 1UL << i;
        }

        return hits == 0 || Raise(ref s, hits);
    }

    /// <summary>A data access of <paramref name="size"/> bytes: collects the breakpoints that it touches.</summary>
    public static void Access(ref CpuState s, ulong linear, int size, bool isWrite)
    {
        if ((s.Sys.Dr7 & EnableMask) == 0)
            return;
        for (int i = 0; i < 4; i++)
        {
            int kind = Kind(ref s, i);
            if (IsEnabled(ref s, i) && (kind == ReadWrite || (kind == Write && isWrite)) && Overlaps(ref s, i, linear, size))
                s.PendingDebug |= 1UL << i;
        }
    }

    /// <summary>A port access; the kind exists only under CR4.DE.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void PortAccess(ref CpuState s, ushort port, int size)
    {
        if ((s.Sys.Dr7 & EnableMask) != 0 && (s.Sys.Cr4 & ControlBits.De) != 0)
            CollectPort(ref s, port, size);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void CollectPort(ref CpuState s, ushort port, int size)
    {
        for (int i = 0; i < 4; i++)
        {
            if (IsEnabled(ref s, i) && Kind(ref s, i) == Io && Overlaps(ref s, i, port, size))
                s.PendingDebug |= 1UL << i;
        }
    }

    /// <summary>
    /// After an instruction that completed without delivering anything: the shadow that it ran under ends, and TF as it was before it, or collected
    /// hits, make a #DB
    /// trap. A MOV SS keeps the trap for the end of the next instruction (SDM 3A 6.8.3).
    /// </summary>
    /// <param name="s">The state.</param>
    /// <param name="flagsBefore">RFLAGS before the instruction.</param>
    /// <param name="shadowBefore">The shadow before it.</param>
    public static void AfterInstruction(ref CpuState s, ulong flagsBefore, InterruptShadow shadowBefore)
    {
        s.Sys.Shadow &= ~(shadowBefore & (InterruptShadow.Sti | InterruptShadow.MovSs));
        ulong hits = s.PendingDebug | ((flagsBefore & Rflags.Tf) != 0 ? DebugRegisters.StepBit : 0);
        if (hits == 0 || (s.Sys.Shadow & InterruptShadow.MovSs) != 0)
            return;
        s.PendingDebug = 0;
        Raise(ref s, hits);
    }

    /// <summary>Records a #DB with its DR6 bits.</summary>
    public static bool Raise(ref CpuState s, ulong hits)
    {
        s.Fault = new FaultRecord { Vector = ExceptionVector.Debug, Address = hits };
        s.Attention |= Attention.Fault;
        return false;
    }

    /// <summary>Local or global enable.</summary>
    private static bool IsEnabled(ref CpuState s, int index) => (s.Sys.Dr7 >> (2 * index) & 3) != 0;

    private static int Kind(ref CpuState s, int index) => (int)(s.Sys.Dr7 >> (16 + 4 * index)) & 3;

    /// <summary>LEN: 1, 2, 8, 4 bytes (SDM 3B 18.2.4); the address is aligned down to it.</summary>
    private static bool Overlaps(ref CpuState s, int index, ulong linear, int size)
    {
        uint length = ((uint)(s.Sys.Dr7 >> (18 + 4 * index)) & 3) switch { 0 => 1, 1 => 2, 2 => 8, _ => 4 };
        ulong start = Address(ref s, index) & ~(ulong)(length - 1);
        return linear < start + length && start < linear + (uint)size;
    }

    private static ulong Address(ref CpuState s, int index) => index switch
    {
        0 => s.Sys.Dr0,
        1 => s.Sys.Dr1,
        2 => s.Sys.Dr2,
        _ => s.Sys.Dr3,
    };
}
