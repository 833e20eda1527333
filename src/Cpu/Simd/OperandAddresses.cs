using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Hv.Cpu.Decode;
using Hv.Cpu.Execute;
using Hv.Cpu.Memory;
using Hv.Cpu.State;

namespace Hv.Cpu.Simd;

/// <summary>Where an rm operand can be read, as a type: an address in the state block or of guest memory, so that a handler and the software path
/// that it may fall back to take it in the same way.</summary>
internal interface IOperandAddress
{
    /// <summary>The address of <paramref name="size"/> bytes. 0: the fault or event is recorded, return at once.</summary>
    static abstract nint Locate(ref CpuState s, ref Op op, Processor p, int size, bool aligned);
}

/// <summary>A vector register.</summary>
internal readonly struct VectorRegisterAddress : IOperandAddress
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static nint Locate(ref CpuState s, ref Op op, Processor p, int size, bool aligned) => OperandAddress.OfVector(ref s, op.Rm);
}

/// <summary>A general register.</summary>
internal readonly struct GeneralRegisterAddress : IOperandAddress
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static nint Locate(ref CpuState s, ref Op op, Processor p, int size, bool aligned) =>
        OperandAddress.Of(ref Unsafe.As<CpuState, byte>(ref s)) + op.Rm;
}

/// <summary>Memory of 4, 8, 16 or 32 bytes.</summary>
internal readonly struct MemoryAddress : IOperandAddress
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static nint Locate(ref CpuState s, ref Op op, Processor p, int size, bool aligned)
    {
        if (size >= 16)
            return VectorMemory.Read(ref s, ref op, p, size, aligned);
        ulong at = VectorMemory.Linear(ref s, ref op, p, size, false);
        ref TlbEntry entry = ref TranslationCache.Entry(s.ReadTlb, at);
        return entry.Tag == ((at + (ulong)(size - 1)) & ~0xFFFUL) ? (nint)at + entry.Addend : OperandAddress.Stage(ref s, ref op, p, at, size);
    }
}

/// <summary>Memory of 8, 16 or 32 bytes that raises no #AC however short it is: silicon checks F16C's operands like whole vectors.</summary>
internal readonly struct WholeMemoryAddress : IOperandAddress
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static nint Locate(ref CpuState s, ref Op op, Processor p, int size, bool aligned) => VectorMemory.Read(ref s, ref op, p, size, aligned);
}

/// <summary>Addresses in the state block.</summary>
// SAFETY: the state block is pinned for the processor's life; offsets are the decoder's, which gives only those of registers.
internal static unsafe class OperandAddress
{
    /// <summary>A vector register's address.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static nint OfVector(ref CpuState s, int offset) => Of(ref Unsafe.As<Vector128<byte>, byte>(
        ref VectorRegister.Xmm(ref s, offset)));

    /// <summary>The address of a part of the state block.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static nint Of(ref byte part) => (nint)Unsafe.AsPointer(ref part);

    /// <summary>Reads up to 8 bytes off the fast path, to the staging room.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    internal static nint Stage(ref CpuState s, ref Op op, Processor p, ulong linear, int size)
    {
        ulong value = p.LoadSlow(ref s, ref op, linear, size);
        if (s.Attention != 0)
            return 0;
        s.Staging = s.Staging.AsUInt64().WithElement(0, value).AsByte();
        return Of(ref Unsafe.As<Vector256<byte>, byte>(ref s.Staging));
    }
}
