namespace Hv.Cpu.Tests.Simd;

/// <summary>Vector instructions element by element, as the manuals' pseudo-code has them, in wide integers: slow, and sharing nothing with the
/// implementation. Operands are 16 bytes, the least significant first.</summary>
internal static class ScalarModel
{
    /// <summary>What an instruction makes of its operands.</summary>
    internal delegate byte[] Model(byte[] a, byte[] b, byte imm);

    /// <summary>Element <paramref name="i"/> of so many bits.</summary>
    internal static Int128 Element(byte[] v, int i, int bits, bool signed)
    {
        Int128 value = 0;
        for (int k = bits / 8 - 1; k >= 0; k--)
            value = value << 8 | v[i * bits / 8 + k];
        return signed && (value >> (bits - 1)) != 0 ? value - (Int128.One << bits) : value;
    }

    /// <summary>A vector of elements, each cut to its low bits.</summary>
    internal static byte[] Vector(int bits, Func<int, Int128> element, int bytes = 16)
    {
        byte[] result = new byte[bytes];
        for (int i = 0; i < bytes * 8 / bits; i++)
        {
            Int128 value = element(i);
            for (int k = 0; k < bits / 8; k++)
                result[i * bits / 8 + k] = (byte)(value >> (8 * k));
        }

        return result;
    }

    internal static Int128 Saturate(Int128 value, int bits, bool signed)
    {
        Int128 low = signed ? -(Int128.One << (bits - 1)) : 0, high = (Int128.One << (signed ? bits - 1 : bits)) - 1;
        return Int128.Clamp(value, low, high);
    }

    /// <summary>Each element of the result from the same elements of the operands.</summary>
    internal static Model Each(int bits, bool signed, Func<Int128, Int128, Int128> f) =>
        (a, b, _) => Vector(bits, i => f(Element(a, i, bits, signed), Element(b, i, bits, signed)));

    /// <summary>As <see cref="Each"/>, saturated.</summary>
    internal static Model EachSaturated(int bits, bool signed, Func<Int128, Int128, Int128> f) =>
        Each(bits, signed, (x, y) => Saturate(f(x, y), bits, signed));

    /// <summary>Each element and the next, of the first operand and then of the second.</summary>
    internal static Model Pairs(int bits, bool saturated, Func<Int128, Int128, Int128> f) => (a, b, _) =>
    {
        int half = 64 / bits;
        return Vector(bits, i =>
        {
            byte[] source = i < half ? a : b;
            int at = i % half * 2;
            Int128 value = f(Element(source, at, bits, true), Element(source, at + 1, bits, true));
            return saturated ? Saturate(value, bits, true) : value;
        });
    };

    /// <summary>PACK: elements of <paramref name="bits"/> to half as many.</summary>
    internal static Model Pack(int bits, bool signed) => (a, b, _) =>
    {
        int half = 128 / bits;
        return Vector(bits / 2, i => Saturate(Element(i < half ? a : b, i % half, bits, true), bits / 2, signed));
    };

    /// <summary>PUNPCK.</summary>
    internal static Model Unpack(int bits, bool high) => (a, b, _) =>
    {
        int first = high ? 64 / bits : 0;
        return Vector(bits, i => Element(i % 2 == 0 ? a : b, first + i / 2, bits, false));
    };

    /// <summary>A shift of every element by one count that is not masked: the immediate, or the second operand's low quadword.</summary>
    internal static Model Shift(int bits, bool byImmediate, Func<Int128, int, Int128> f, bool arithmetic = false) => (a, b, imm) =>
    {
        Int128 wanted = byImmediate ? imm : Element(b, 0, 64, false);
        int count = (int)Int128.Min(wanted, bits);
        return Vector(bits, i => f(Element(a, i, bits, arithmetic), count));
    };

    /// <summary>A shift of each element by the same element of the second operand.</summary>
    internal static Model ShiftEach(int bits, Func<Int128, int, Int128> f, bool arithmetic = false) => (a, b, _) =>
        Vector(bits, i => f(Element(a, i, bits, arithmetic), (int)Int128.Min(Element(b, i, bits, false), bits)));

    /// <summary>Each element of the result is an element of one of the operands.</summary>
    internal static Model Select(int bits, Func<int, byte, (bool Second, int Index)> choose) => (a, b, imm) => Vector(bits, i =>
    {
        (bool second, int index) = choose(i, imm);
        return Element(second ? b : a, index, bits, false);
    });
}
