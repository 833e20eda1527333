using System.Runtime.CompilerServices;
using Hv.Core.Exits;
using Hv.Core.Registers;
using Hv.Cpu.Decode;
using Hv.Cpu.Execute;
using Hv.Cpu.State;
using Hv.Cpu.Virtualization;

namespace Hv.Cpu.System;

/// <summary>IN, OUT, INS, OUTS up to their event, and INS and OUTS again once the device has answered (SDM 2A IN, INS; SDM 2B OUT, OUTS).</summary>
// SAFETY: only takes the addresses of static methods that have the handlers' signature.
internal static unsafe class PortInstructions
{
    /// <summary>The handler of IN or OUT.</summary>
    public static nint Bind(ref Op op)
    {
        bool immediate = op.Shape == OpShape.Imm;
        // SAFETY: addresses of static methods with the handlers' one signature, called through that signature only (Execute/Threading.cs).
        delegate*<ref CpuState, ref Op, Processor, void> handler = (op.Kind, op.SizeLog2) switch
        {
            (OpKind.In, 0) => immediate ? &In<W8, NumberedPort> : &In<W8, PortInDx>,
            (OpKind.In, 1) => immediate ? &In<W16, NumberedPort> : &In<W16, PortInDx>,
            (OpKind.In, _) => immediate ? &In<W32, NumberedPort> : &In<W32, PortInDx>,
            (_, 0) => immediate ? &Out<W8, NumberedPort> : &Out<W8, PortInDx>,
            (_, 1) => immediate ? &Out<W16, NumberedPort> : &Out<W16, PortInDx>,
            _ => immediate ? &Out<W32, NumberedPort> : &Out<W32, PortInDx>,
        };
        return (nint)handler;
    }

    [MethodImpl(Threading.Handler)]
    private static void In<TW, TPort>(ref CpuState s, ref Op op, Processor p) where TW : struct, IWidth where TPort : struct, IPortNumber
    {
        Offer<TPort>(ref s, ref op, p, new PortIoExit(TPort.Of(ref s, ref op), (byte)(TW.Bits / 8), false, 0, false));
    }

    [MethodImpl(Threading.Handler)]
    private static void Out<TW, TPort>(ref CpuState s, ref Op op, Processor p) where TW : struct, IWidth where TPort : struct, IPortNumber
    {
        var value = (uint)TW.Get(ref s, Registers.Rax);
        Offer<TPort>(ref s, ref op, p, new PortIoExit(TPort.Of(ref s, ref op), (byte)(TW.Bits / 8), true, value, false));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Offer<TPort>(ref CpuState s, ref Op op, Processor p, PortIoExit port) where TPort : struct, IPortNumber
    {
        if (PortPermission.IsByLevel(ref s))
            Raise<TPort>(ref s, ref op, p, port);
        else
            RaiseByMap<TPort>(ref s, ref op, p, port);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Raise<TPort>(ref CpuState s, ref Op op, Processor p, PortIoExit port) where TPort : struct, IPortNumber
    {
        p.Describe(ref s, ref op, CpuEventKind.PortIo);
        p.Event.Port = port;
        p.Event.IsImmediate = TPort.IsImmediate;
        Threading.Answer(ref s, ref op, p);
    }

    [MethodImpl(Threading.Handler | MethodImplOptions.NoInlining)]
    private static void RaiseByMap<TPort>(ref CpuState s, ref Op op, Processor p, PortIoExit port) where TPort : struct, IPortNumber
    {
        Faults.Begin(ref s, ref op);
        if (PortPermission.TryCheck(ref s, p, port.Port, port.Size))
            Raise<TPort>(ref s, ref op, p, port);
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
        p.Event.Port = new PortIoExit((ushort)s.Gpr.Rdx, (byte)OpAccess.Size(ref op), write, (uint)value, true);
        p.Event.AddressSize = (byte)OpAccess.AddressSize(ref op);
        p.Event.Segment = (byte)segment;
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

    /// <summary>Where the number of a port is.</summary>
    private interface IPortNumber
    {
        static abstract bool IsImmediate { get; }

        static abstract ushort Of(ref CpuState s, ref Op op);
    }

    private readonly struct NumberedPort : IPortNumber
    {
        public static bool IsImmediate => true;

        public static ushort Of(ref CpuState s, ref Op op) => (byte)op.Immediate;
    }

    private readonly struct PortInDx : IPortNumber
    {
        public static bool IsImmediate => false;

        public static ushort Of(ref CpuState s, ref Op op) => (ushort)s.Gpr.Rdx;
    }
}
