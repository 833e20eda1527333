using System.Runtime.CompilerServices;
using Hv.Cpu.Decode;
using Hv.Cpu.State;

namespace Hv.Cpu.Execute;

/// <summary>How a memory operand's linear address is formed, as a type. A segment check that fails records the fault and gives
/// <see cref="Poison"/>, which no translation matches, so that only the slow path need ask.</summary>
internal interface IAddress
{
    /// <summary>An address that is never canonical.</summary>
    internal const ulong Poison = 0x8000_0000_0000_0000;

    static abstract ulong Linear(ref CpuState s, ref Op op, Processor p, int size, bool write);
}

/// <summary>64-bit addresses with no segment base.</summary>
internal readonly struct Flat64 : IAddress
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Linear(ref CpuState s, ref Op op, Processor p, int size, bool write) =>
        Registers.At(ref s, op.Base) + (Registers.At(ref s, op.Index) << op.Scale) + (ulong)op.Displacement;
}

/// <summary>As <see cref="Flat64"/>, without an index.</summary>
internal readonly struct Flat64Base : IAddress
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Linear(ref CpuState s, ref Op op, Processor p, int size, bool write) => Registers.At(ref s, op.Base) + (ulong)op.Displacement;
}

/// <summary>32-bit addresses in segments that span 4 GiB from 0.</summary>
internal readonly struct Flat32 : IAddress
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Linear(ref CpuState s, ref Op op, Processor p, int size, bool write) =>
        (uint)(Registers.At(ref s, op.Base) + (Registers.At(ref s, op.Index) << op.Scale) + (ulong)op.Displacement);
}

/// <summary>Every other form: 16-bit addresses, segment bases, limits.</summary>
internal readonly struct Segmented : IAddress
{
    public static ulong Linear(ref CpuState s, ref Op op, Processor p, int size, bool write) =>
        p.LinearOrPoison(ref s, ref op, (SegmentNumber)op.Segment, p.EffectiveAddress(ref s, ref op), size, write);
}

/// <summary>The stack pointer's width and segment, as a type.</summary>
internal interface IStack
{
    static abstract ulong Pointer(ref CpuState s);
    static abstract void SetPointer(ref CpuState s, ulong value);

    /// <summary>Brings an offset into the pointer's range.</summary>
    static abstract ulong Wrap(ulong offset);
    static abstract ulong Linear(ref CpuState s, ref Op op, Processor p, ulong offset, int size, bool write);
}

internal readonly struct Stack64 : IStack
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static ulong Pointer(ref CpuState s) => s.Gpr.Rsp;
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static void SetPointer(ref CpuState s, ulong value) => s.Gpr.Rsp = value;
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static ulong Wrap(ulong offset) => offset;
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Linear(ref CpuState s, ref Op op, Processor p, ulong offset, int size, bool write) => offset;
}

/// <summary>ESP in a stack segment that spans 4 GiB from 0.</summary>
internal readonly struct Stack32 : IStack
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static ulong Pointer(ref CpuState s) => (uint)s.Gpr.Rsp;
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static void SetPointer(ref CpuState s, ulong value) => s.Gpr.Rsp = (uint)value;
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static ulong Wrap(ulong offset) => (uint)offset;
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Linear(ref CpuState s, ref Op op, Processor p, ulong offset, int size, bool write) => offset;
}

/// <summary>SP or ESP in any other stack segment.</summary>
internal readonly struct StackSegmented32 : IStack
{
    public static ulong Pointer(ref CpuState s) => (uint)s.Gpr.Rsp;
    public static void SetPointer(ref CpuState s, ulong value) => s.Gpr.Rsp = (uint)value;
    public static ulong Wrap(ulong offset) => (uint)offset;

    public static ulong Linear(ref CpuState s, ref Op op, Processor p, ulong offset, int size, bool write) =>
        p.LinearOrPoison(ref s, ref op, SegmentNumber.Ss, offset, size, write);
}

/// <summary>SP in a 16-bit stack segment.</summary>
internal readonly struct Stack16 : IStack
{
    public static ulong Pointer(ref CpuState s) => (ushort)s.Gpr.Rsp;
    public static void SetPointer(ref CpuState s, ulong value) => W16.Set(ref s, Registers.Rsp, value);
    public static ulong Wrap(ulong offset) => (ushort)offset;

    public static ulong Linear(ref CpuState s, ref Op op, Processor p, ulong offset, int size, bool write) =>
        p.LinearOrPoison(ref s, ref op, SegmentNumber.Ss, offset, size, write);
}
