using Hv.Cpu.Simd;

namespace Hv.Cpu.Tests.Simd;

/// <summary>RCPPS and RSQRTPS: bits of a real processor for some operands, and the manuals' bound for many (SDM 2B).</summary>
public sealed class ApproximationTests
{
    private const double Bound = 1.5 / 4096;

    // An Intel Xeon (family 6, model 207), 2026-11-29; the rule was compared with it for all 2^32 operands.
    [Theory]
    [InlineData(0x3F800000, 0x3F7FF000, 0x3F7FF000)]
    [InlineData(0x3F801000, 0x3F7FD000, 0x3F7FF000)]
    [InlineData(0x3F805000, 0x3F7F5000, 0x3F7FB000)]
    [InlineData(0x00000001, 0x7F800000, 0x7F800000)]
    [InlineData(0x00800000, 0x7E7FF000, 0x5EFFF000)]
    [InlineData(0x01000000, 0x7DFFF000, 0x5EB4F800)]
    [InlineData(0x7E000000, 0x00FFF000, 0x2034F800)]
    [InlineData(0x7E400000, 0x00AAA000, 0x2013C800)]
    [InlineData(0x7E800000, 0x00000000, 0x1FFFF000)]
    [InlineData(0x7F800001, 0x7FC00001, 0x7FC00001)]
    public void Silicon_agrees(uint operand, uint reciprocal, uint root)
    {
        Assert.Equal(reciprocal, Reciprocal.Approximate(operand));
        Assert.Equal(root, ReciprocalSquareRoot.Approximate(operand));
    }

    [Fact]
    public void The_relative_error_is_within_the_manuals_bound()
    {
        for (uint bits = 0x0080_0000; bits < 0x7E80_0000; bits += 0x1357)
        {
            double x = BitConverter.UInt32BitsToSingle(bits);
            double reciprocal = BitConverter.UInt32BitsToSingle(Reciprocal.Approximate(bits));
            double root = BitConverter.UInt32BitsToSingle(ReciprocalSquareRoot.Approximate(bits));
            Assert.True(Math.Abs(reciprocal * x - 1) <= Bound, $"1/{x}: {reciprocal}");
            Assert.True(Math.Abs(root * Math.Sqrt(x) - 1) <= Bound, $"1/sqrt({x}): {root}");
        }
    }

    [Theory]
    [InlineData(0xFF800000, 0x80000000, 0xFFC00000)]
    [InlineData(0x7F800000, 0x00000000, 0x00000000)]
    [InlineData(0x80000000, 0xFF800000, 0xFF800000)]
    [InlineData(0x807FFFFF, 0xFF800000, 0xFF800000)]
    public void Special_operands_are_the_manuals(uint operand, uint reciprocal, uint root) =>
        Assert.Equal((reciprocal, root), (Reciprocal.Approximate(operand), ReciprocalSquareRoot.Approximate(operand)));
}
