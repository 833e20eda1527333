using System.Runtime.CompilerServices;
using Hv.Core.Registers;
using Hv.Cpu.Decode;
using Hv.Cpu.State;
using Hv.Cpu.Virtualization;

namespace Hv.Cpu.System;

/// <summary>IN, OUT, INS, OUTS up to their event, and INS and OUTS again once the device has answered (SDM 2A IN, INS; SDM 2B OUT, OUTS).</summary>
internal static class PortInstructions
{
    public static void In(ref CpuState s, ref Op op, Processor p) => Single(ref s, ref op, p, false);

    public static void Out(ref CpuState s, ref Op op, Processor p) => Single(ref s, ref op, p, true);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Single(ref CpuState s, ref Op op, Processor p, bool write)
    {
        bool immediate = op.Shape == OpShape.Imm;
        var port = (ushort)(immediate ? op.Immediate : s.Gpr.Rdx);
        int size = OpAccess.Size(ref op);
        if (!PortPermission.IsByLevel(ref s) && !TryMap(ref s, ref op, p, port, size))
            return;
        p.Leave(ref s, ref op, CpuEventKind.PortIo);
        p.Event.Index = port;
        p.Event.Size = (byte)size;
        p.Event.IsWrite = write;
        p.Event.IsImmediate = immediate;
        p.Event.Value = write ? s.Gpr.Rax & OpAccess.Mask(size) : 0;
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static bool TryMap(ref CpuState s, ref Op op, Processor p, ushort port, int size)
    {
        Faults.Begin(ref s, ref op);
        return PortPermission.TryCheck(ref s, p, port, size);
    }

    public static void Ins(ref CpuState s, ref Op op, Processor p)
    {
        if (!TryBeginString(ref s, ref op, p))
            return;
        int size = OpAccess.Size(ref op);
        ulong offset = s.Gpr.Rdi & OpAccess.AddressMask(ref op);
        // The destination must be writable before the device is asked, or its data would be lost. In 64-bit code ES has no base or limit.
        SegmentNumber segment = Modes.Is64(ref s) ? SegmentNumber.Flat : SegmentNumber.Es;
        if (!p.TryAddress(ref s, segment, offset, size, true, out ulong linear)
            || !p.TryProbeWrite(ref s, linear, size, s.Sys.Cpl))
            return;
        ulong value = 0;
        if (!p.TryReplay(ref value))
            Offer(ref s, ref op, p, false, segment, linear, 0);
        else if (p.TryWrite(ref s, segment, offset, size, value & OpAccess.Mask(size)))
            Step(ref s, ref op, p, 7);
    }

    public static void Outs(ref CpuState s, ref Op op, Processor p)
    {
        if (!TryBeginString(ref s, ref op, p))
            return;
        int size = OpAccess.Size(ref op);
        ulong offset = s.Gpr.Rsi & OpAccess.AddressMask(ref op);
        var segment = (SegmentNumber)op.Segment;
        if (!p.TryRead(ref s, segment, offset, size, out ulong value))
            return;
        ulong answered = 0;
        if (!p.TryReplay(ref answered))
            Offer(ref s, ref op, p, true, segment, OperandEvents.Linear(ref s, segment, offset), value);
        else
            Step(ref s, ref op, p, 6);
    }

    /// <summary>Permission, and REP with a count of 0, which does nothing.</summary>
    private static bool TryBeginString(ref CpuState s, ref Op op, Processor p)
    {
        Faults.Begin(ref s, ref op);
        if (!PortPermission.TryCheck(ref s, p, (ushort)s.Gpr.Rdx, OpAccess.Size(ref op)))
            return false;
        if (!IsRepeated(ref op) || (s.Gpr.Rcx & OpAccess.AddressMask(ref op)) != 0)
            return true;
        p.Finish(ref s, ref op);
        return false;
    }

    private static void Offer(ref CpuState s, ref Op op, Processor p, bool write, SegmentNumber segment, ulong linear, ulong value)
    {
        p.Leave(ref s, ref op, CpuEventKind.StringIo);
        p.Event.Index = (ushort)s.Gpr.Rdx;
        p.Event.Size = (byte)OpAccess.Size(ref op);
        p.Event.AddressSize = (byte)OpAccess.AddressSize(ref op);
        p.Event.Segment = (byte)segment;
        p.Event.IsWrite = write;
        p.Event.IsRep = IsRepeated(ref op);
        p.Event.Address = linear;
        p.Event.Value = value;
    }

    /// <summary>Moves RSI (6) or RDI (7) by one element in the direction of DF, counts RCX down, and stays on the instruction while elements
    /// remain.</summary>
    private static void Step(ref CpuState s, ref Op op, Processor p, int index)
    {
        int size = OpAccess.Size(ref op), width = OpAccess.AddressSize(ref op);
        DebugTraps.PortAccess(ref s, (ushort)s.Gpr.Rdx, size);
        ulong delta = (s.Gpr.Rflags & Rflags.Df) != 0 ? (ulong)-size : (ulong)size;
        OpAccess.SetNumbered(ref s, index, width, s.Gpr[index] + delta);
        if (IsRepeated(ref op))
        {
            ulong count = (s.Gpr.Rcx - 1) & OpAccess.Mask(width);
            OpAccess.SetNumbered(ref s, 1, width, count);
            if (count != 0)
                return;
        }

        p.Finish(ref s, ref op);
    }

    private static bool IsRepeated(ref Op op) => (op.Form & (OpForm.Rep | OpForm.Repne)) != 0;
}
