using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Hv.Cpu.Decode;
using Hv.Cpu.State;

namespace Hv.Cpu.Simd;

/// <summary>How an instruction on vectors of up to 128 bits is encoded, as a type: which registers its operands are in and what a write does to the
/// rest of its destination.</summary>
internal interface IEncoding
{
    /// <summary>Checks what must be checked before the operands. False: a fault is recorded.</summary>
    static abstract bool TryBegin(ref CpuState s, ref Op op, Processor p);

    /// <summary>A vector register.</summary>
    static abstract Vector128<byte> Get(ref CpuState s, int offset);

    /// <summary>Writes a vector register, which completes the instruction.</summary>
    static abstract void Set(ref CpuState s, int offset, Vector128<byte> value);

    /// <summary>The offset of the first source of two: the destination, or VEX.vvvv.</summary>
    static abstract int First(ref Op op);

    /// <summary>The destination of a form whose ModRM.reg is part of the opcode.</summary>
    static abstract int GroupDestination(ref Op op);

    /// <summary>The immediate byte of a form with two sources.</summary>
    static abstract byte Immediate(ref Op op);

    /// <summary>Completes an instruction that writes no vector register.</summary>
    static abstract void Finish(ref CpuState s);
}

/// <summary>Legacy SSE: two operands; the upper half of the destination's YMM register is kept (SDM 1 14.4.1).</summary>
internal readonly struct Sse : IEncoding
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static bool TryBegin(ref CpuState s, ref Op op, Processor p) => true;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<byte> Get(ref CpuState s, int offset) => VectorRegister.Xmm(ref s, offset);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Set(ref CpuState s, int offset, Vector128<byte> value) => VectorRegister.Xmm(ref s, offset) = value;

    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static int First(ref Op op) => op.Reg;
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static int GroupDestination(ref Op op) => op.Rm;
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static byte Immediate(ref Op op) => (byte)op.Immediate;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Finish(ref CpuState s)
    {
    }
}

/// <summary>VEX with L = 0: three operands; the upper half of the destination's YMM register is cleared.</summary>
internal readonly struct Vex128 : IEncoding
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static bool TryBegin(ref CpuState s, ref Op op, Processor p) => true;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<byte> Get(ref CpuState s, int offset) => VectorRegister.Xmm(ref s, offset);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Set(ref CpuState s, int offset, Vector128<byte> value) => VectorRegister.SetZeroing(ref s, offset, value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static int First(ref Op op) => VectorRegister.Third(ref op);
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static int GroupDestination(ref Op op) => VectorRegister.Third(ref op);
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static byte Immediate(ref Op op) => (byte)(op.Immediate >> 8);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Finish(ref CpuState s)
    {
    }
}

/// <summary>MMX: 64 bits, zero-extended here.</summary>
internal readonly struct Mmx : IEncoding
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool TryBegin(ref CpuState s, ref Op op, Processor p) => MmxRegister.TryBegin(ref s, ref op, p);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<byte> Get(ref CpuState s, int offset) => Vector128.CreateScalar(MmxRegister.Get(ref s, offset)).AsByte();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Set(ref CpuState s, int offset, Vector128<byte> value)
    {
        MmxRegister.Set(ref s, offset, value.AsUInt64().ToScalar());
        MmxRegister.Finish(ref s);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static int First(ref Op op) => op.Reg;
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static int GroupDestination(ref Op op) => op.Rm;
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static byte Immediate(ref Op op) => (byte)op.Immediate;
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static void Finish(ref CpuState s) => MmxRegister.Finish(ref s);
}
