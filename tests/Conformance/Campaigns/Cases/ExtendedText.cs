using System.Globalization;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using System.Text;
using Hv.Conformance.Oracle;

namespace Hv.Conformance.Campaigns.Cases;

/// <summary>
/// x87, SSE and AVX state as words of a case's line: <c>fcw fsw ftw fop fip fdp mx</c> (MXCSR), <c>f0</c> to <c>f7</c> (physical x87 registers: sign
/// and exponent, then significand, 20 digits) and <c>y0</c> to <c>y15</c> (YMM registers as one number). Only what differs is written.
/// </summary>
public static class ExtendedText
{
    /// <summary>What a line starts from: FNINIT's and reset's state.</summary>
    public static ExtendedState Default { get; } = new() { Control = 0x37F, Mxcsr = 0x1F80, Parts = ExtendedState.AllParts };

    /// <summary>Writes the words that lead from one state to another.</summary>
    public static void Append(StringBuilder text, in ExtendedState from, in ExtendedState to)
    {
        Number(text, "fcw", from.Control, to.Control);
        Number(text, "fsw", from.Status, to.Status);
        Number(text, "ftw", from.Tags, to.Tags);
        Number(text, "fop", from.Opcode, to.Opcode);
        Number(text, "fip", from.InstructionPointer, to.InstructionPointer);
        Number(text, "fdp", from.OperandPointer, to.OperandPointer);
        Number(text, "mx", from.Mxcsr, to.Mxcsr);
        for (int i = 0; i < 8; i++)
        {
            StackRegister a = from.Stack[i - from.Top & 7], b = to.Stack[i - to.Top & 7];
            if (a.Significand != b.Significand || a.SignExponent != b.SignExponent)
                text.Append(CultureInfo.InvariantCulture, $" f{i}={b.SignExponent:x4}{b.Significand:x16}");
        }

        for (int i = 0; i < 16; i++)
            if (from.Xmm[i] != to.Xmm[i] || from.Upper[i] != to.Upper[i])
                text.Append(CultureInfo.InvariantCulture, $" y{i}={Hex(to.Xmm[i], to.Upper[i])}");
    }

    /// <summary>Applies one word.</summary>
    /// <returns>Whether the word is one of these.</returns>
    public static bool TryApply(ref ExtendedState state, string name, string value)
    {
        switch (name)
        {
            case "fcw":
                state.Control = ushort.Parse(value, NumberStyles.HexNumber, CultureInfo.InvariantCulture);
                return true;
            case "fsw":
                state.SetStatus(ushort.Parse(value, NumberStyles.HexNumber, CultureInfo.InvariantCulture));
                return true;
            case "ftw":
                state.Tags = byte.Parse(value, NumberStyles.HexNumber, CultureInfo.InvariantCulture);
                return true;
            case "fop":
                state.Opcode = ushort.Parse(value, NumberStyles.HexNumber, CultureInfo.InvariantCulture);
                return true;
            case "fip":
                state.InstructionPointer = ulong.Parse(value, NumberStyles.HexNumber, CultureInfo.InvariantCulture);
                return true;
            case "fdp":
                state.OperandPointer = ulong.Parse(value, NumberStyles.HexNumber, CultureInfo.InvariantCulture);
                return true;
            case "mx":
                state.Mxcsr = uint.Parse(value, NumberStyles.HexNumber, CultureInfo.InvariantCulture);
                return true;
        }

        if (name.Length < 2 || name[0] is not ('f' or 'y')
            || !int.TryParse(name[1..], NumberStyles.None, CultureInfo.InvariantCulture, out int number)
            || number > (name[0] == 'f' ? 7 : 15))
            return false;
        if (name[0] == 'f')
        {
            state.Stack[number - state.Top & 7] = new StackRegister
            {
                SignExponent = ushort.Parse(value.AsSpan(0, value.Length - 16), NumberStyles.HexNumber, CultureInfo.InvariantCulture),
                Significand = ulong.Parse(value.AsSpan(value.Length - 16), NumberStyles.HexNumber, CultureInfo.InvariantCulture),
            };
            return true;
        }

        Span<byte> bytes = stackalloc byte[32];
        bytes.Clear();
        Convert.FromHexString(value.PadLeft(64, '0')).CopyTo(bytes);
        bytes.Reverse();
        state.Xmm[number] = Vector128.Create<byte>(bytes[..16]);
        state.Upper[number] = Vector128.Create<byte>(bytes[16..]);
        return true;
    }

    /// <summary>What differs between silicon's and hv's state, in words.</summary>
    public static void Describe(List<string> parts, in ExtendedState silicon, in ExtendedState ours)
    {
        var a = new StringBuilder();
        var b = new StringBuilder();
        Append(a, in ours, in silicon);
        Append(b, in silicon, in ours);
        string[] left = a.ToString().Split(' ', StringSplitOptions.RemoveEmptyEntries);
        string[] right = b.ToString().Split(' ', StringSplitOptions.RemoveEmptyEntries);
        for (int i = 0; i < left.Length; i++)
            parts.Add($"{left[i].Replace('=', ' ')} not {right[i][(right[i].IndexOf('=') + 1)..]}");
    }

    private static void Number(StringBuilder text, string name, ulong from, ulong to)
    {
        if (from != to)
            text.Append(CultureInfo.InvariantCulture, $" {name}={to:x}");
    }

    private static string Hex(Vector128<byte> low, Vector128<byte> high)
    {
        Span<byte> bytes = stackalloc byte[32];
        low.CopyTo(bytes);
        high.CopyTo(bytes[16..]);
        bytes.Reverse();
        string text = Convert.ToHexStringLower(bytes).TrimStart('0');
        return text.Length == 0 ? "0" : text;
    }
}
