using System.Buffers.Binary;
using System.Globalization;
using Hv.Conformance.Ring0.Cases;
using Hv.Conformance.Ring0.Guest;

namespace Hv.Conformance.Ring0.Results;

/// <summary>What an engine made of a case.</summary>
public sealed class CaseResult
{
    /// <summary>Ends without a record.</summary>
    public const string Shutdown = "shutdown", Hang = "hang";

    private const uint ResumeFlag = 1 << 16;

    private static readonly string[] _mnemonics =
    [
        "#DE", "#DB", "NMI", "#BP", "#OF", "#BR", "#UD", "#NM", "#DF", "9", "#TS", "#NP", "#SS", "#GP", "#PF", "15", "#MF", "#AC", "#MC", "#XM",
    ];

    private readonly Ring0Case _case;
    private readonly ulong[] _record = new ulong[(int)RecordField.HandlerBits + 1];
    private readonly Dictionary<uint, uint> _changes = [];
    private readonly byte[]? _arena;

    private CaseResult(Ring0Case @case, string text, string? end)
    {
        _case = @case;
        Text = text;
        if (end is not null)
        {
            Outcome = end;
            return;
        }

        string[] halves = text.Split('|');
        string[] words = halves[0].Split(' ', StringSplitOptions.RemoveEmptyEntries);
        if (halves.Length != 2 || words.Length != _record.Length)
            throw new FormatException($"a damaged line for {@case.Name}: '{text}'");
        for (int i = 0; i < words.Length; i++)
            _record[i] = Wide(words[i]);
        _arena = ArenaTemplate.Of(@case.Mode).ToArray();
        foreach ((uint address, byte[] bytes) in @case.Pokes)
            bytes.CopyTo(_arena, address - Layout.Arena);
        foreach (string change in halves[1].Split(' ', StringSplitOptions.RemoveEmptyEntries))
        {
            int colon = change.IndexOf(':', StringComparison.Ordinal);
            uint offset = Hex(change[..colon]) * 4, value = Hex(change[(colon + 1)..]);
            _changes[Layout.Arena + offset] = value;
            BinaryPrimitives.WriteUInt32LittleEndian(_arena.AsSpan((int)offset), value);
        }

        Frame = ReadFrame();
        Outcome = Describe();
    }

    /// <summary>A printed line, without its index.</summary>
    public static CaseResult Of(Ring0Case @case, string line) => new(@case, line, null);

    /// <summary>A case that ended its engine.</summary>
    public static CaseResult Ended(Ring0Case @case, string how) => new(@case, how, how);

    /// <summary>The line; equal lines are equal results.</summary>
    public string Text { get; }

    /// <summary>
    /// The name of the mark where the case ended, or an exception as <c>#GP(10)</c>: its error code in hexadecimal, then, unless it is the tested
    /// instruction's, where it lies; or how the engine ended.
    /// </summary>
    public string Outcome { get; }

    /// <summary>The frame that the last handler found.</summary>
    public Frame? Frame { get; }

    /// <summary>A word of the record.</summary>
    public ulong this[RecordField field] => _record[(int)field];

    /// <summary>Up to 8 bytes of the arena as the case left them.</summary>
    public ulong Memory(uint address, int size)
    {
        if (_arena is null || address < Layout.Arena || address + (uint)size > Layout.Arena + Layout.ArenaSize)
            return 0;
        ulong value = 0;
        for (int i = 0; i < size; i++)
            value |= (ulong)_arena[address - Layout.Arena + (uint)i] << (8 * i);
        return value;
    }

    /// <summary>What is not as the manual says; empty where all is.</summary>
    public IEnumerable<string> Against(Expectation expected)
    {
        if (Outcome != expected.Outcome)
        {
            yield return $"{Outcome}, not {expected.Outcome}";
            yield break;
        }

        foreach ((RecordField field, ulong value) in expected.Fields)
            if (this[field] != value)
                yield return $"{field} is {this[field]:x}, not {value:x}";
        if (expected.SavedFlags is var (mask, flags) && (Frame!.Flags & mask) != (flags & mask))
            yield return $"the saved RFLAGS is {Frame.Flags:x}, not {flags:x}";
        foreach ((uint address, int size, ulong value) in expected.Memory)
            if (Memory(address, size) != value)
                yield return $"memory at {address:x} is {Memory(address, size):x}, not {value:x}";
    }

    /// <summary>The fields in which two results differ, with both values.</summary>
    public IEnumerable<(string Field, string Mine, string Theirs)> Differences(CaseResult other)
    {
        if (Text == other.Text)
            yield break;
        if (Outcome != other.Outcome)
            yield return ("outcome", Outcome, other.Outcome);
        if (_arena is null || other._arena is null)
            yield break;
        foreach (RecordField field in Enum.GetValues<RecordField>())
            if (this[field] != other[field])
                yield return (field.ToString().ToLowerInvariant(), $"{this[field]:x}", $"{other[field]:x}");
        foreach (uint address in _changes.Keys.Union(other._changes.Keys).Order())
            if (Memory(address, 4) != other.Memory(address, 4))
                yield return (Name(address, (uint)Memory(address, 4), (uint)other.Memory(address, 4)), $"{Memory(address, 4):x}",
                    $"{other.Memory(address, 4):x}");
    }

    /// <summary>A mnemonic, or INT's number.</summary>
    public static string VectorName(uint vector) => vector < _mnemonics.Length ? _mnemonics[vector] : $"int{vector:x}";

    /// <summary>A word of memory by its address; one of a stack that differs in nothing but RF as what it is, a saved RFLAGS. Behind a 16-bit frame
    /// its
    /// upper half, with RF, AC and ID in it, is a word's lower one.</summary>
    private static string Name(uint address, uint mine, uint theirs)
    {
        bool isStack = address is >= Layout.Stack - 0x800 and < Layout.Ist2, isUpperHalf = (mine & 0xFFDA) == 0
            && (mine ^ theirs) == ResumeFlag >> 16;
        return isStack && ((mine ^ theirs) == ResumeFlag || isUpperHalf) ? "rf" : $"m{address:x}";
    }

    private string Describe()
    {
        uint vector = (uint)this[RecordField.Vector] & 0xFF;
        string place = _case.Marks.TryGetValue(Frame!.Rip, out string? mark) ? mark : $"{Frame.Rip:x}";
        if (vector == 6 && mark is not null && mark != Ring0Case.Test)
            return mark;
        string name = VectorName(vector) + (Frame.ErrorCode is { } code ? $"({code:x})" : "");
        return place == Ring0Case.Test ? name : $"{name}@{place}";
    }

    private Frame ReadFrame()
    {
        int bits = (int)this[RecordField.HandlerBits];
        uint vector = (uint)this[RecordField.Vector] & 0xFF;
        if (bits == 16)
        {
            uint at = ((uint)this[RecordField.Ss] << 4) + ((uint)this[RecordField.Rsp] & 0xFFFF);
            return new Frame(Memory(at, 2), (ushort)Memory(at + 2, 2), Memory(at + 4, 2), 0, 0, null);
        }

        int size = bits / 8;
        uint sp = (uint)this[RecordField.Rsp] + StackBase();
        ulong? error = null;
        if (vector is 8 or (>= 10 and <= 14) or 17 or 21)
        {
            error = Memory(sp, size);
            sp += (uint)size;
        }

        ulong Slot(int index) => Memory(sp + (uint)(index * size), size);
        return new Frame(Slot(0), (ushort)Slot(1), Slot(2), Slot(3), (ushort)Slot(4), error);
    }

    /// <summary>The base of SS, from its descriptor: a handler of 32-bit code may run on a stack of another base.</summary>
    private uint StackBase()
    {
        uint selector = (uint)this[RecordField.Ss];
        if (this[RecordField.HandlerBits] == 64 || (selector & 0xFFFC) == 0)
            return 0;
        ulong descriptor = Memory(((selector & 4) != 0 ? Layout.Ldt : Layout.Gdt) + (selector & 0xFFF8), 8);
        return (uint)(descriptor >> 16 & 0xFF_FFFF) | (uint)(descriptor >> 56) << 24;
    }

    private static ulong Wide(string word)
    {
        int slash = word.IndexOf('/', StringComparison.Ordinal);
        return slash < 0 ? Hex(word) : (ulong)Hex(word[(slash + 1)..]) << 32 | Hex(word[..slash]);
    }

    private static uint Hex(string text) => uint.Parse(text, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture);
}

/// <summary>An exception's frame. The outer stack is there only where one was pushed.</summary>
public sealed record Frame(ulong Rip, ushort Cs, ulong Flags, ulong Rsp, ushort Ss, ulong? ErrorCode);
