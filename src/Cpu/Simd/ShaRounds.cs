using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Hv.Cpu.Simd;

/// <summary>SHA1RNDS4 (SDM 2B): four rounds; bits 1:0 of the immediate choose the function and constant of FIPS 180-4 4.1.1 and 4.2.1. A is
/// the highest element; the first word has E in it already.</summary>
internal readonly struct Sha1Rounds : IVectorBinaryImmediate<Sha1Rounds>
{
    [MethodImpl(MethodImplOptions.NoInlining)]
    public static Vector128<byte> Apply(Vector128<byte> a, Vector128<byte> b, byte imm)
    {
        Vector128<uint> state = a.AsUInt32(), words = b.AsUInt32();
        uint va = state.GetElement(3), vb = state.GetElement(2), vc = state.GetElement(1), vd = state.GetElement(0), ve = 0;
        for (int i = 3; i >= 0; i--)
        {
            uint mixed = (imm & 3) switch
            {
                0 => (vb & vc ^ ~vb & vd) + 0x5A82_7999,
                1 => (vb ^ vc ^ vd) + 0x6ED9_EBA1,
                2 => (vb & vc ^ vb & vd ^ vc & vd) + 0x8F1B_BCDC,
                _ => (vb ^ vc ^ vd) + 0xCA62_C1D6,
            };
            uint next = mixed + BitOperations.RotateLeft(va, 5) + words.GetElement(i) + ve;
            (va, vb, vc, vd, ve) = (next, va, BitOperations.RotateLeft(vb, 30), vc, vd);
        }

        return Vector128.Create(vd, vc, vb, va).AsByte();
    }
}

/// <summary>SHA1NEXTE: E for the next four rounds, added to their first word.</summary>
internal readonly struct Sha1NextE : IVectorBinary<Sha1NextE>
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<byte> Apply(Vector128<byte> a, Vector128<byte> b) =>
        (b.AsUInt32() + Vector128.Create(0, 0, 0, BitOperations.RotateLeft(a.AsUInt32().GetElement(3), 30))).AsByte();
}

/// <summary>SHA1MSG1: a step of the message schedule.</summary>
internal readonly struct Sha1Message1 : IVectorBinary<Sha1Message1>
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<byte> Apply(Vector128<byte> a, Vector128<byte> b) => Vector128.Create(b.GetUpper(), a.GetLower()) ^ a;
}

/// <summary>SHA1MSG2: the last step of the message schedule; the fourth word needs the first.</summary>
internal readonly struct Sha1Message2 : IVectorBinary<Sha1Message2>
{
    [MethodImpl(MethodImplOptions.NoInlining)]
    public static Vector128<byte> Apply(Vector128<byte> a, Vector128<byte> b)
    {
        Vector128<uint> x = a.AsUInt32(), y = b.AsUInt32();
        uint w16 = BitOperations.RotateLeft(x.GetElement(3) ^ y.GetElement(2), 1),
            w17 = BitOperations.RotateLeft(x.GetElement(2) ^ y.GetElement(1), 1);
        uint w18 = BitOperations.RotateLeft(x.GetElement(1) ^ y.GetElement(0), 1), w19 = BitOperations.RotateLeft(x.GetElement(0) ^ w16, 1);
        return Vector128.Create(w19, w18, w17, w16).AsByte();
    }
}

/// <summary>SHA256RNDS2: two rounds of FIPS 180-4 6.2.2. The first operand holds C, D, G, H from its highest element, the second A, B, E,
/// F; the third the sums of words and constants.</summary>
internal readonly struct Sha256Rounds : IVectorTernary<Sha256Rounds>
{
    [MethodImpl(MethodImplOptions.NoInlining)]
    public static Vector128<byte> Apply(Vector128<byte> a, Vector128<byte> b, Vector128<byte> c)
    {
        Vector128<uint> x = a.AsUInt32(), y = b.AsUInt32();
        uint va = y.GetElement(3), vb = y.GetElement(2), ve = y.GetElement(1), vf = y.GetElement(0);
        uint vc = x.GetElement(3), vd = x.GetElement(2), vg = x.GetElement(1), vh = x.GetElement(0);
        for (int i = 0; i < 2; i++)
        {
            uint sumE = BitOperations.RotateRight(ve, 6) ^ BitOperations.RotateRight(ve, 11) ^ BitOperations.RotateRight(ve, 25);
            uint sumA = BitOperations.RotateRight(va, 2) ^ BitOperations.RotateRight(va, 13) ^ BitOperations.RotateRight(va, 22);
            uint first = vh + sumE + (ve & vf ^ ~ve & vg) + c.AsUInt32().GetElement(i);
            uint second = sumA + (va & vb ^ va & vc ^ vb & vc);
            (va, vb, vc, vd, ve, vf, vg, vh) = (first + second, va, vb, vc, vd + first, ve, vf, vg);
        }

        return Vector128.Create(vf, ve, vb, va).AsByte();
    }
}

/// <summary>SHA256MSG1.</summary>
internal readonly struct Sha256Message1 : IVectorBinary<Sha256Message1>
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<byte> Apply(Vector128<byte> a, Vector128<byte> b)
    {
        Vector128<uint> next = (ByteShift.Right(a, 4) | ByteShift.Left(b, 12)).AsUInt32();
        Vector128<uint> sigma = (next >>> 7 | next << 25) ^ (next >>> 18 | next << 14) ^ next >>> 3;
        return (a.AsUInt32() + sigma).AsByte();
    }
}

/// <summary>SHA256MSG2: the upper two words need the lower two.</summary>
internal readonly struct Sha256Message2 : IVectorBinary<Sha256Message2>
{
    [MethodImpl(MethodImplOptions.NoInlining)]
    public static Vector128<byte> Apply(Vector128<byte> a, Vector128<byte> b)
    {
        Vector128<uint> x = a.AsUInt32(), y = b.AsUInt32();
        uint w16 = x.GetElement(0) + Sigma(y.GetElement(2)), w17 = x.GetElement(1) + Sigma(y.GetElement(3));
        return Vector128.Create(w16, w17, x.GetElement(2) + Sigma(w16), x.GetElement(3) + Sigma(w17)).AsByte();
    }

    private static uint Sigma(uint x) => BitOperations.RotateRight(x, 17) ^ BitOperations.RotateRight(x, 19) ^ x >> 10;
}
