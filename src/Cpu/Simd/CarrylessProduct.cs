using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Hv.Cpu.Simd;

/// <summary>PCLMULQDQ (SDM 2B): the product over GF(2) of two quadwords, which bits 0 and 4 of the immediate choose.</summary>
internal readonly struct CarrylessProduct : IVectorBinaryImmediate<CarrylessProduct>
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<byte> Apply(Vector128<byte> a, Vector128<byte> b, byte imm)
    {
        Vector64<ulong> left = ((imm & 1) == 0 ? a.GetLower() : a.GetUpper()).AsUInt64();
        Vector64<ulong> right = ((imm & 16) == 0 ? b.GetLower() : b.GetUpper()).AsUInt64();
        return Pclmulqdq.IsSupported ? Pclmulqdq.CarrylessMultiply(left.ToVector128(), right.ToVector128(), 0).AsByte()
            : Multiply(left.ToScalar(), right.ToScalar()).AsByte();
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static Vector128<ulong> Multiply(ulong a, ulong b)
    {
        ulong low = 0, high = 0;
        for (int i = 0; i < 64; i++)
        {
            ulong selected = a & (ulong)-(long)(b >> i & 1);
            low ^= selected << i;
            high ^= selected >> 1 >> (63 - i);
        }

        return Vector128.Create(low, high);
    }
}
