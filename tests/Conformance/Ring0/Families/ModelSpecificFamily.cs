using Hv.Conformance.Ring0.Cases;
using Hv.Conformance.Ring0.Guest;
using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;

namespace Hv.Conformance.Ring0.Families;

/// <summary>WRMSR, then RDMSR of the same register: refused values and what is read back.</summary>
public sealed class ModelSpecificFamily() : Family("msr", "WRMSR and RDMSR of architectural registers: EFER, bases, SYSCALL and SYSENTER, PAT")
{
    private sealed record Write(uint Number, bool Long, ulong Value)
    {
        public bool IsCanonical => (long)(Value << 16) >> 16 == (long)Value;
        public bool HoldsAddress => Number is 0xC000_0082 or 0xC000_0083 or 0xC000_0100 or 0xC000_0101 or 0xC000_0102 or 0x175 or 0x176;
    }

    private const uint Efer = 0xC000_0080, Star = 0xC000_0081, Fmask = 0xC000_0084, SysenterCs = 0x174, Pat = 0x277;
    private const ulong Sce = 1, Lme = 0x100, Lma = 0x400, Nxe = 0x800;

    private static readonly uint[] _registers =
        [Efer, Star, 0xC000_0082, 0xC000_0083, Fmask, 0xC000_0100, 0xC000_0101, 0xC000_0102, SysenterCs, 0x175, 0x176, Pat];

    /// <summary>Numbers that no engine implements.</summary>
    private static readonly uint[] _absent = [0x4000_1000, 0xC001_FFFF, 0x0000_7FFF];

    private static readonly RuleTable<Write> _rules = new(
        new("no such register", w => _absent.Contains(w.Number), _ => "#GP(0)", "SDM 2C WRMSR"),
        new("EFER, a reserved bit", w => w.Number == Efer && (w.Value & ~(Sce | Lme | Lma | Nxe)) != 0, _ => "#GP(0)", "SDM 3A 2.2.1"),
        new("EFER, changing LME under paging", w => w is { Number: Efer, Long: true } && (w.Value & Lme) == 0, _ => "#GP(0)", "SDM 3A 4.1.2"),
        new("an address that is not canonical", w => w is { HoldsAddress: true, IsCanonical: false }, _ => "#GP(0)", "SDM 2C WRMSR"),
        new("PAT, a reserved type", w => w.Number == Pat && Enumerable.Range(0, 8).Any(i => (w.Value >> (8 * i) & 0xFF) is 2 or 3 or > 7), _ =>
            "#GP(0)",
            "SDM 3A 12.12.2"),
        new("good", _ => true, _ => "end", "SDM 2C WRMSR"));

    /// <inheritdoc/>
    public override IReadOnlyList<IRuleTable> Tables => [_rules];

    /// <inheritdoc/>
    public override Ring0Case Make(CaseRandom random, int index)
    {
        bool isLong = random.OneIn(2);
        var builder = new CaseBuilder(isLong ? BootMode.Long : BootMode.Protected);
        Assembler c = builder.Code;
        uint number = random.OneIn(12) ? random.Pick(_absent) : random.Pick(_registers);
        ulong value = Value(random, number, isLong);
        c.mov(ecx, number);
        c.mov(eax, (uint)value);
        c.mov(edx, (uint)(value >> 32));
        builder.Test(c);
        c.wrmsr();
        c.xor(eax, eax);
        c.xor(edx, edx);
        c.rdmsr();
        builder.End(c, "end");
        Expectation expected = _rules.Decide(new Write(number, isLong, value));
        if (expected.Outcome == "end")
        {
            ulong read = number switch
            {
                Efer => value & ~Lma | (isLong ? Lma : 0),
                Fmask or SysenterCs => (uint)value,
                _ => value,
            };
            expected = expected with { Fields = [(RecordField.Rax, (uint)read), (RecordField.Rdx, read >> 32)] };
        }

        return builder.Build($"{Name}/{(isLong ? "long" : "protected")}/{number:x}={value:x}/{index}", expected);
    }

    private static ulong Value(CaseRandom random, uint number, bool isLong)
    {
        ulong some = random.Next();
        switch (number)
        {
            case Efer:
                ulong value = some & (Sce | Lma | Nxe) | (isLong && !random.OneIn(4) ? Lme : some & Lme & (isLong ? 0 : ulong.MaxValue));
                return random.OneIn(4) ? value | 1UL << random.Pick(1, 7, 9, 16, 31, 32, 63) : value;
            case Star:
                return some;
            // What the unused upper part of these does is not architectural.
            case Fmask:
                return (uint)some;
            case SysenterCs:
                return (ushort)some;
            case Pat:
                ulong types = 0;
                for (int i = 0; i < 8; i++)
                    types |= (ulong)(random.OneIn(24) ? random.Pick(2, 3, 8, 0x80) : random.Pick(0, 1, 4, 5, 6, 7)) << (8 * i);
                return types;
            default:
                long canonical = (long)(some << 16) >> 16;
                return random.Pick<ulong>((ulong)canonical, some, 0x0000_7FFF_FFFF_FFFF, 0x0000_8000_0000_0000, 0xFFFF_8000_0000_0000,
                    0xFFFF_7FFF_FFFF_FFFF,
                    (uint)some);
        }
    }
}
