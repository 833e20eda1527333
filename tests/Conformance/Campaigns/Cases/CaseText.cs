using System.Globalization;
using System.Text;
using Hv.Conformance.Campaigns.Forms;
using Hv.Conformance.Oracle;

namespace Hv.Conformance.Campaigns.Cases;

/// <summary>
/// One case on one line: <c>MODE WAY BYTES ; STATE ; RESULT</c>. MODE is 64, 32 or 16; WAY is j (entered by a jump), i (by IRETQ) or t (stepped by
/// the trap flag), and x after it where x87, SSE and AVX state takes part (see <see cref="ExtendedText"/>).
/// STATE names what is not at its default: registers (0; rsp <see cref="DefaultStack"/>, as an offset in 16-bit code), <c>fl</c> (202) and
/// <c>m+OFFSET</c> memory runs (0).
/// RESULT is <c>ok</c> or <c>#VECTOR/ERROR@ADDRESS</c>, then RIP unless it is after the instruction (or, for a fault, on it), then everything that
/// changed. Numbers are hexadecimal.
/// </summary>
public static class CaseText
{
    public const ulong DefaultStack = OracleMap.Window + OracleMap.WindowSize / 2, DefaultFlags = 0x202;
    private static readonly string[] _registers = ["rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi", "r8", "r9", "r10", "r11", "r12",
        "r13", "r14", "r15"];
    private static readonly (ulong Bit, string Name)[] _flags =
        [(1, "CF"), (4, "PF"), (0x10, "AF"), (0x40, "ZF"), (0x80, "SF"), (0x100, "TF"), (0x200, "IF"), (0x400, "DF"), (0x800, "OF"),
            (0x3000, "IOPL"), (0x4000, "NT"), (0x4_0000, "AC"), (0x20_0000, "ID")];

    /// <summary>The name of register <paramref name="number"/>.</summary>
    public static string RegisterName(int number) => _registers[number];

    /// <summary>The names of the flags in <paramref name="bits"/>.</summary>
    public static string FlagNames(ulong bits) => string.Join('+', _flags.Where(f => (bits & f.Bit) != 0).Select(f => f.Name));

    /// <summary>An outcome in words.</summary>
    public static string OutcomeName(uint vector) => vector switch
    {
        Outcome.Completed => "completed",
        Outcome.SystemCall => "left the processor",
        Outcome.WorkerDied => "never ended",
        _ => $"exception {vector}",
    };

    /// <summary>The state that a line's STATE starts from.</summary>
    public static CaseRecord Default(CodeMode mode = CodeMode.Bits64)
    {
        CaseRecord record = default;
        record.Registers[4] = mode == CodeMode.Bits16 ? DefaultStack - OracleMap.Data : DefaultStack;
        record.Rflags = DefaultFlags;
        record.Extended = ExtendedText.Default;
        return record;
    }

    /// <summary>Writes a case with its normalised result.</summary>
    public static string Format(CodeSlot slot, in CaseRecord input, in CaseRecord result)
    {
        var text = new StringBuilder();
        text.Append(CultureInfo.InvariantCulture, $"{(int)slot.Mode} {"jit"[(int)slot.Way]}{(slot.HasExtended ? "x" : "")} " +
            $"{Convert.ToHexStringLower(slot.Bytes)} ;");
        CaseRecord plain = Default(slot.Mode);
        AppendState(text, in plain, in input, slot.Way == EntryWay.Stepped ? 0x100ul : 0);
        if (slot.HasExtended)
            ExtendedText.Append(text, in plain.Extended, in input.Extended);
        text.Append(" ;");
        AppendOutcome(text, slot, in result);
        AppendState(text, in input, in result, 0, slot.Way == EntryWay.Stepped ? 0x100ul : 0);
        if (slot.HasExtended)
            ExtendedText.Append(text, in input.Extended, in result.Extended);
        return text.ToString();
    }

    /// <summary>Reads a line.</summary>
    /// <exception cref="FormatException">It is not a case; the message says where.</exception>
    public static (CodeSlot Slot, CaseRecord Input, CaseRecord Result) Parse(string line, uint offset)
    {
        string[] parts = line.Split(';', StringSplitOptions.TrimEntries);
        string[] head = parts[0].Split(' ', StringSplitOptions.RemoveEmptyEntries);
        if (parts.Length != 3 || head.Length != 3 || head[1] is not ("j" or "i" or "t" or "jx" or "ix" or "tx"))
            throw new FormatException($"not a recorded case (MODE WAY BYTES ; STATE ; RESULT): {line}");
        var mode = (CodeMode)byte.Parse(head[0], CultureInfo.InvariantCulture);
        var way = (EntryWay)"jit".IndexOf(head[1][0], StringComparison.Ordinal);
        var slot = new CodeSlot(Convert.FromHexString(head[2]), mode, way, offset, head[1].Length > 1);
        CaseRecord input = Default(mode);
        foreach (string word in parts[1].Split(' ', StringSplitOptions.RemoveEmptyEntries))
            Apply(ref input, word);
        if (way == EntryWay.Stepped)
            input.Rflags |= 0x100;
        slot.Enter(ref input);
        CaseRecord result = input;
        result.Rflags = input.Rflags & ~(way == EntryWay.Stepped ? 0x100ul : 0);
        string[] words = parts[2].Split(' ', StringSplitOptions.RemoveEmptyEntries);
        ParseOutcome(ref result, slot, words[0]);
        foreach (string word in words[1..])
            Apply(ref result, word, slot.StartRip);
        return (slot, input, result);
    }

    private static void AppendOutcome(StringBuilder text, CodeSlot slot, in CaseRecord result)
    {
        ulong expected = slot.StartRip;
        if (result.Vector == Outcome.Completed)
        {
            text.Append(" ok");
            expected += (uint)slot.Bytes.Length;
        }
        else if (result.Vector < 32)
        {
            text.Append(CultureInfo.InvariantCulture, $" #{result.Vector}");
            if (result.ErrorCode != 0 || result.Vector == 14)
                text.Append(CultureInfo.InvariantCulture, $"/{result.ErrorCode:x}");
            if (result.Vector == 14)
                text.Append(CultureInfo.InvariantCulture, $"@{result.Address:x}");
        }
        else
        {
            text.Append(result.Vector == Outcome.SystemCall ? " left" : " never");
        }

        if (result.Rip != expected)
            text.Append(CultureInfo.InvariantCulture, $" rip+{result.Rip - slot.StartRip:x}");
    }

    private static void ParseOutcome(ref CaseRecord result, CodeSlot slot, string word)
    {
        result.Cs = result.Ss = result.Ds = result.Es = 0;
        result.ErrorCode = 0;
        result.Address = 0;
        result.Rip = slot.StartRip;
        if (word == "ok")
        {
            result.Vector = Outcome.Completed;
            result.Rip += (uint)slot.Bytes.Length;
            return;
        }

        if (word[0] != '#')
        {
            result.Vector = word == "left" ? Outcome.SystemCall : Outcome.WorkerDied;
            return;
        }

        int slash = word.IndexOf('/');
        int at = word.IndexOf('@');
        int vectorEnd = slash >= 0 ? slash : word.Length;
        result.Vector = uint.Parse(word[1..vectorEnd], CultureInfo.InvariantCulture);
        if (slash >= 0)
            result.ErrorCode = uint.Parse(word[(slash + 1)..(at >= 0 ? at : word.Length)], NumberStyles.HexNumber, CultureInfo.InvariantCulture);
        if (at >= 0)
            result.Address = Hex(word[(at + 1)..]);
    }

    private static void AppendState(StringBuilder text, in CaseRecord from, in CaseRecord to, ulong ignoredInTo, ulong ignoredInFrom = 0)
    {
        for (int i = 0; i < 16; i++)
            if (from.Registers[i] != to.Registers[i])
                text.Append(CultureInfo.InvariantCulture, $" {_registers[i]}={to.Registers[i]:x}");
        if ((from.Rflags & ~ignoredInFrom) != (to.Rflags & ~ignoredInTo))
            text.Append(CultureInfo.InvariantCulture, $" fl={to.Rflags & ~ignoredInTo:x}");
        ReadOnlySpan<byte> a = from.Memory;
        ReadOnlySpan<byte> b = to.Memory;
        for (int i = 0; i < a.Length; i++)
        {
            if (a[i] == b[i])
                continue;
            int end = i + 1;
            while (end < a.Length && (a[end] != b[end] || (end + 1 < a.Length && a[end + 1] != b[end + 1])))
                end++;
            text.Append(CultureInfo.InvariantCulture, $" m+{i:x}={Convert.ToHexStringLower(b[i..end])}");
            i = end;
        }
    }

    private static void Apply(ref CaseRecord record, string word, ulong start = 0)
    {
        if (word.StartsWith("rip", StringComparison.Ordinal))
        {
            record.Rip = start + Hex(word[4..]);
            return;
        }

        int equals = word.IndexOf('=');
        if (equals < 0)
            throw new FormatException($"'{word}' is not NAME=HEX");
        string name = word[..equals];
        string value = word[(equals + 1)..];
        int register = Array.IndexOf(_registers, name);
        if (register >= 0)
            record.Registers[register] = Hex(value);
        else if (name == "fl")
            record.Rflags = Hex(value);
        else if (name.StartsWith("m+", StringComparison.Ordinal))
            Convert.FromHexString(value).CopyTo(((Span<byte>)record.Memory)[(int)Hex(name[2..])..]);
        else if (!ExtendedText.TryApply(ref record.Extended, name, value))
            throw new FormatException($"'{name}' is neither a register, nor fl, nor m+OFFSET");
    }

    private static ulong Hex(string text) => ulong.Parse(text, NumberStyles.HexNumber, CultureInfo.InvariantCulture);
}
