using System.Runtime.CompilerServices;
using Hv.Cpu.State;

namespace Hv.Cpu.Execute;

/// <summary>An operand size as a type, so that one handler body serves four sizes. Values travel zero-extended in 64 bits.</summary>
internal interface IWidth
{
    /// <summary>8, 16, 32 or 64.</summary>
    static abstract int Bits { get; }

    /// <summary>Clears the bits above the width.</summary>
    static abstract ulong Truncate(ulong value);

    /// <summary>Copies the sign bit upward.</summary>
    static abstract ulong SignExtend(ulong value);

    /// <summary>Reads the register at a byte offset, zero-extended.</summary>
    static abstract ulong Get(ref CpuState s, int offset);

    /// <summary>Writes the register at a byte offset: 8 and 16 bits leave the rest, 32 bits clear it (SDM 1 3.4.1.1).</summary>
    static abstract void Set(ref CpuState s, int offset, ulong value);

    /// <summary>Reads host memory.</summary>
    static abstract ulong Load(nint host);

    /// <summary>Writes host memory.</summary>
    static abstract void Store(nint host, ulong value);
}

/// <summary>Registers by byte offset in the state block.</summary>
internal static class Registers
{
    internal const int Rax = 0, Rcx = 8, Rdx = 16, Rbx = 24, Rsp = 32, Rbp = 40, Rsi = 48, Rdi = 56;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static ref ulong At(ref CpuState s, int offset) =>
        ref Unsafe.As<byte, ulong>(ref Unsafe.AddByteOffset(ref Unsafe.As<CpuState, byte>(ref s), (nint)offset));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static ref byte ByteAt(ref CpuState s, int offset) => ref Unsafe.AddByteOffset(ref Unsafe.As<CpuState, byte>(ref s), (nint)offset);
}

// SAFETY: a handler passes an address that a translation-cache hit gave: inside one page of a memory slot, with the width's bytes left in it.
internal readonly unsafe struct W8 : IWidth
{
    public static int Bits => 8;
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static ulong Truncate(ulong value) => (byte)value;
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static ulong SignExtend(ulong value) => (ulong)(sbyte)value;
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static ulong Get(ref CpuState s, int offset) => Registers.ByteAt(ref s, offset);
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Set(ref CpuState s, int offset, ulong value) => Registers.ByteAt(ref s, offset) = (byte)value;
    // SAFETY: host comes from a translation-cache hit that covers the width.
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static ulong Load(nint host) => *(byte*)host;
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static void Store(nint host, ulong value) => *(byte*)host = (byte)value;
}

// SAFETY: a handler passes an address that a translation-cache hit gave: inside one page of a memory slot, with the width's bytes left in it.
internal readonly unsafe struct W16 : IWidth
{
    public static int Bits => 16;
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static ulong Truncate(ulong value) => (ushort)value;
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static ulong SignExtend(ulong value) => (ulong)(short)value;
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static ulong Get(ref CpuState s, int offset) => (ushort)Registers.At(ref s, offset);
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Set(ref CpuState s, int offset, ulong value) => Unsafe.As<ulong, ushort>(ref Registers.At(ref s, offset)) = (ushort)value;
    // SAFETY: host comes from a translation-cache hit that covers the width.
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static ulong Load(nint host) => Unsafe.ReadUnaligned<ushort>((void*)host);
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(nint host, ulong value) => Unsafe.WriteUnaligned((void*)host, (ushort)value);
}

// SAFETY: a handler passes an address that a translation-cache hit gave: inside one page of a memory slot, with the width's bytes left in it.
internal readonly unsafe struct W32 : IWidth
{
    public static int Bits => 32;
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static ulong Truncate(ulong value) => (uint)value;
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static ulong SignExtend(ulong value) => (ulong)(int)value;
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Get(ref CpuState s, int offset) => Unsafe.As<ulong, uint>(ref Registers.At(ref s, offset));
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Set(ref CpuState s, int offset, ulong value) => Registers.At(ref s, offset) = (uint)value;
    // SAFETY: host comes from a translation-cache hit that covers the width.
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static ulong Load(nint host) => Unsafe.ReadUnaligned<uint>((void*)host);
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(nint host, ulong value) => Unsafe.WriteUnaligned((void*)host, (uint)value);
}

// SAFETY: a handler passes an address that a translation-cache hit gave: inside one page of a memory slot, with the width's bytes left in it.
internal readonly unsafe struct W64 : IWidth
{
    public static int Bits => 64;
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static ulong Truncate(ulong value) => value;
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static ulong SignExtend(ulong value) => value;
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static ulong Get(ref CpuState s, int offset) => Registers.At(ref s, offset);
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Set(ref CpuState s, int offset, ulong value) => Registers.At(ref s, offset) = value;
    // SAFETY: host comes from a translation-cache hit that covers the width.
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static ulong Load(nint host) => Unsafe.ReadUnaligned<ulong>((void*)host);
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static void Store(nint host, ulong value) => Unsafe.WriteUnaligned((void*)host, value);
}
