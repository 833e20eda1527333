using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Hv.Cpu.Simd;

/// <summary>What a string comparison found.</summary>
/// <param name="Bits">IntRes2: a bit for each element of the second operand.</param>
/// <param name="FirstEnds">The first operand is shorter than a vector: SF.</param>
/// <param name="SecondEnds">The second operand is: ZF.</param>
internal readonly record struct StringMatch(uint Bits, bool FirstEnds, bool SecondEnds);

/// <summary>PCMPESTRI, PCMPESTRM, PCMPISTRI, PCMPISTRM: the comparison that the immediate asks for (SDM 2B 4.1).</summary>
internal static class StringCompare
{
    private const int Words = 1, Signed = 2, MostSignificant = 1 << 6;

    /// <summary>Elements of a vector: 16 bytes or 8 words.</summary>
    internal static int Count(byte imm) => (imm & Words) != 0 ? 8 : 16;

    /// <summary>Whether the answer is about the highest bit, or a mask of elements instead of bits.</summary>
    internal static bool IsAlternate(byte imm) => (imm & MostSignificant) != 0;

    /// <summary>The elements that a length register gives: its absolute value, at most all.</summary>
    internal static int ExplicitLength(long length, byte imm)
    {
        int most = Count(imm);
        return length <= -most || length >= most ? most : (int)Math.Abs(length);
    }

    /// <summary>The elements before the first that is 0.</summary>
    internal static int ImplicitLength(Vector128<byte> a, byte imm)
    {
        uint zeros = (imm & Words) != 0 ? Vector128.Equals(a.AsUInt16(), Vector128<ushort>.Zero).ExtractMostSignificantBits()
            : Vector128.Equals(a, Vector128<byte>.Zero).ExtractMostSignificantBits();
        return Math.Min(BitOperations.TrailingZeroCount(zeros), Count(imm));
    }

    /// <summary>The number of the lowest or highest bit that is set; the number of elements if none is.</summary>
    internal static int Index(uint bits, byte imm) =>
        bits == 0 ? Count(imm) : IsAlternate(imm) ? BitOperations.Log2(bits) : BitOperations.TrailingZeroCount(bits);

    /// <summary>The bits as they are, or a mask of elements.</summary>
    internal static Vector128<byte> Mask(uint bits, byte imm)
    {
        if (!IsAlternate(imm))
            return Vector128.CreateScalar(bits).AsByte();
        if ((imm & Words) != 0)
            return Selectors.Mask((byte)bits, Vector128.Create((ushort)1, 2, 4, 8, 16, 32, 64, 128));
        Vector128<byte> spread = Vector128.Create(Vector64.Create((byte)bits), Vector64.Create((byte)(bits >> 8)));
        Vector128<byte> each = Vector128.Create(0x8040_2010_0804_0201).AsByte();
        return Vector128.Equals(spread & each, each);
    }

    /// <summary>Compares <paramref name="firstLength"/> elements of one vector with <paramref name="secondLength"/> of another.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    internal static StringMatch Compare(Vector128<byte> first, int firstLength, Vector128<byte> second, int secondLength, byte imm)
    {
        uint bits = (imm & (Words | Signed)) switch
        {
            0 => Aggregate<byte>(first, firstLength, second, secondLength, imm),
            Words => Aggregate<ushort>(first, firstLength, second, secondLength, imm),
            Signed => Aggregate<sbyte>(first, firstLength, second, secondLength, imm),
            _ => Aggregate<short>(first, firstLength, second, secondLength, imm),
        };
        uint valid = Below(secondLength), all = Below(Count(imm));
        bits ^= (imm >> 4 & 3) switch { 1 => all, 3 => valid, _ => 0 };
        return new StringMatch(bits, firstLength < Count(imm), secondLength < Count(imm));
    }

    /// <summary>IntRes1 (SDM 2B 4.1.5). What elements beyond an operand's end compare as is in table 4-7.</summary>
    private static uint Aggregate<T>(Vector128<byte> first, int firstLength, Vector128<byte> second, int secondLength, byte imm)
    {
        uint firstValid = Below(firstLength), valid = Below(secondLength), all = Below(Vector128<T>.Count), bits = 0;
        switch (imm >> 2 & 3)
        {
            case 0:
                for (int i = 0; i < firstLength; i++)
                    bits |= Vector128.Equals(second.As<byte, T>(), Element<T>(first, i)).ExtractMostSignificantBits();
                return bits & valid;
            case 1:
                for (int i = 0; i + 1 < firstLength; i += 2)
                {
                    bits |= (Vector128.GreaterThanOrEqual(second.As<byte, T>(), Element<T>(first, i))
                        & Vector128.LessThanOrEqual(second.As<byte, T>(), Element<T>(first, i + 1))).ExtractMostSignificantBits();
                }

                return bits & valid;
            case 2:
                bits = Vector128.Equals(first.As<byte, T>(), second.As<byte, T>()).ExtractMostSignificantBits();
                return bits & firstValid & valid | ~firstValid & ~valid & all;
            default:
                // A substring may begin at j if each of its elements i is at j + i, or that is beyond the vector.
                bits = all;
                for (int i = 0; i < firstLength; i++)
                {
                    uint equal = Vector128.Equals(second.As<byte, T>(), Element<T>(first, i)).ExtractMostSignificantBits() & valid;
                    bits &= equal >> i | ~(all >> i);
                }

                return bits;
        }
    }

    private static Vector128<T> Element<T>(Vector128<byte> a, int i) => Vector128.Create(a.As<byte, T>().GetElement(i));

    private static uint Below(int count) => (1u << count) - 1;
}
