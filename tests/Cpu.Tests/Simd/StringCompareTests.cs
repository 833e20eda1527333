using System.Runtime.Intrinsics;
using Hv.Cpu.Simd;

namespace Hv.Cpu.Tests.Simd;

/// <summary>PCMPxSTRx against SDM 2B 4.1 written out bit by bit.</summary>
public sealed class StringCompareTests
{
    [Fact]
    public void Every_control_byte_compares_as_the_manual_says()
    {
        var random = new Random(41);
        byte[] a = new byte[16], b = new byte[16];
        for (int i = 0; i < 60_000; i++)
        {
            byte imm = (byte)i;
            Text(random, a);
            Text(random, b);
            int count = (imm & 1) != 0 ? 8 : 16;
            int first = random.Next(count + 1), second = random.Next(count + 1);
            StringMatch match = StringCompare.Compare(Vector128.Create(a), first, Vector128.Create(b), second, imm);
            uint expected = Model(a, first, b, second, imm);
            Assert.True(expected == match.Bits,
                $"imm {imm:x2} {Convert.ToHexString(a)}/{first} {Convert.ToHexString(b)}/{second}: {match.Bits:x4}, not {expected:x4}");
            Assert.Equal((first < count, second < count), (match.FirstEnds, match.SecondEnds));
        }
    }

    [Theory]
    [InlineData(0L, 0x00, 0)]
    [InlineData(5L, 0x00, 5)]
    [InlineData(-5L, 0x00, 5)]
    [InlineData(16L, 0x00, 16)]
    [InlineData(17L, 0x00, 16)]
    [InlineData(-17L, 0x00, 16)]
    [InlineData(9L, 0x01, 8)]
    [InlineData(-8L, 0x03, 8)]
    [InlineData((long)int.MinValue, 0x00, 16)]
    [InlineData(long.MinValue, 0x01, 8)]
    [InlineData(long.MaxValue, 0x00, 16)]
    public void An_explicit_length_is_an_absolute_value_and_saturates(long length, byte imm, int expected) =>
        Assert.Equal(expected, StringCompare.ExplicitLength(length, imm));

    [Theory]
    [InlineData("00000000000000000000000000000000", 0x00, 0)]
    [InlineData("41424300444546474849004B4C4D4E4F", 0x00, 3)]
    [InlineData("41424344454647484950515253545556", 0x00, 16)]
    [InlineData("41004200000044004500460047004800", 0x01, 2)]
    [InlineData("41004200430044004500460047004800", 0x01, 8)]
    public void An_implicit_length_ends_before_the_first_zero(string hex, byte imm, int expected) =>
        Assert.Equal(expected, StringCompare.ImplicitLength(Vector128.Create(Convert.FromHexString(hex)), imm));

    [Theory]
    [InlineData(0x0000u, 0x00, 16)]
    [InlineData(0x00u, 0x41, 8)]
    [InlineData(0x0120u, 0x00, 5)]
    [InlineData(0x0120u, 0x40, 8)]
    [InlineData(0x8001u, 0x40, 15)]
    public void The_index_is_of_the_lowest_or_highest_bit(uint bits, byte imm, int expected) =>
        Assert.Equal(expected, StringCompare.Index(bits, imm));

    [Theory]
    [InlineData(0x8005u, 0x00, "05800000000000000000000000000000")]
    [InlineData(0x8005u, 0x40, "FF00FF000000000000000000000000FF")]
    [InlineData(0x85u, 0x41, "FFFF0000FFFF0000000000000000FFFF")]
    public void The_mask_is_of_bits_or_of_elements(uint bits, byte imm, string expected)
    {
        byte[] bytes = new byte[16];
        StringCompare.Mask(bits, imm).CopyTo(bytes);
        Assert.Equal(expected, Convert.ToHexString(bytes));
    }

    /// <summary>Few different characters, so that much is equal.</summary>
    private static void Text(Random random, byte[] bytes)
    {
        for (int i = 0; i < 16; i++)
            bytes[i] = random.Next(3) == 0 ? (byte)random.Next(256) : (byte)random.Next(3);
    }

    /// <summary>SDM 2B 4.1.2 to 4.1.7.</summary>
    private static uint Model(byte[] a, int aLength, byte[] b, int bLength, byte imm)
    {
        bool words = (imm & 1) != 0, signed = (imm & 2) != 0;
        int count = words ? 8 : 16;
        Int128 A(int i) => ScalarModel.Element(a, i, words ? 16 : 8, signed);
        Int128 B(int i) => ScalarModel.Element(b, i, words ? 16 : 8, signed);
        int aggregation = imm >> 2 & 3;

        // Table 4-7: what a comparison with an element beyond an end counts as.
        bool Compare(int j, int i)
        {
            bool aValid = i < aLength, bValid = j < bLength;
            bool result = aggregation == 1 ? i % 2 == 0 ? A(i) <= B(j) : A(i) >= B(j) : A(i) == B(j);
            return (aValid, bValid) switch
            {
                (true, true) => result,
                (false, false) => aggregation is 2 or 3,
                (false, true) => aggregation == 3,
                _ => false,
            };
        }

        uint bits = 0;
        for (int j = 0; j < count; j++)
        {
            bool set = aggregation switch
            {
                0 => Enumerable.Range(0, count).Any(i => Compare(j, i)),
                1 => Enumerable.Range(0, count / 2).Any(i => Compare(j, 2 * i) && Compare(j, 2 * i + 1)),
                2 => Compare(j, j),
                _ => Enumerable.Range(0, count - j).All(i => Compare(j + i, i)),
            };
            bool negate = (imm >> 4 & 3) == 1 || ((imm >> 4 & 3) == 3 && j < bLength);
            bits |= (set ^ negate ? 1u : 0) << j;
        }

        return bits;
    }
}
