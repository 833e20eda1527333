using Hv.Conformance.Ring0.Cases;
using Hv.Conformance.Ring0.Guest;
using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;

namespace Hv.Conformance.Ring0.Families;

/// <summary>MOV to CR0, CR3, CR4 and CR8, LMSW and CLTS: which values are refused, and what is kept of the others.</summary>
public sealed class ControlRegisterFamily() : Family("control", "MOV to control registers, LMSW, SMSW, CLTS: refused and kept bits")
{
    private sealed record Write(int Number, bool Long, ulong Value)
    {
        public bool Has(ulong bits) => (Value & bits) == bits;
    }

    private const ulong Pe = 1, Mp = 2, Em = 4, Ts = 8, Et = 16, Ne = 32, Wp = 1 << 16, Am = 1 << 18, Nw = 1 << 29, Cd = 1 << 30, Pg = 1UL << 31;
    private const ulong Tsd = 4, De = 8, Pse = 16, Pae = 32, Pge = 128, Pce = 256, Osfxsr = 512, Smep = 1 << 20, Smap = 1 << 21;
    private const ulong PhysicalReserved = ~((1UL << 40) - 1), Cr0Kept = Pe | Mp | Em | Ts | Et | Ne | Wp | Am | Nw | Cd | Pg;

    /// <summary>target/i386/tcg/sysemu/misc_helper.c of QEMU 7.2: a refused CR3 or CR4 is a VM exit with SVM_EXIT_ERR, guest or not.</summary>
    private const string LeavesToNobody =
        "a refused value of CR3 or CR4 hangs QEMU, which leaves to a hypervisor that is not there; the manual: #GP(0)";

    // Bits that no processor has defined, or that the engines' processors all lack.
    private static readonly ulong[] _cr4Reserved = [1 << 15, 1 << 19, 1UL << 31, 1UL << 40, 1UL << 63];

    private static readonly RuleTable<Write> _rules = new(
        new("CR0, a bit above 31", w => w.Number == 0 && w.Value >> 32 != 0, _ => "#GP(0)", "SDM 2B MOV CRn, 64-bit mode exceptions"),
        new("CR0, PG without PE", w => w.Number == 0 && w.Has(Pg) && !w.Has(Pe), _ => "#GP(0)", "SDM 2B MOV CRn"),
        new("CR0, NW without CD", w => w.Number == 0 && w.Has(Nw) && !w.Has(Cd), _ => "#GP(0)", "SDM 2B MOV CRn"),
        new("CR0, clearing PG in 64-bit mode", w => w is { Number: 0, Long: true } && !w.Has(Pg), _ => "#GP(0)",
            "SDM 2B MOV CRn, 64-bit mode exceptions"),
        new("CR0, good", w => w.Number == 0, _ => "end", "SDM 3A 2.5"),
        new("CR3, a bit above the physical width", w => w is { Number: 3, Long: true } && (w.Value & PhysicalReserved) != 0, _ => "#GP(0)",
            "SDM 2B MOV CRn; SDM 3A table 4-12"),
        new("CR3, good", w => w.Number == 3, _ => "end", "SDM 3A 4.3, 4.5"),
        new("CR4, a reserved bit", w => w.Number == 4 && _cr4Reserved.Any(b => (w.Value & b) != 0), _ => "#GP(0)", "SDM 2B MOV CRn"),
        new("CR4, clearing PAE in IA-32e mode", w => w is { Number: 4, Long: true } && !w.Has(Pae), _ => "#GP(0)", "SDM 2B MOV CRn"),
        new("CR4, good", w => w.Number == 4, _ => "end", "SDM 3A 2.5"),
        new("CR8, a reserved bit", w => w.Number == 8 && w.Value > 15, _ => "#GP(0)", "SDM 2B MOV CRn"),
        new("CR8, good", w => w.Number == 8, _ => "end", "SDM 3A 11.8.6"));

    /// <inheritdoc/>
    public override IReadOnlyList<IRuleTable> Tables => [_rules];

    /// <inheritdoc/>
    public override Ring0Case Make(CaseRandom random, int index)
    {
        bool isLong = random.OneIn(2);
        var builder = new CaseBuilder(isLong ? BootMode.Long : BootMode.Protected);
        Assembler c = builder.Code;
        string where = $"{Name}/{(isLong ? "long" : "protected")}";
        if (random.OneIn(5))
            return MachineStatus(builder, c, isLong, random, $"{where}/", index);
        int number = isLong ? random.Pick(0, 3, 4, 8) : random.Pick(0, 3, 4);
        ulong value = Value(random, number, isLong);
        if (isLong)
            c.mov(rax, value);
        else
            c.mov(eax, (uint)value);
        AssemblerRegisterCR register = number switch { 0 => cr0, 3 => cr3, 4 => cr4, _ => cr8 };
        builder.Test(c);
        if (isLong)
            c.mov(register, rax);
        else
            c.mov(register, eax);
        builder.End(c, "end");
        ulong seen = isLong ? value : (uint)value;
        Expectation expected = _rules.Decide(new Write(number, isLong, seen));
        if (expected.Outcome == "end")
        {
            (RecordField field, ulong kept) = number switch
            {
                0 => (RecordField.Cr0, (seen & Cr0Kept) | Et),
                3 => (RecordField.Cr3, seen),
                4 => (RecordField.Cr4, seen),
                _ => (RecordField.Cr8, seen),
            };
            expected = expected with { Fields = [(field, kept)] };
        }

        Ring0Case @case = builder.Build($"{where}/cr{number}={value:x}/{index}", expected);
        return number is 3 or 4 && expected.Outcome != "end" ? @case with { LeftOut = ("QEMU", LeavesToNobody) } : @case;
    }

    private static ulong Value(CaseRandom random, int number, bool isLong)
    {
        ulong some = random.Next();
        switch (number)
        {
            case 0:
                // Without PE the end could not be delivered, unless PG makes it a fault; protected mode without page tables must not turn paging on.
                ulong value = some & (Mp | Em | Ts | Ne | Wp | Am) | Et | Pe | random.Pick<ulong>(0, Nw, Cd, Cd | Nw) | (random.OneIn(6)
                    ? 0xFF80_FFC0 & some & ~Pg : 0);
                if (isLong && !random.OneIn(6))
                    value |= Pg;
                if (random.OneIn(8))
                    value = (value | Pg) & ~Pe;
                return value & ~(random.OneIn(2) ? Nw : 0) | (random.OneIn(8) ? 1UL << random.Pick(32, 47, 63) : 0);
            case 3:
                return Layout.Pml4 | (some & 0x18) | (random.OneIn(2) ? 1UL << random.Pick(40, 41, 51, 52, 62) : 0);
            case 4:
                value = some & (Tsd | De | Pse | Pge | Pce | Osfxsr | Smep | Smap) | (random.OneIn(6) != isLong ? Pae : 0);
                return value | (random.OneIn(3) ? random.Pick(_cr4Reserved) : 0);
            default:
                return random.OneIn(2) ? some & 15 : some & 15 | 1UL << random.Pick(4, 5, 31, 32, 63);
        }
    }

    private Ring0Case MachineStatus(CaseBuilder builder, Assembler c, bool isLong, CaseRandom random, string where, int index)
    {
        ulong value = random.Next() & 0xFFFF, before = Pe | Et | Ts | Mp | (isLong ? Pg : 0);
        c.mov(eax, (uint)before);
        if (isLong)
            c.mov(cr0, rax);
        else
            c.mov(cr0, eax);
        c.mov(eax, (uint)value);
        if (random.OneIn(3))
        {
            builder.Test(c);
            c.clts();
            builder.End(c, "end");
            return builder.Build($"{where}clts/{index}", new Expectation("end", "SDM 2A CLTS") { Fields = [(RecordField.Cr0, before & ~Ts)] });
        }

        if (random.OneIn(2))
        {
            c.mov(eax, -1);
            c.mov(ecx, -1);
            builder.Test(c);
            c.smsw(eax);
            c.smsw(cx);
            builder.End(c, "end");
            return builder.Build($"{where}smsw/{index}", new Expectation("end", "SDM 2B SMSW")
            {
                Fields = [(RecordField.Rax, before), (RecordField.Rcx, 0xFFFF_0000 | (before & 0xFFFF))],
            });
        }

        builder.Test(c);
        c.lmsw(ax);
        builder.End(c, "end");
        ulong loaded = before & ~(Mp | Em | Ts) | value & (Pe | Mp | Em | Ts);
        return builder.Build($"{where}lmsw={value:x}/{index}", new Expectation("end", "SDM 2A LMSW") { Fields = [(RecordField.Cr0, loaded | Pe)] });
    }
}
