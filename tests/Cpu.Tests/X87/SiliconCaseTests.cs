using System.Globalization;
using Hv.Core;
using Hv.Cpu.State;

namespace Hv.Cpu.Tests.X87;

/// <summary>Every x87 instruction against what a real processor made of the same state: the cases and their origin are in
/// <c>silicon.cases</c>.</summary>
public sealed class SiliconCaseTests
{
    private const ulong Code = 0x21000, Operand = 0x10000, StatusFlags = 0x8C5;

    private static readonly string[] _lines = Read();

    public static TheoryData<string> Forms => [.. _lines.Select(line => line[..line.IndexOf(' ')]).Distinct()];

    [Theory]
    [MemberData(nameof(Forms))]
    public void Leaves_the_state_that_silicon_leaves(string form)
    {
        using Guest guest = Guest.Long();
        string[] cases = [.. _lines.Where(line => line.StartsWith(form + " ", StringComparison.Ordinal))];
        Assert.NotEmpty(cases);
        foreach (string line in cases)
            Check(guest, line.Split(" > ")[0].Split(' '), line.Split(" > ")[1].Split(' '), line);
    }

    private static void Check(Guest guest, string[] before, string[] after, string line)
    {
        byte[] code = Convert.FromHexString(before[0]);
        Load(guest, before, code);
        guest.Cpu.Run(1);

        var expected = new X87Register[8];
        int top = (int)Number(before[2]) >> 11 & 7;
        (expected[top], expected[(top + 1) & 7]) = (Register(before[4]), Register(before[5]));
        (ulong low, ulong high) = (Number(before[6]), Number(before[7]));
        foreach (string change in after[8..])
        {
            X87Register value = Register(change[(change.IndexOf('=') + 1)..]);
            if (change[0] == 'R')
                expected[change[1] - '0'] = value;
            else
                (low, high) = (value.Significand, value.SignExponent);
        }

        ref FpuState fpu = ref guest.Cpu.State.Fpu;
        Assert.Equal((Code + (ulong)code.Length, line), (guest.Gpr.Rip, line));
        Assert.Equal((string.Join(' ', after[..6]), line),
            ($"{fpu.Control:X4} {fpu.Status:X4} {fpu.Tags:X2} {fpu.Opcode:X3} {fpu.InstructionPointer:X} {fpu.OperandPointer:X}", line));
        Assert.Equal((Number(after[6]), Number(after[7]), line), (guest.Gpr.Rflags & StatusFlags, guest.Gpr.Rax, line));
        for (int i = 0; i < 8; i++)
            Assert.Equal((expected[i].SignExponent, expected[i].Significand, line), (fpu.X87[i].SignExponent, fpu.X87[i].Significand, line));
        Assert.Equal((low, high, line), (guest.Read(Operand), guest.Read(Operand + 8), line));
    }

    private static void Load(Guest guest, string[] before, byte[] code)
    {
        ref FpuState fpu = ref guest.Cpu.State.Fpu;
        fpu = default;
        (fpu.Control, fpu.Status, fpu.Tags) = ((ushort)Number(before[1]), (ushort)Number(before[2]), (byte)Number(before[3]));
        int top = fpu.Status >> 11 & 7;
        (fpu.X87[top], fpu.X87[(top + 1) & 7]) = (Register(before[4]), Register(before[5]));
        Assert.True(guest.Memory.TryWrite(new Gpa(Operand), Number(before[6])));
        Assert.True(guest.Memory.TryWrite(new Gpa(Operand + 8), Number(before[7])));
        Assert.True(guest.Memory.TryWrite(new Gpa(Code), code));
        (guest.Gpr.Rip, guest.Gpr.Rsi, guest.Gpr.Rax, guest.Gpr.Rflags) = (Code, Operand, 0x1234, Number(before[8]) | 2);
    }

    private static X87Register Register(string text)
    {
        string[] halves = text.Split(':');
        return new X87Register { SignExponent = Number(halves[0]), Significand = Number(halves[1]) };
    }

    private static ulong Number(string text) => ulong.Parse(text, NumberStyles.HexNumber, CultureInfo.InvariantCulture);

    private static string[] Read()
    {
        using Stream stream = typeof(SiliconCaseTests).Assembly.GetManifestResourceStream("Hv.Cpu.Tests.X87.silicon.cases")!;
        using var reader = new StreamReader(stream);
        return [.. reader.ReadToEnd().Split('\n').Where(line => line.Length > 0 && line[0] != '#')];
    }
}
