using System.Globalization;
using System.Runtime.Intrinsics;
using Hv.Cpu.State;

namespace Hv.Cpu.Tests.Simd;

/// <summary>Floating-point instructions against results of a real processor, in <c>FloatCases.txt</c>: every mnemonic, its SSE and VEX forms, edge
/// operands, all kinds of MXCSR.</summary>
public sealed class FloatCaseTests
{
    private const byte SimdFloatingPoint = 19;

    public static TheoryData<string> Cases()
    {
        using Stream stream = typeof(FloatCaseTests).Assembly.GetManifestResourceStream("FloatCases.txt")!;
        using var reader = new StreamReader(stream);
        return [.. reader.ReadToEnd().Split('\n').Where(l => l.Length > 0 && l[0] != '#')];
    }

    [Fact]
    public void There_are_cases() => Assert.True(Cases().Count > 500);

    [Theory]
    [MemberData(nameof(Cases), DisableDiscoveryEnumeration = true)]
    public void Silicon_agrees(string line)
    {
        string[] f = line.Split(' ');
        using Guest guest = VectorGuest.Create();
        ref CpuState s = ref guest.Cpu.State;
        for (int i = 0; i < 3; i++)
            s.Fpu.Vectors[i] = Vector(f[2 + i], 0x5A5A5A5A5A5A5A5A);
        s.Fpu.Mxcsr = (uint)Number(f[1]);
        s.Gpr.Rax = s.Gpr.Rcx = Number(f[5]);
        RunResult result = guest.Execute(1, Convert.FromHexString(f[0]));

        bool faults = f[7] == "xm";
        Assert.Equal(faults ? RunResult.Event : RunResult.Budget, result);
        if (faults)
            Assert.Equal(SimdFloatingPoint, (byte)guest.Cpu.Event.Index);
        Assert.Equal(Number(f[8]), s.Fpu.Mxcsr);
        AssertVector(f[9], s.Fpu.Vectors[0]);
        AssertVector(f[10], s.Fpu.Vectors[1]);
        Assert.Equal(Number(f[11]), s.Gpr.Rax);
        Assert.Equal(Number(f[12]), s.Gpr.Rcx);
        if (f[13] != "-")
            Assert.Equal(Number(f[13]), s.Gpr.Rflags & 0x8D5);
    }

    private static ulong Number(string digits) => ulong.Parse(digits, NumberStyles.HexNumber, CultureInfo.InvariantCulture);

    private static Vector256<byte> Vector(string digits, ulong above)
    {
        Vector256<ulong> vector = Vector256.Create(above);
        for (int i = 0; i < digits.Length / 16; i++)
            vector = vector.WithElement(i, Number(digits.Substring(digits.Length - 16 * (i + 1), 16)));
        return vector.AsByte();
    }

    private static void AssertVector(string digits, Vector256<byte> actual)
    {
        Vector256<ulong> halves = actual.AsUInt64();
        string all = $"{halves[3]:x16}{halves[2]:x16}{halves[1]:x16}{halves[0]:x16}";
        Assert.Equal(digits.PadLeft(64, '.'), digits.Length == 64 ? all : all[32..].PadLeft(64, '.'));
        if (digits.Length < 64)
            Assert.Equal("5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a", all[..32]);
    }
}
