using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using X86Aes = System.Runtime.Intrinsics.X86.Aes;

namespace Hv.Cpu.Simd;

/// <summary>AESENC (SDM 2A): one round of the cipher, FIPS 197 5.1.</summary>
internal readonly struct AesEncrypt : IVectorBinary<AesEncrypt>
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<byte> Apply(Vector128<byte> a, Vector128<byte> b) =>
        X86Aes.IsSupported ? X86Aes.Encrypt(a, b) : AesSteps.MixColumns(AesSteps.Substitute(AesSteps.ShiftRows(a), AesSteps.Box)) ^ b;
}

/// <summary>AESENCLAST: the last round, without MixColumns.</summary>
internal readonly struct AesEncryptLast : IVectorBinary<AesEncryptLast>
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<byte> Apply(Vector128<byte> a, Vector128<byte> b) =>
        X86Aes.IsSupported ? X86Aes.EncryptLast(a, b) : AesSteps.Substitute(AesSteps.ShiftRows(a), AesSteps.Box) ^ b;
}

/// <summary>AESDEC: one round of the equivalent inverse cipher, FIPS 197 5.3.5.</summary>
internal readonly struct AesDecrypt : IVectorBinary<AesDecrypt>
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<byte> Apply(Vector128<byte> a, Vector128<byte> b) => X86Aes.IsSupported ? X86Aes.Decrypt(a, b)
        : AesSteps.InverseMixColumns(AesSteps.Substitute(AesSteps.InverseShiftRows(a), AesSteps.InverseBox)) ^ b;
}

/// <summary>AESDECLAST.</summary>
internal readonly struct AesDecryptLast : IVectorBinary<AesDecryptLast>
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<byte> Apply(Vector128<byte> a, Vector128<byte> b) =>
        X86Aes.IsSupported ? X86Aes.DecryptLast(a, b) : AesSteps.Substitute(AesSteps.InverseShiftRows(a), AesSteps.InverseBox) ^ b;
}

/// <summary>AESIMC: InvMixColumns, for the keys of the equivalent inverse cipher.</summary>
internal readonly struct AesInverseMixColumns : IVectorUnary<AesInverseMixColumns>
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<byte> Apply(Vector128<byte> a) =>
        X86Aes.IsSupported ? X86Aes.InverseMixColumns(a) : AesSteps.InverseMixColumns(a);
}

/// <summary>AESKEYGENASSIST: SubWord and RotWord of FIPS 197 5.2 on doublewords 1 and 3, with the immediate as the round constant.</summary>
internal readonly struct AesKeyAssist : IVectorUnaryImmediate<AesKeyAssist>
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<byte> Apply(Vector128<byte> a, byte imm)
    {
        Vector128<uint> words = AesSteps.SubstituteAll(a).AsUInt32();
        Vector128<uint> plain = Vector128.ShuffleNative(words, Vector128.Create(1u, 1, 3, 3));
        Vector128<uint> rotated = (plain >>> 8 | plain << 24) ^ Vector128.Create((uint)imm);
        return Vector128.ConditionalSelect(Vector128.Create(uint.MaxValue, 0, uint.MaxValue, 0), plain, rotated).AsByte();
    }
}

/// <summary>The steps of FIPS 197 on a state whose byte <c>i</c> is row <c>i % 4</c> of column <c>i / 4</c>.</summary>
internal static class AesSteps
{
    private static readonly byte[] s_box = MakeBox();
    private static readonly byte[] s_inverseBox = Invert(s_box);

    internal static ReadOnlySpan<byte> Box => s_box;

    internal static ReadOnlySpan<byte> InverseBox => s_inverseBox;

    internal static Vector128<byte> ShiftRows(Vector128<byte> a) =>
        Vector128.Shuffle(a, Vector128.Create((byte)0, 5, 10, 15, 4, 9, 14, 3, 8, 13, 2, 7, 12, 1, 6, 11));

    internal static Vector128<byte> InverseShiftRows(Vector128<byte> a) =>
        Vector128.Shuffle(a, Vector128.Create((byte)0, 13, 10, 7, 4, 1, 14, 11, 8, 5, 2, 15, 12, 9, 6, 3));

    /// <summary>Each column times 03·x³ + x² + x + 02.</summary>
    internal static Vector128<byte> MixColumns(Vector128<byte> a)
    {
        Vector128<byte> next = Rotate(a, 8);
        return Double(a ^ next) ^ next ^ Rotate(a, 16) ^ Rotate(a, 24);
    }

    /// <summary>Each column times 0b·x³ + 0d·x² + 09·x + 0e, which is the product of MixColumns' polynomial and 04·x² + 05.</summary>
    internal static Vector128<byte> InverseMixColumns(Vector128<byte> a) => MixColumns(a ^ Double(Double(a ^ Rotate(a, 16))));

    /// <summary>SubBytes, without moving any byte.</summary>
    internal static Vector128<byte> SubstituteAll(Vector128<byte> a) =>
        X86Aes.IsSupported ? X86Aes.EncryptLast(InverseShiftRows(a), Vector128<byte>.Zero) : Substitute(a, Box);

    [MethodImpl(MethodImplOptions.NoInlining)]
    internal static Vector128<byte> Substitute(Vector128<byte> a, ReadOnlySpan<byte> box)
    {
        for (int i = 0; i < Vector128<byte>.Count; i++)
            a = a.WithElement(i, box[a.GetElement(i)]);
        return a;
    }

    private static Vector128<byte> Rotate(Vector128<byte> a, int bits) => (a.AsUInt32() >>> bits | a.AsUInt32() << (32 - bits)).AsByte();

    /// <summary>Times 02 in GF(2⁸), FIPS 197 4.2.1.</summary>
    private static Vector128<byte> Double(Vector128<byte> a) =>
        a + a ^ (Vector128.LessThan(a.AsSByte(), Vector128<sbyte>.Zero).AsByte() & Vector128.Create((byte)0x1B));

    /// <summary>FIPS 197 5.1.1: the inverse in GF(2⁸), then an affine map. Powers of the generator 03 give the inverses.</summary>
    private static byte[] MakeBox()
    {
        byte[] box = new byte[256], powers = new byte[255];
        byte power = 1;
        for (int i = 0; i < powers.Length; i++)
        {
            powers[i] = power;
            power ^= (byte)(power << 1 ^ (power >> 7) * 0x1B);
        }

        box[0] = 0x63;
        for (int i = 0; i < powers.Length; i++)
        {
            byte inverse = powers[(powers.Length - i) % powers.Length];
            byte affine = (byte)(inverse ^ byte.RotateLeft(inverse, 1) ^ byte.RotateLeft(inverse, 2) ^ byte.RotateLeft(inverse, 3)
                ^ byte.RotateLeft(inverse, 4));
            box[powers[i]] = (byte)(affine ^ 0x63);
        }

        return box;
    }

    private static byte[] Invert(byte[] box)
    {
        byte[] inverse = new byte[256];
        for (int i = 0; i < box.Length; i++)
            inverse[box[i]] = (byte)i;
        return inverse;
    }
}
