using Iced.Intel;

namespace Hv.Conformance.Campaigns.Forms;

/// <summary>Every form that exists, from Iced's table; nothing is typed by hand.</summary>
public static class FormList
{
    /// <summary>All forms of the encodings that hv's processor model can have (x86-64-v3: legacy and VEX), in all three code modes.</summary>
    public static IReadOnlyList<Form> All { get; } = [.. Build()];

    /// <summary>The mnemonics among <see cref="All"/>, by name.</summary>
    public static IReadOnlyList<string> Names { get; } = [.. All.Select(f => f.OpCode.Mnemonic.ToString()).Distinct().Order(StringComparer.Ordinal)];

    /// <summary>The forms of one instruction.</summary>
    /// <exception cref="ArgumentException">No instruction has this name; the message names near ones.</exception>
    public static IReadOnlyList<Form> OfInstruction(string name)
    {
        Form[] forms = [.. All.Where(f => f.OpCode.Mnemonic.ToString().Equals(name, StringComparison.OrdinalIgnoreCase))];
        if (forms.Length > 0)
            return forms;
        string start = name.Length == 0 ? "" : name[..1];
        string near = string.Join(' ', Names.Where(n => n.StartsWith(start, StringComparison.OrdinalIgnoreCase)).Take(120));
        throw new ArgumentException($"no instruction is called '{name}'; those that begin like it: " +
            $"{(near.Length > 0 ? near : "none. Names are mnemonics, such as add or cmpxchg")}");
    }

    /// <summary>The forms of one group.</summary>
    /// <exception cref="ArgumentException">No group has this name; the message names all.</exception>
    public static IReadOnlyList<Form> OfGroup(string name)
    {
        Form[] forms = [.. All.Where(f => f.Feature.Split('+').Contains(name, StringComparer.OrdinalIgnoreCase))];
        return forms.Length > 0 ? forms : throw new ArgumentException($"no group is called '{name}'; the groups are " +
            string.Join(' ', All.SelectMany(f => f.Feature.Split('+')).Distinct().Order(StringComparer.Ordinal)));
    }

    private static IEnumerable<Form> Build()
    {
        foreach (Code code in Enum.GetValues<Code>())
        {
            OpCodeInfo opcode = code.ToOpCode();
            if (!opcode.IsInstruction || opcode.Encoding is not (EncodingKind.Legacy or EncodingKind.VEX) || opcode.Fwait || NoSuchProcessor(opcode))
                continue;
            if (opcode.Mode64)
                yield return new Form(code, CodeMode.Bits64);
            if (opcode.Mode32)
                yield return new Form(code, CodeMode.Bits32);
            if (opcode.Mode16)
                yield return new Form(code, CodeMode.Bits16);
        }
    }

    /// <summary>Rows that Iced decodes on request only, or that belong to processors long gone, other makers' or accelerators: all of these need a
    /// decoder option.</summary>
    private static bool NoSuchProcessor(OpCodeInfo opcode) => opcode.DecoderOption != DecoderOptions.None;
}
