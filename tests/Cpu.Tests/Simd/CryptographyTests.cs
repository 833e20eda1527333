using System.Runtime.Intrinsics;
using System.Text;
using Hv.Cpu.Simd;

namespace Hv.Cpu.Tests.Simd;

/// <summary>AES, SHA and carry-less products against their standards: FIPS 197, FIPS 180-4, and Intel's white papers.</summary>
public sealed class CryptographyTests
{
    private static Vector128<byte> V(string hex) => Vector128.Create(Convert.FromHexString(hex));

    /// <summary>From the most significant byte down, as Intel's papers print.</summary>
    private static Vector128<byte> Big(string hex)
    {
        byte[] bytes = Convert.FromHexString(hex);
        Array.Reverse(bytes);
        return Vector128.Create(bytes);
    }

    [Fact]
    public void Aes_128_encrypts_and_decrypts_the_standards_example()
    {
        // FIPS 197 appendix C.1, with the key expansion of appendix A.1's algorithm.
        Vector128<byte>[] keys = Expand(V("000102030405060708090A0B0C0D0E0F"));
        Assert.Equal(V("13111D7FE3944A17F307A78B4D2B30C5"), keys[10]);
        Vector128<byte> state = V("00112233445566778899AABBCCDDEEFF") ^ keys[0];
        for (int i = 1; i < 10; i++)
            state = AesEncrypt.Apply(state, keys[i]);
        Vector128<byte> cipher = AesEncryptLast.Apply(state, keys[10]);
        Assert.Equal(V("69C4E0D86A7B0430D8CDB78070B4C55A"), cipher);

        state = cipher ^ keys[10];
        for (int i = 9; i > 0; i--)
            state = AesDecrypt.Apply(state, AesInverseMixColumns.Apply(keys[i]));
        Assert.Equal(V("00112233445566778899AABBCCDDEEFF"), AesDecryptLast.Apply(state, keys[0]));
    }

    [Fact]
    public void Single_aes_steps_are_those_of_intels_white_paper()
    {
        // Gueron, Intel Advanced Encryption Standard (AES) New Instructions Set, figures 15 to 20.
        Vector128<byte> state = Big("7B5B54657374566563746F725D53475D"), key = Big("48692853686179295B477565726F6E5D");
        Assert.Equal(Big("A8311C2F9FDBA3C58B104B58DED7E595"), AesEncrypt.Apply(state, key));
        Assert.Equal(Big("C7FB881E938C5964177EC42553FDC611"), AesEncryptLast.Apply(state, key));
        Assert.Equal(Big("138AC342FAEA2787B58EB95EB730392A"), AesDecrypt.Apply(state, key));
        Assert.Equal(Big("C5A391EF6B317F95D410637B72A593D0"), AesDecryptLast.Apply(state, key));
        // FIPS 197 appendix C.1, the equivalent inverse cipher's first key.
        Assert.Equal(V("13AA29BE9C8FAFF6F770F58000F7BF03"), AesInverseMixColumns.Apply(V("549932D1F08557681093ED9CBE2C974E")));
        Assert.Equal(Big("01EB848BEB848A013424B5E524B5E434"), AesKeyAssist.Apply(Big("3C4FCF098815F7ABA6D2AE2816157E2B"), 1));
    }

    [Theory]
    [InlineData(0x00, "1D4D84C85C3440C0929633D5D36F0451")]
    [InlineData(0x01, "1A2BF6DB3A30862FBABF262DF4B7D5C9")]
    [InlineData(0x10, "1BD17C8D556AB5A17FA540AC2A281315")]
    [InlineData(0x11, "1D1E1F2C592E7C45D66EE03E410FD4ED")]
    [InlineData(0xEE, "1D4D84C85C3440C0929633D5D36F0451")]
    public void Carry_less_products_are_those_of_intels_white_paper(byte imm, string expected)
    {
        // Gueron and Kounavis, Intel Carry-Less Multiplication Instruction, section "PCLMULQDQ instruction definition".
        Vector128<byte> a = Big("7B5B54657374566563746F725D53475D"), b = Big("48692853686179295B477565726F6E5D");
        Assert.Equal(Big(expected), CarrylessProduct.Apply(a, b, imm));
    }

    [Theory]
    [InlineData("abc", "A9993E364706816ABA3E25717850C26C9CD0D89D")]
    [InlineData("", "DA39A3EE5E6B4B0D3255BFEF95601890AFD80709")]
    public void Sha_1_hashes_the_standards_example(string text, string expected)
    {
        uint[] words = Block(text);
        uint[] h = [0x67452301, 0xEFCDAB89, 0x98BADCFE, 0x10325476, 0xC3D2E1F0];
        var message = new Vector128<byte>[20];
        for (int i = 0; i < 4; i++)
            message[i] = Vector128.Create(words[4 * i + 3], words[4 * i + 2], words[4 * i + 1], words[4 * i]).AsByte();
        for (int i = 4; i < 20; i++)
            message[i] = Sha1Message2.Apply(Sha1Message1.Apply(message[i - 4], message[i - 3]) ^ message[i - 2], message[i - 1]);
        Vector128<byte> start = Vector128.Create(h[3], h[2], h[1], h[0]).AsByte(), state = start, before = default;
        for (int i = 0; i < 20; i++)
        {
            Vector128<byte> e = i == 0 ? (message[0].AsUInt32() + Vector128.Create(0, 0, 0, h[4])).AsByte() : Sha1NextE.Apply(before, message[i]);
            before = state;
            state = Sha1Rounds.Apply(state, e, (byte)(i / 5));
        }

        Vector128<uint> sum = state.AsUInt32() + start.AsUInt32();
        uint last = Sha1NextE.Apply(before, Vector128.Create(0, 0, 0, h[4]).AsByte()).AsUInt32()[3];
        Assert.Equal(expected, $"{sum[3]:X8}{sum[2]:X8}{sum[1]:X8}{sum[0]:X8}{last:X8}");
    }

    [Theory]
    [InlineData("abc", "BA7816BF8F01CFEA414140DE5DAE2223B00361A396177A9CB410FF61F20015AD")]
    [InlineData("", "E3B0C44298FC1C149AFBF4C8996FB92427AE41E4649B934CA495991B7852B855")]
    public void Sha_256_hashes_the_standards_example(string text, string expected)
    {
        uint[] words = Block(text);
        var message = new Vector128<byte>[16];
        for (int i = 0; i < 4; i++)
            message[i] = Vector128.Create(words[4 * i], words[4 * i + 1], words[4 * i + 2], words[4 * i + 3]).AsByte();
        for (int i = 4; i < 16; i++)
        {
            Vector128<uint> middle = AlignRight.Apply(message[i - 1], message[i - 2], 4).AsUInt32();
            message[i] = Sha256Message2.Apply((Sha256Message1.Apply(message[i - 4], message[i - 3]).AsUInt32() + middle).AsByte(), message[i - 1]);
        }

        Vector128<byte> abef = Vector128.Create(0x9B05688C, 0x510E527F, 0xBB67AE85, 0x6A09E667).AsByte();
        Vector128<byte> cdgh = Vector128.Create(0x5BE0CD19, 0x1F83D9AB, 0xA54FF53A, 0x3C6EF372).AsByte();
        (Vector128<byte> first, Vector128<byte> second) = (abef, cdgh);
        for (int i = 0; i < 64; i += 2)
        {
            Vector128<uint> sums = Vector128.Create(Constant(i), Constant(i + 1), 0, 0)
                + AlignRight.Apply(default, message[i / 4], (byte)(i % 4 * 4)).AsUInt32();
            (abef, cdgh) = (Sha256Rounds.Apply(cdgh, abef, sums.AsByte()), abef);
        }

        Vector128<uint> x = abef.AsUInt32() + first.AsUInt32(), y = cdgh.AsUInt32() + second.AsUInt32();
        Assert.Equal(expected, $"{x[3]:X8}{x[2]:X8}{y[3]:X8}{y[2]:X8}{x[1]:X8}{x[0]:X8}{y[1]:X8}{y[0]:X8}");
    }

    /// <summary>FIPS 197 5.2.</summary>
    private static Vector128<byte>[] Expand(Vector128<byte> key)
    {
        var keys = new Vector128<byte>[11];
        keys[0] = key;
        byte constant = 1;
        for (int i = 1; i < keys.Length; i++)
        {
            uint mixed = AesKeyAssist.Apply(keys[i - 1], constant).AsUInt32()[3];
            Vector128<byte> previous = keys[i - 1];
            previous ^= ShiftBytesLeft.Apply(previous, 4);
            previous ^= ShiftBytesLeft.Apply(previous, 8);
            keys[i] = previous ^ Vector128.Create(mixed).AsByte();
            constant = (byte)(constant << 1 ^ (constant >> 7) * 0x1B);
        }

        return keys;
    }

    /// <summary>One padded block, FIPS 180-4 5.1.1, as words.</summary>
    private static uint[] Block(string text)
    {
        byte[] block = new byte[64];
        int length = Encoding.ASCII.GetBytes(text, block);
        block[length] = 0x80;
        block[63] = (byte)(length * 8);
        return [.. Enumerable.Range(0, 16).Select(i =>
            (uint)block[4 * i] << 24 | (uint)block[4 * i + 1] << 16 | (uint)block[4 * i + 2] << 8 | block[4 * i + 3])];
    }

    /// <summary>FIPS 180-4 4.2.2: the fractions of the cube roots of the first primes.</summary>
    private static uint Constant(int index)
    {
        int prime = 1;
        for (int found = -1; found < index;)
        {
            prime++;
            bool isPrime = true;
            for (int d = 2; d * d <= prime; d++)
                isPrime &= prime % d != 0;
            found += isPrime ? 1 : 0;
        }

        UInt128 target = (UInt128)(ulong)prime << 96, root = 0;
        for (int bit = 36; bit >= 0; bit--)
        {
            UInt128 candidate = root | UInt128.One << bit;
            if (candidate <= UInt128.MaxValue / candidate / candidate && candidate * candidate * candidate <= target)
                root = candidate;
        }

        return (uint)root;
    }
}
