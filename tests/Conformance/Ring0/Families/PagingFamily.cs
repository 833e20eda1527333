using Hv.Conformance.Ring0.Cases;
using Hv.Conformance.Ring0.Guest;
using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;

namespace Hv.Conformance.Ring0.Families;

/// <summary>One access through page tables whose every level has drawn bits.</summary>
public sealed class PagingFamily() : Family("paging",
    "accesses under 32-bit, PAE and 4-level paging: P, R/W, U/S, XD, PS, reserved bits, WP, SMEP, SMAP")
{
    private enum Shape
    {
        ThirtyTwoBit,
        Pae,
        FourLevel,
    }

    private enum Kind
    {
        Read,
        Write,
        ReadModifyWrite,
        Fetch,
    }

    /// <summary>Entries from the root down; the last that counts is a page's.</summary>
    private sealed record Access(Shape Shape, Kind Kind, int Cpl, ulong[] Entries, bool Large, bool Wp, bool Smep, bool Smap, bool Ac, bool Nxe)
    {
        /// <summary>Of the 4-level tables the window has a root entry of its own. A large page's frame is all of low memory.</summary>
        public ulong Target => (Shape == Shape.FourLevel ? 1UL << 39 : 0) + Layout.Window + (Large ? Layout.Frame : 0) + 0x10;

        public int Levels => Large ? Entries.Length - 1 : Entries.Length;

        /// <summary>The first level whose entry is not present, or a great number.</summary>
        public int NotPresent => First((e, _) => (e & Present) == 0);

        /// <summary>The first level whose present entry has a reserved bit (SDM 3A tables 4-4 to 4-20).</summary>
        public int Reserved => First((e, level) => (e & Present) != 0 && (e & ReservedBits(level)) != 0);

        // PAE's pointer entries have no rights (SDM 3A table 4-8).
        private IEnumerable<ulong> Rights => Entries.Take(Levels).Skip(Shape == Shape.Pae ? 1 : 0);
        public bool IsUser => Rights.All(e => (e & User) != 0);
        public bool IsWritable => Rights.All(e => (e & Writable) != 0);
        public bool IsExecutable => !Nxe || Rights.All(e => (e & ExecuteDisable) == 0);
        public bool Writes => Kind is Kind.Write or Kind.ReadModifyWrite;

        /// <summary>#PF's error code beside P and RSVD (SDM 3A 4.7).</summary>
        public uint Bits => (Writes ? 2u : 0) | (Cpl == 3 ? 4u : 0) | (Kind == Kind.Fetch && (Smep || (Nxe && Shape != Shape.ThirtyTwoBit)) ? 16u
            : 0);

        private ulong ReservedBits(int level)
        {
            ulong reserved = Shape == Shape.ThirtyTwoBit ? 0 : 0x000F_FF00_0000_0000 | (Nxe ? 0 : ExecuteDisable);
            bool page = level == Levels - 1;
            if (Shape == Shape.Pae && level == 0)
                return 0;
            if (Shape == Shape.Pae)
                reserved |= 0x7FF0_0000_0000_0000;
            if (page && Large)
                reserved |= Shape == Shape.ThirtyTwoBit ? 1UL << 21 : 0x1F_E000;
            if (Shape == Shape.FourLevel && level == 0)
                reserved |= 0x80;
            return reserved;
        }

        private int First(Func<ulong, int, bool> what)
        {
            for (int level = 0; level < Levels; level++)
                if (what(Entries[level], level))
                    return level;
            return int.MaxValue;
        }
    }

    private const ulong Present = 1, Writable = 2, User = 4, Accessed = 0x20, Dirty = 0x40, PageSize = 0x80, ExecuteDisable = 1UL << 63;
    private const uint FetchOffset = 0x20;
    private const ulong Pse = 0x10, Pae = 0x20, Smep = 1 << 20, Smap = 1 << 21, Wp = 1 << 16;

    private static readonly RuleTable<Access> _rules = new(
        new("an entry is not present", a => a.NotPresent < a.Reserved, a => $"#PF({a.Bits:x})", "SDM 3A 4.7"),
        new("an entry has a reserved bit", a => a.Reserved < int.MaxValue, a => $"#PF({a.Bits | 9:x})", "SDM 3A 4.7"),
        new("user access to a supervisor page", a => a is { Cpl: 3, IsUser: false }, a => $"#PF({a.Bits | 1:x})", "SDM 3A 4.6.1"),
        new("user write to a read-only page", a => a is { Cpl: 3, Writes: true, IsWritable: false }, a => $"#PF({a.Bits | 1:x})", "SDM 3A 4.6.1"),
        new("fetch from an execute-disabled page", a => a is { Kind: Kind.Fetch, IsExecutable: false }, a => $"#PF({a.Bits | 1:x})", "SDM 3A 4.6.1"),
        new("supervisor fetch from a user page under SMEP", a => a is { Kind: Kind.Fetch, Cpl: 0, Smep: true, IsUser: true }, a =>
            $"#PF({a.Bits | 1:x})",
            "SDM 3A 4.6.1"),
        new("supervisor data access to a user page under SMAP without AC", a => a is { Cpl: 0, Smap: true, Ac: false, IsUser: true }
            && a.Kind != Kind.Fetch,
            a => $"#PF({a.Bits | 1:x})", "SDM 3A 4.6.1"),
        new("supervisor write to a read-only page under WP", a => a is { Cpl: 0, Writes: true, Wp: true, IsWritable: false }, a =>
            $"#PF({a.Bits | 1:x})",
            "SDM 3A 4.6.1"),
        new("good", _ => true, _ => "end", "SDM 3A 4.6.1"));

    /// <inheritdoc/>
    public override IReadOnlyList<IRuleTable> Tables => [_rules];

    /// <inheritdoc/>
    public override Ring0Case Make(CaseRandom random, int index)
    {
        Shape shape = (Shape)random.Below(3);
        var builder = new CaseBuilder(shape == Shape.FourLevel ? BootMode.Long : BootMode.Protected);
        int levels = shape switch { Shape.ThirtyTwoBit => 2, Shape.Pae => 3, _ => 4 };
        var access = new Access(shape, (Kind)random.Below(4), random.Pick(0, 3), new ulong[levels], random.OneIn(3), random.OneIn(2),
            random.OneIn(2), random.OneIn(2),
            random.OneIn(2), random.OneIn(2));
        Draw(random, access, levels);
        PutEntries(builder, access);
        Assembler c = Enter(builder, access);
        string end = Reach(builder, c, access);
        Expectation expected = _rules.Decide(access);
        if (expected.Outcome == "end")
            expected = expected with { Outcome = end, Memory = Marked(access) };
        else
            expected = expected with
            {
                Outcome = access.Kind == Kind.Fetch ? $"{expected.Outcome}@{end}" : expected.Outcome,
                Fields = [(RecordField.Cr2, access.Target + (access.Kind == Kind.Fetch ? FetchOffset : 0))],
            };
        string bits = string.Join('-', access.Entries.Select(e => $"{e >> 40:x}.{e & 0xFF_FFFF:x}"));
        return builder.Build($"{Name}/{shape}/cpl{access.Cpl}/{access.Kind}/{bits}{(access.Large ? "/large" : "")}{(access.Wp ? "/wp" : "")}" +
            $"{(access.Smep ? "/smep" : "")}{(access.Smap ? "/smap" : "")}{(access.Ac ? "/ac" : "")}{(access.Nxe ? "/nxe" : "")}/{index}", expected);
    }

    /// <summary>Writes the access; returns the mark that it ends at where nothing faults.</summary>
    private static string Reach(CaseBuilder builder, Assembler c, Access access)
    {
        bool wide = access.Shape == Shape.FourLevel;
        ulong at = access.Target + (access.Kind == Kind.Fetch ? FetchOffset : 0);
        if (wide)
            c.mov(rcx, at);
        else
            c.mov(ecx, (uint)at);
        c.xor(ebx, ebx);
        builder.Test(c);
        AssemblerMemoryOperand operand = wide ? __dword_ptr[rcx] : __dword_ptr[ecx];
        switch (access.Kind)
        {
            case Kind.Read: c.mov(ebx, operand); break;
            case Kind.Write: c.mov(operand, ebx); break;
            case Kind.ReadModifyWrite: c.inc(operand); break;
            default:
                // The frame holds a UD2 where the jump goes; a fetch that faults has that address as its RIP.
                if (wide)
                    c.jmp(rcx);
                else
                    c.jmp(ecx);
                builder.CodeAt(wide ? 64 : 32, Layout.Frame + 0x10 + FetchOffset).ud2();
                builder.Alias(at, "fetched");
                return "fetched";
        }

        builder.End(c, "end");
        return "end";
    }

    /// <summary>Turns paging on as the case wants it, and goes to the access's privilege.</summary>
    private static Assembler Enter(CaseBuilder builder, Access access)
    {
        Assembler c = builder.Code;
        bool wide = access.Shape == Shape.FourLevel;
        c.mov(ecx, 0xC000_0080);
        c.mov(eax, (wide ? 0x501u : 1) | (access.Nxe ? 0x800u : 0));
        c.xor(edx, edx);
        c.wrmsr();
        uint cr4 = (uint)((access.Shape == Shape.ThirtyTwoBit ? Pse : Pae) | (access.Smep ? Smep : 0) | (access.Smap ? Smap : 0));
        uint cr0 = 0x8000_0011 | (access.Wp ? (uint)Wp : 0);
        c.mov(eax, cr4);
        if (wide)
        {
            c.mov(AssemblerRegisters.cr4, rax);
            c.mov(eax, cr0);
            c.mov(AssemblerRegisters.cr0, rax);
        }
        else
        {
            c.mov(AssemblerRegisters.cr4, eax);
            c.mov(eax, access.Shape == Shape.ThirtyTwoBit ? Layout.Directory32 : Layout.PaePointers);
            c.mov(cr3, eax);
            c.mov(eax, cr0);
            c.mov(AssemblerRegisters.cr0, eax);
        }

        uint flags = access.Ac ? 0x4_0002u : 2;
        if (access.Cpl == 3)
            return builder.AtPrivilege(3, flags);
        c.push((int)flags);
        if (wide)
            c.popfq();
        else
            c.popfd();
        return c;
    }

    /// <summary>The marks of a completed access: accessed at each level, dirty in a written page's entry (SDM 3A 4.8).</summary>
    private static (uint, int, ulong)[] Marked(Access access)
    {
        var marks = new List<(uint, int, ulong)>();
        for (int level = access.Shape == Shape.Pae ? 1 : 0; level < access.Levels; level++)
        {
            bool dirties = access.Writes && level == access.Levels - 1;
            marks.Add((PlaceOf(access, level), 1, (byte)(access.Entries[level] | Accessed | (dirties ? Dirty : 0))));
        }

        return [.. marks];
    }

    private static void Draw(CaseRandom random, Access access, int levels)
    {
        // Rights are mostly granted, so that each level decides in its turn.
        for (int level = 0; level < levels; level++)
        {
            ulong entry = (random.OneIn(16) ? 0 : Present) | (random.OneIn(5) ? 0 : Writable) | (random.OneIn(5) ? 0 : User);
            bool pageable = access.Large && level == levels - 2, pointer = access.Shape == Shape.Pae && level == 0;
            entry |= random.OneIn(2) ? Accessed : 0;
            if (level == access.Levels - 1)
                entry |= random.OneIn(2) ? Dirty : 0;
            if (pageable)
                entry |= PageSize;
            if (access.Shape != Shape.ThirtyTwoBit)
            {
                entry |= random.OneIn(6) ? ExecuteDisable : 0;
                entry |= random.OneIn(12) ? 1UL << random.Pick(40, 45, 51) : 0;
                // Bits 62:52 are ignored in 4-level entries.
                if (access.Shape == Shape.FourLevel)
                    entry |= random.OneIn(6) ? 1UL << random.Pick(52, 58) : 0;
            }

            if (access.Shape == Shape.FourLevel && level == 0 && random.OneIn(24))
                entry |= PageSize;
            if (pageable && random.OneIn(8))
                entry |= access.Shape == Shape.ThirtyTwoBit ? 1UL << 21 : 1UL << random.Pick(13, 20);
            access.Entries[level] = pointer ? Present : entry;
        }
    }

    private static ulong AddressOf(Access access, int level)
    {
        if (access.Large && level == access.Entries.Length - 2)
            return 0; // the page's frame is the low memory itself; the arena's frame lies within it
        return (access.Shape, access.Entries.Length - 1 - level) switch
        {
            (_, 0) => Layout.Frame,
            (Shape.ThirtyTwoBit, _) => Layout.WindowTable32,
            (_, 1) => Layout.WindowTable,
            (_, 2) => Layout.WindowDirectory,
            _ => Layout.WindowPdpt,
        };
    }

    /// <summary>Where the entry of a level lies.</summary>
    private static uint PlaceOf(Access access, int level) => (access.Shape, access.Entries.Length - 1 - level) switch
    {
        (Shape.ThirtyTwoBit, 0) => Layout.WindowTable32,
        (Shape.ThirtyTwoBit, _) => Layout.Directory32 + 0x400,
        (_, 0) => Layout.WindowTable,
        (_, 1) => Layout.WindowDirectory,
        (Shape.Pae, _) => Layout.PaePointers + 8,
        (_, 2) => Layout.WindowPdpt + 8,
        _ => Layout.Pml4 + 8,
    };

    private static void PutEntries(CaseBuilder builder, Access access)
    {
        for (int level = 0; level < access.Entries.Length; level++)
        {
            ulong entry = access.Entries[level] | AddressOf(access, level);
            if (access.Shape == Shape.ThirtyTwoBit)
                builder.Word32(PlaceOf(access, level), (uint)entry);
            else
                builder.Word64(PlaceOf(access, level), entry);
        }
    }
}
