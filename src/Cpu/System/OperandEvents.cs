using System.Runtime.CompilerServices;
using Hv.Core.Registers;
using Hv.Cpu.Decode;
using Hv.Cpu.State;
using Hv.Cpu.Virtualization;

namespace Hv.Cpu.System;

/// <summary>
/// Events of instructions with a ModRM operand. <c>Register</c> is the rm register's number, <c>AddressSize</c> 0 for a register operand, else the
/// bytes of the
/// address; <c>Segment</c>, <c>Address</c> (the offset) and <c>LinearAddress</c> say where a memory operand is; <c>Size</c> is the operand size in
/// bytes.
/// </summary>
internal static class OperandEvents
{
    public static void Leave(ref CpuState s, ref Op op, Processor p, CpuEventKind kind)
    {
        Describe(ref s, ref op, p, kind);
        s.Attention |= Attention.Event | Attention.Placed;
    }

    /// <summary>As <see cref="Leave"/>, for a handler that ends with <c>Threading.Answer</c>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Describe(ref CpuState s, ref Op op, Processor p, CpuEventKind kind)
    {
        p.Describe(ref s, ref op, kind);
        p.Event.Size = (byte)OpAccess.Size(ref op);
        p.Event.Register = (byte)(op.Rm >> 3);
        if (OpAccess.IsMemory(ref op))
            AddOperand(ref s, ref op, p);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void AddOperand(ref CpuState s, ref Op op, Processor p)
    {
        ulong offset = p.EffectiveAddress(ref s, ref op);
        p.Event.AddressSize = (byte)OpAccess.AddressSize(ref op);
        p.Event.Segment = op.Segment;
        p.Event.Address = offset;
        p.Event.LinearAddress = Linear(ref s, (SegmentNumber)op.Segment, offset);
    }

    /// <summary>The linear address of an offset: ES, CS, SS and DS have no base in 64-bit mode; 32 bits wide outside it (SDM 3A 3.3.1,
    /// 3.4.4).</summary>
    public static ulong Linear(ref CpuState s, SegmentNumber segment, ulong offset)
    {
        if (segment == SegmentNumber.Flat)
            return offset;
        if (!Modes.Is64(ref s))
            return (uint)(Segments.Register(ref s, segment).Base + offset);
        return segment >= SegmentNumber.Fs ? Segments.Register(ref s, segment).Base + offset : offset;
    }

    /// <summary>Reads a 16-bit operand of an event.</summary>
    public static bool TryLoad16(ref CpuState s, Processor p, in CpuEvent e, out ushort value)
    {
        ulong wide = 0;
        bool ok = true;
        if (e.AddressSize == 0)
            wide = s.Gpr[e.Register & 15];
        else
            ok = TryRead(ref s, p, in e, 0, 2, out wide);
        value = (ushort)wide;
        return ok;
    }

    /// <summary>Writes a result: operand-sized to a register, 16 bits to memory.</summary>
    public static bool TryStore(ref CpuState s, Processor p, in CpuEvent e, ulong value)
    {
        if (e.AddressSize != 0)
            return TryWrite(ref s, p, in e, 0, 2, value & 0xFFFF);
        OpAccess.SetNumbered(ref s, e.Register, e.Size, value);
        return true;
    }

    public static bool TryRead(ref CpuState s, Processor p, in CpuEvent e, int displacement, int size, out ulong value)
    {
        return p.TryRead(ref s, (SegmentNumber)e.Segment, Offset(in e, displacement), size, out value);
    }

    public static bool TryWrite(ref CpuState s, Processor p, in CpuEvent e, int displacement, int size, ulong value)
    {
        return p.TryWrite(ref s, (SegmentNumber)e.Segment, Offset(in e, displacement), size, value);
    }

    private static ulong Offset(in CpuEvent e, int displacement) => (e.Address + (uint)displacement) & OpAccess.Mask(e.AddressSize);
}
