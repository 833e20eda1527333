using System.Globalization;

namespace Hv.Cpu.Decode;

/// <summary>The opcode maps as arrays, built once from <see cref="OpcodeRows"/>: mode, map, mandatory prefix and opcode give a row; a row may be a
/// group, which ModRM decides.</summary>
internal static class OpcodeTable
{
    /// <summary>A row as the decoder uses it.</summary>
    internal readonly record struct Row(OpKind Kind, Operands Operands, byte Extra, Feature Feature, ushort Group);

    /// <summary>Mandatory prefixes as the last index but one: none, 66, F3, F2.</summary>
    internal const int NoPrefix = 0, Prefix66 = 1, PrefixF3 = 2, PrefixF2 = 3;

    /// <summary>Maps: one byte, 0F, 0F38, 0F3A; the same under VEX follow (VEX has no one-byte map), once for each combination of VEX.L and VEX.W,
    /// whose places in a map's number the last two are.</summary>
    internal const int OneByteMap = 0, Map0F = 1, Map0F38 = 2, Map0F3A = 3, VexMaps = 4, VexLong = 4, VexWide = 8;

    /// <summary>Forms of an opcode by mandatory prefix: none, 66, F3, F2.</summary>
    internal const int PrefixKinds = 4;

    private const int Maps = 20, Modes = 2;

    // A group holds 8 memory forms by ModRM.reg, then 64 register forms by ModRM.reg and rm.
    private const int GroupSize = 72;

    private static readonly ushort[] s_index = new ushort[Modes * Maps * PrefixKinds * 256];
    private static readonly List<Row> s_building = [default];
    private static readonly List<ushort[]> s_groups = [];
    private static readonly Row[] s_rows;

    // The tables are filled in an order that the fields' initialisers cannot express.
#pragma warning disable CA1810
    static OpcodeTable()
    {
        foreach (OpcodeRow row in OpcodeRows.Regular())
            Add(row);
        foreach (OpcodeRow row in OpcodeRows.OneByte)
            Add(row);
        foreach (OpcodeRow row in OpcodeRows.TwoByte)
            Add(row);
        foreach (OpcodeRow row in OpcodeRows.ThreeByte)
            Add(row);
        foreach (OpcodeRow row in OpcodeRows.BitManipulation)
            Add(row);
        foreach (OpcodeRow row in VectorRows.Logic)
            Add(row);
        foreach (OpcodeRow row in FloatRows.All())
            Add(row);
        foreach (OpcodeRow row in IntegerVectorRows.All())
            Add(row);
        foreach (OpcodeRow row in VectorMoveRows.All())
            Add(row);
        foreach (OpcodeRow row in VectorShuffleRows.All)
            Add(row);
        s_rows = [.. s_building];
    }
#pragma warning restore CA1810

    /// <summary>The row of an opcode; <see cref="OpKind.Invalid"/> when there is none.</summary>
    internal static ref readonly Row Find(bool is64, int map, int prefix, int opcode) =>
        ref s_rows[s_index[Index(is64 ? 1 : 0, map, prefix, opcode)]];

    /// <summary>The row of a group's member.</summary>
    internal static ref readonly Row FindMember(in Row group, byte modRm) => ref s_rows[s_groups[group.Group][Member(modRm)]];

    private static int Index(int mode, int map, int prefix, int opcode) => ((mode * Maps + map) * PrefixKinds + prefix) * 256 + opcode;

    private static int Member(byte modRm) => modRm < 0xC0 ? (modRm >> 3) & 7 : 8 + (modRm & 0x3F);

    private static void Add(in OpcodeRow row)
    {
        int prefix = -1, map = OneByteMap, opcode = -1, digit = -1, rm = -1, wide = -1, length = -1;
        bool memory = true, register = true;
        bool first = true;
        foreach (Range range in row.Code.AsSpan().Split(' '))
        {
            ReadOnlySpan<char> word = row.Code.AsSpan(range);
            switch (word)
            {
                case "NP" when first: prefix = NoPrefix; break;
                case "66" when first: prefix = Prefix66; break;
                case "F3" when first: prefix = PrefixF3; break;
                case "F2" when first: prefix = PrefixF2; break;
                case "VEX": map = VexMaps; break;
                case "L0" or "L1": length = word[1] - '0'; break;
                case "W0" or "W1": wide = word[1] - '0'; break;
                case "0F" when (map & 3) == 0: map += Map0F; break;
                case "0F38": map += Map0F38; break;
                case "0F3A": map += Map0F3A; break;
                case "mem": register = false; break;
                case "reg": memory = false; break;
                case ['/', var d]: digit = d - '0'; break;
                case ['=', var n]: (rm, memory) = (n - '0', false); break;
                default: opcode = int.Parse(word, NumberStyles.HexNumber, CultureInfo.InvariantCulture); break;
            }

            first = false;
        }

        var narrow = new Narrowing(digit, rm, memory, register);
        s_building.Add(new Row(row.Kind, row.Operands, (byte)row.Extra, row.Feature, 0));
        ushort number = (ushort)(s_building.Count - 1);
        for (int mode = 0; mode < Modes; mode++)
        {
            if ((row.Operands & (mode == 0 ? Operands.Only64 : Operands.No64)) != 0)
                continue;
            for (int p = 0; p < PrefixKinds; p++)
            {
                if (prefix < 0 || prefix == p)
                    EnterAll(mode, map, p, opcode, wide, length, number, narrow);
            }
        }
    }

    /// <summary>Enters a row for each VEX.L and VEX.W that it holds for.</summary>
    private static void EnterAll(int mode, int map, int prefix, int opcode, int wide, int length, ushort number, Narrowing narrow)
    {
        for (int variant = 0; variant < (map < VexMaps ? 1 : 4); variant++)
        {
            int l = variant & 1, w = variant >> 1;
            if ((length < 0 || length == l) && (wide < 0 || wide == w))
                Enter(ref s_index[Index(mode, map + l * VexLong + w * VexWide, prefix, opcode)], number, narrow);
        }
    }

    private readonly record struct Narrowing(int Digit, int Rm, bool Memory, bool Register)
    {
        public bool None => Digit < 0 && Rm < 0 && Memory && Register;
    }

    private static void Enter(ref ushort slot, ushort number, Narrowing narrow)
    {
        if (narrow.None)
        {
            slot = number;
            return;
        }

        if (s_building[slot].Group == 0 && (s_building[slot].Operands & Operands.Group) == 0)
        {
            ushort[] fresh = new ushort[GroupSize];
            Array.Fill(fresh, slot);
            s_groups.Add(fresh);
            s_building.Add(new Row(OpKind.Invalid, Operands.Group, 0, Feature.None, (ushort)(s_groups.Count - 1)));
            slot = (ushort)(s_building.Count - 1);
        }

        ushort[] members = s_groups[s_building[slot].Group];
        for (int digit = 0; digit < 8; digit++)
        {
            if (narrow.Digit >= 0 && narrow.Digit != digit)
                continue;
            if (narrow.Memory)
                members[digit] = number;
            for (int rm = 0; narrow.Register && rm < 8; rm++)
            {
                if (narrow.Rm < 0 || narrow.Rm == rm)
                    members[8 + digit * 8 + rm] = number;
            }
        }
    }
}
