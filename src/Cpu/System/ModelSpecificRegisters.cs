using System.Runtime.CompilerServices;
using Hv.Cpu.State;

namespace Hv.Cpu.System;

/// <summary>The answer to an access to a model-specific register.</summary>
public enum MsrOutcome
{
    Done,

    /// <summary>The register exists and refuses the value: #GP(0).</summary>
    Refused,

    /// <summary>Not one that the processor keeps.</summary>
    Unknown,
}

/// <summary>
/// The model-specific registers that the processor keeps itself, as rows: where the value lives, which bits are reserved, and any further rule (SDM 4
/// table 2-2; SDM 3A 12.11,
/// 12.12). Everything else belongs to the layer.
/// </summary>
public static class ModelSpecificRegisters
{
    internal const uint Tsc = 0x10, Efer = 0xC000_0080;
    private const int MiscEnableSlot = 27, DefaultTypeSlot = 28, MicrocodeSlot = 29, FirstFixedSlot = 16;
    private const uint HighRange = 0xC000_0000, RangeSize = 0x2000;
    private const ulong High32 = 0xFFFF_FFFF_0000_0000;

    private enum Rule : byte
    {
        None,
        ReadOnly,
        Canonical,

        /// <summary>Bits above the physical width are reserved too.</summary>
        Physical,

        /// <summary>Every byte is a memory type; <see cref="PatTypes"/> or <see cref="MtrrTypes"/>.</summary>
        Pat,
        FixedMtrr,

        /// <summary>The low byte is a memory type.</summary>
        TypedLowByte,
        Efer,
        SegmentBase,
    }

    /// <summary>Memory types as bit sets: UC WC WT WP WB, and UC- for the PAT (SDM 3A tables 12-8, 12-10).</summary>
    private const uint MtrrTypes = 1 << 0 | 1 << 1 | 1 << 4 | 1 << 5 | 1 << 6, PatTypes = MtrrTypes | 1 << 7;

    private delegate ref ulong Field(ref CpuState s);

    private sealed record Row(uint Index, ulong Reserved, Rule Rule, Field Field, bool IsKept = false);

    private static readonly Row[] Rows = Build();
    private static readonly Row?[] LowRows = Spread(0), HighRows = Spread(HighRange);
    private static readonly uint[] s_kept = Kept();

    /// <summary>The registers that have no field in Core's neutral state: MTRRs and their kind.</summary>
    internal static ReadOnlySpan<uint> KeptIndexes => s_kept;

    /// <summary>Whether the processor keeps register <paramref name="index"/>, so that a layer can leave it alone.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool Owns(uint index) => Find(index) is not null;

    /// <summary>Reads a register.</summary>
    public static MsrOutcome TryRead(ref CpuState s, Processor p, uint index, out ulong value)
    {
        value = 0;
        if (Find(index) is not { } row)
            return MsrOutcome.Unknown;
        value = index == Tsc ? TimeStamp.Read(p) : row.Field(ref s);
        return MsrOutcome.Done;
    }

    /// <summary>Writes a register under its rules.</summary>
    public static MsrOutcome TryWrite(ref CpuState s, Processor p, uint index, ulong value)
    {
        if (Find(index) is not { } row)
            return MsrOutcome.Unknown;
        if ((value & row.Reserved) != 0 || !Allows(row.Rule, p, value))
            return MsrOutcome.Refused;
        if (row.Rule == Rule.Efer)
        {
            bool written = ControlRegisters.TryWriteEfer(ref s, p, value);
            s.Attention &= ~Attention.Fault;
            return written ? MsrOutcome.Done : MsrOutcome.Refused;
        }

        if (index == Tsc)
            TimeStamp.Write(p, value);
        else
            row.Field(ref s) = value;
        if (row.Rule == Rule.SegmentBase)
            p.ModeChanged(ref s);
        return MsrOutcome.Done;
    }

    private static bool Allows(Rule rule, Processor p, ulong value) => rule switch
    {
        Rule.ReadOnly => false,
        Rule.Canonical or Rule.SegmentBase => Modes.IsCanonical(value),
        Rule.Physical => (value & p.PhysicalReserved) == 0,
        Rule.Pat => AllTypes(value, PatTypes, 8),
        Rule.FixedMtrr => AllTypes(value, MtrrTypes, 8),
        Rule.TypedLowByte => AllTypes(value, MtrrTypes, 1) && (value & p.PhysicalReserved) == 0,
        _ => true,
    };

    private static bool AllTypes(ulong value, uint types, int bytes)
    {
        for (int i = 0; i < bytes; i++, value >>= 8)
        {
            if ((byte)value > 7 || (types >> (byte)value & 1) == 0)
                return false;
        }

        return true;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Row? Find(uint index)
    {
        Row?[] low = LowRows, high = HighRows;
        if (index < (uint)low.Length)
            return low[index];
        uint above = index - HighRange;
        return above < (uint)high.Length ? high[above] : null;
    }

    // Rows by index from the start of a range on: asked at each RDMSR and WRMSR.
    private static Row?[] Spread(uint first)
    {
        uint last = first;
        foreach (Row row in Rows)
        {
            if (IsIn(row, first))
                last = Math.Max(last, row.Index);
        }

        var spread = new Row?[last - first + 1];
        foreach (Row row in Rows)
        {
            if (IsIn(row, first))
                spread[row.Index - first] = row;
        }

        return spread;
    }

    private static bool IsIn(Row row, uint first) => row.Index >= first && row.Index - first < RangeSize;

    private static uint[] Kept()
    {
        var kept = new List<uint>();
        foreach (Row row in Rows)
        {
            if (row.IsKept)
                kept.Add(row.Index);
        }

        return [.. kept];
    }

    private static Row[] Build()
    {
        List<Row> rows =
        [
            new(Tsc, 0, Rule.None, static (ref s) => ref s.Sys.Tsc),
            new(0x1B, 0x2FF & ~0x100UL | 0x400, Rule.Physical, static (ref s) => ref s.Sys.ApicBase),
            new(0x8B, 0, Rule.None, static (ref s) => ref s.KeptMsr[MicrocodeSlot], true),
            new(0xFE, 0, Rule.ReadOnly, static (ref s) => ref MtrrCapabilities.Value),
            new(0x174, 0, Rule.None, static (ref s) => ref s.Sys.SysenterCs),
            new(0x175, 0, Rule.Canonical, static (ref s) => ref s.Sys.SysenterEsp),
            new(0x176, 0, Rule.Canonical, static (ref s) => ref s.Sys.SysenterEip),
            new(0x1A0, 0, Rule.None, static (ref s) => ref s.KeptMsr[MiscEnableSlot], true),
            new(0x277, 0, Rule.Pat, static (ref s) => ref s.Sys.Pat),
            new(0x2FF, ~0xCFFUL, Rule.TypedLowByte, static (ref s) => ref s.KeptMsr[DefaultTypeSlot], true),
            new(Efer, 0, Rule.Efer, static (ref s) => ref s.Sys.Efer),
            new(0xC000_0081, 0, Rule.None, static (ref s) => ref s.Sys.Star),
            new(0xC000_0082, 0, Rule.Canonical, static (ref s) => ref s.Sys.Lstar),
            new(0xC000_0083, 0, Rule.Canonical, static (ref s) => ref s.Sys.Cstar),
            new(0xC000_0084, High32, Rule.None, static (ref s) => ref s.Sys.Sfmask),
            new(0xC000_0100, 0, Rule.SegmentBase, static (ref s) => ref s.Sys.Fs.Base),
            new(0xC000_0101, 0, Rule.SegmentBase, static (ref s) => ref s.Sys.Gs.Base),
            new(0xC000_0102, 0, Rule.Canonical, static (ref s) => ref s.Sys.KernelGsBase),
            new(0xC000_0103, High32, Rule.None, static (ref s) => ref s.Sys.TscAux),
        ];

        // Eight variable-range pairs: base (type, bits 11:8 reserved), mask (V is bit 11).
        for (int i = 0; i < 16; i++)
        {
            int slot = i;
            bool mask = (i & 1) != 0;
            Rule rule = mask ? Rule.Physical : Rule.TypedLowByte;
            rows.Add(new Row(0x200 + (uint)i, mask ? 0x7FFUL : 0xF00, rule, (ref s) => ref s.KeptMsr[slot], true));
        }

        uint[] fixedRanges = [0x250, 0x258, 0x259, 0x268, 0x269, 0x26A, 0x26B, 0x26C, 0x26D, 0x26E, 0x26F];
        for (int i = 0; i < fixedRanges.Length; i++)
        {
            int slot = FirstFixedSlot + i;
            rows.Add(new Row(fixedRanges[i], 0, Rule.FixedMtrr, (ref s) => ref s.KeptMsr[slot], true));
        }

        rows.Sort(static (a, b) => a.Index.CompareTo(b.Index));
        return [.. rows];
    }

    /// <summary>IA32_MTRRCAP: eight variable ranges, fixed ranges, write-combining. Never written: its row is read-only.</summary>
    private static class MtrrCapabilities
    {
        public static readonly StrongBox<ulong> Box = new(0x508);

        public static ref ulong Value => ref Box.Value;
    }
}
