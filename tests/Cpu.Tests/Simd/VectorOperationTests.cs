using System.Runtime.Intrinsics;

namespace Hv.Cpu.Tests.Simd;

/// <summary>Operations on integer vectors against the model that is written from the manuals' pseudo-code. Where the implementation uses the host's
/// vector instructions this compares the model with silicon too; <see cref="PortablePathTests"/> runs it again without them.</summary>
public sealed class VectorOperationTests
{
    private const int Samples = 600;

    public static TheoryData<string> Names => [.. VectorCases.All.Keys];

    [Theory]
    [MemberData(nameof(Names))]
    public void An_operation_does_what_the_manual_says(string name)
    {
        VectorCase c = VectorCases.All[name];
        var random = new Random(name.Length * 7919 + name[^1]);
        byte[] a = new byte[32], b = new byte[32];
        for (int i = 0; i < Samples; i++)
        {
            VectorSamples.Fill(random, a);
            VectorSamples.Fill(random, b);
            byte imm = (byte)random.Next(i % 4 == 0 ? 256 : 40);
            if (c.Ours is { } ours)
                Check(c.Expected(a[..16], b[..16], imm), Bytes(ours(Vector128.Create(a), Vector128.Create(b), imm)), name, a[..16], b[..16], imm);
            if (c.OursWide is not { } wide)
                continue;
            byte[] expected = c.ExpectedWide is { } model ? model(a, b, imm)
                : [.. c.Expected(a[..16], b[..16], imm), .. c.Expected(a[16..], b[16..], imm)];
            Check(expected, Bytes(wide(Vector256.Create(a), Vector256.Create(b), imm)), name, a, b, imm);
        }
    }

    private static void Check(byte[] expected, byte[] actual, string name, byte[] a, byte[] b, byte imm) =>
        Assert.True(expected.AsSpan().SequenceEqual(actual), $"{name} {Convert.ToHexString(a)} {Convert.ToHexString(b)} {imm:x2}: "
            + $"{Convert.ToHexString(actual)}, not {Convert.ToHexString(expected)}");

    private static byte[] Bytes(Vector128<byte> v)
    {
        byte[] bytes = new byte[16];
        v.CopyTo(bytes);
        return bytes;
    }

    private static byte[] Bytes(Vector256<byte> v)
    {
        byte[] bytes = new byte[32];
        v.CopyTo(bytes);
        return bytes;
    }
}

/// <summary>Operands with many edges: extremes of every element size, small numbers, repeats, and random bytes.</summary>
internal static class VectorSamples
{
    private static readonly ulong[] s_edges =
    [
        0, 1, 2, 7, 8, 15, 16, 17, 31, 32, 33, 63, 64, 65, 0x7F, 0x80, 0x81, 0xFF, 0x7FFF, 0x8000, 0x8001, 0xFFFF, 0x7FFF_FFFF, 0x8000_0000,
        0xFFFF_FFFF, 0x7FFF_FFFF_FFFF_FFFF, 0x8000_0000_0000_0000, ulong.MaxValue,
    ];

    internal static void Fill(Random random, byte[] bytes)
    {
        random.NextBytes(bytes);
        int size = 1 << random.Next(4);
        if (random.Next(4) == 0)
            return;
        for (int i = 0; i < bytes.Length; i += size)
        {
            ulong edge = s_edges[random.Next(s_edges.Length)];
            for (int k = 0; k < size && random.Next(5) != 0; k++)
                bytes[i + k] = (byte)(edge >> (8 * k));
        }
    }
}
