using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Hv.Cpu.State;

namespace Hv.Cpu.Simd;

/// <summary>Vector registers by the byte offsets that the decoder gives: a register's number times 8, so four times that into the file of 32-byte
/// registers.</summary>
internal static class VectorRegister
{
    /// <summary>The third register of a VEX encoding, in <see cref="Decode.Op.Immediate"/>.</summary>
    internal const int ThirdMask = 0x78;

    /// <summary>An XMM register; the upper half of its YMM register is not touched.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static ref Vector128<byte> Xmm(ref CpuState s, int offset) =>
        ref Unsafe.As<byte, Vector128<byte>>(ref At(ref s, offset));

    /// <summary>A YMM register.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static ref Vector256<byte> Ymm(ref CpuState s, int offset) =>
        ref Unsafe.As<byte, Vector256<byte>>(ref At(ref s, offset));

    /// <summary>Writes an XMM register as VEX.128 instructions do: bits 255:128 become 0 (SDM 1 14.4.1).</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static void SetZeroing(ref CpuState s, int offset, Vector128<byte> value) =>
        Ymm(ref s, offset) = Vector256.Create(value, Vector128<byte>.Zero);

    /// <summary>The byte offset of the third register.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static int Third(ref Decode.Op op) => (int)op.Immediate & ThirdMask;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static ref byte At(ref CpuState s, int offset) =>
        ref Unsafe.AddByteOffset(ref Unsafe.As<VectorRegisters, byte>(ref s.Fpu.Vectors), (nint)(uint)offset * 4);
}
