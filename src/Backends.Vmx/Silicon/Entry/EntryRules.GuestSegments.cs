using Hv.Backends.Vmx.Silicon.Fields;
using Hv.Core.Registers;
using static Hv.Backends.Vmx.Silicon.Fields.VmcsField;
using static Hv.Backends.Vmx.Silicon.RegisterBits;

namespace Hv.Backends.Vmx.Silicon.Entry;

// SDM 3C 27.3.1.2: checks on guest segment registers.
public static partial class EntryRules
{
    private const string SegmentSection = "27.3.1.2";
    private const uint Virtual8086Rights = 0xF3, Virtual8086Limit = 0xFFFF;
    private const uint RightsReserved = 0xFFFE_0000, DescriptorReserved = 0xF00;
    private const uint TypeAccessed = 1, TypeReadable = 2, TypeCode = 8;
    private const uint SelectorTi = 4, SelectorRpl = 3;
    private const VmcsGroup SegmentReads = VmcsGroup.Segments | VmcsGroup.Rflags | VmcsGroup.Controls | VmcsGroup.Registers;

    private static IEnumerable<EntryRule> GuestSegments()
    {
        yield return Segment("TI of the guest TR selector is 0", GuestTrSelector, c => (c[GuestTrSelector] & SelectorTi) == 0);
        yield return Segment("TI of a usable guest LDTR's selector is 0", GuestLdtrSelector,
            c => !SegmentFields.Ldtr.Of(c).Usable || (c[GuestLdtrSelector] & SelectorTi) == 0);
        yield return Segment("RPL of guest SS equals RPL of guest CS, outside virtual-8086 mode and unrestricted guest", GuestSsSelector,
            c => c.IsVirtual8086 || c.IsUnrestricted || ((c[GuestSsSelector] ^ c[GuestCsSelector]) & SelectorRpl) == 0);
        foreach (SegmentFields segment in SegmentFields.CodeAndData)
        {
            foreach (EntryRule rule in Virtual8086Rules(segment))
                yield return rule;
        }

        foreach (EntryRule rule in BaseRules())
            yield return rule;
        foreach (EntryRule rule in CodeRules().Concat(StackRules()))
            yield return rule;
        foreach (SegmentFields segment in SegmentFields.CodeAndData)
        {
            foreach (EntryRule rule in CommonRules(segment))
                yield return rule;
        }

        foreach (EntryRule rule in SystemRules())
            yield return rule;
    }

    private static EntryRule Segment(string name, VmcsField field, Func<EntryContext, bool> holds) => Guest(SegmentSection, name, field,
        SegmentReads, holds);

    private static IEnumerable<EntryRule> Virtual8086Rules(SegmentFields s)
    {
        yield return Segment($"in virtual-8086 mode, guest {s.Name} base is its selector times 16", s.Base,
            c => !c.IsVirtual8086 || c[s.Base] == c[s.Selector] << 4);
        yield return Segment($"in virtual-8086 mode, guest {s.Name} limit is FFFFH", s.Limit, c => !c.IsVirtual8086
            || c[s.Limit] == Virtual8086Limit);
        yield return Segment($"in virtual-8086 mode, guest {s.Name} access rights are F3H", s.AccessRights,
            c => !c.IsVirtual8086 || c[s.AccessRights] == Virtual8086Rights);
    }

    private static IEnumerable<EntryRule> BaseRules()
    {
        foreach (SegmentFields s in (SegmentFields[])[SegmentFields.Tr, SegmentFields.Fs, SegmentFields.Gs])
        {
            yield return Segment($"guest {s.Name} base is canonical", s.Base, c => IsCanonical(c[s.Base]));
        }

        yield return Segment("a usable guest LDTR's base is canonical", GuestLdtrBase,
            c => !SegmentFields.Ldtr.Of(c).Usable || IsCanonical(c[GuestLdtrBase]));
        yield return Segment("bits 63:32 of guest CS base are 0", GuestCsBase, c => c[GuestCsBase] >> 32 == 0);
        foreach (SegmentFields s in (SegmentFields[])[SegmentFields.Ss, SegmentFields.Ds, SegmentFields.Es])
        {
            yield return Segment($"bits 63:32 of a usable guest {s.Name}'s base are 0", s.Base, c => !s.Of(c).Usable || c[s.Base] >> 32 == 0);
        }
    }

    // CS and its relation to SS. Virtual-8086 mode has rules of its own above.
    private static IEnumerable<EntryRule> CodeRules()
    {
        yield return Segment("guest CS is an accessed code segment, or read/write data for an unrestricted guest", GuestCsAccessRights,
            c => c.IsVirtual8086 || SegmentFields.Cs.Of(c).Type is 9 or 11 or 13 or 15 || (c.IsUnrestricted && SegmentFields.Cs.Of(c).Type == 3));
        yield return Segment("DPL of a guest CS that holds data is 0", GuestCsAccessRights,
            c => c.IsVirtual8086 || SegmentFields.Cs.Of(c).Type != 3 || SegmentFields.Cs.Of(c).Dpl == 0);
        yield return Segment("DPL of a non-conforming guest CS equals DPL of SS", GuestCsAccessRights,
            c => c.IsVirtual8086 || SegmentFields.Cs.Of(c).Type is not (9 or 11) || SegmentFields.Cs.Of(c).Dpl == SegmentFields.Ss.Of(c).Dpl);
        yield return Segment("DPL of a conforming guest CS is at most DPL of SS", GuestCsAccessRights,
            c => c.IsVirtual8086 || SegmentFields.Cs.Of(c).Type is not (13 or 15) || SegmentFields.Cs.Of(c).Dpl <= SegmentFields.Ss.Of(c).Dpl);
        yield return Segment("in 64-bit mode, D of guest CS is 0", GuestCsAccessRights,
            c => !c.IsIa32e || !SegmentFields.Cs.Of(c).Long || !SegmentFields.Cs.Of(c).Default);
    }

    private static IEnumerable<EntryRule> StackRules()
    {
        yield return Segment("a usable guest SS is accessed read/write data", GuestSsAccessRights,
            c => c.IsVirtual8086 || !SegmentFields.Ss.Of(c).Usable || SegmentFields.Ss.Of(c).Type is 3 or 7);
        yield return Segment("DPL of guest SS equals its RPL, but for an unrestricted guest", GuestSsAccessRights,
            c => c.IsVirtual8086 || c.IsUnrestricted || (uint)SegmentFields.Ss.Of(c).Dpl == (c[GuestSsSelector] & SelectorRpl));
        yield return Segment("DPL of guest SS is 0 in real-address mode and where CS holds data", GuestSsAccessRights,
            c => c.IsVirtual8086 || SegmentFields.Ss.Of(c).Dpl == 0 || ((c[GuestCr0] & Cr0Pe) != 0 && SegmentFields.Cs.Of(c).Type != 3));
    }

    private static IEnumerable<EntryRule> CommonRules(SegmentFields s)
    {
        bool isData = s.Number != SegmentFields.Cs.Number && s.Number != SegmentFields.Ss.Number;
        // CS is always usable (SDM 3C 27.3.1.2: "bit 16 ... must be 0" follows from its type check being unconditional).
        bool Checked(EntryContext c) => !c.IsVirtual8086 && (s.Number == SegmentFields.Cs.Number || s.Of(c).Usable);
        if (isData)
        {
            yield return Segment($"a usable guest {s.Name} is accessed, and readable where it holds code", s.AccessRights,
                c => !Checked(c) || ((s.Of(c).Type & TypeAccessed) != 0 && ((s.Of(c).Type & TypeCode) == 0 || (s.Of(c).Type & TypeReadable) != 0)));
            yield return Segment($"DPL of a usable, non-conforming guest {s.Name} is at least its RPL, but for an unrestricted guest", s.AccessRights,
                c => !Checked(c) || c.IsUnrestricted || s.Of(c).Type > 11 || (uint)s.Of(c).Dpl >= (c[s.Selector] & SelectorRpl));
        }

        yield return Segment($"S of a usable guest {s.Name} is 1", s.AccessRights, c => !Checked(c)
            || (c[s.AccessRights] & SegmentRegister.SystemBit) != 0);
        yield return Segment($"P of a usable guest {s.Name} is 1", s.AccessRights, c => !Checked(c) || s.Of(c).Present);
        yield return Segment($"reserved bits 11:8 of a usable guest {s.Name}'s access rights are 0", s.AccessRights,
            c => !Checked(c) || (c[s.AccessRights] & DescriptorReserved) == 0);
        yield return Segment($"reserved bits 31:17 of a usable guest {s.Name}'s access rights are 0", s.AccessRights,
            c => !Checked(c) || (c[s.AccessRights] & RightsReserved) == 0);
        yield return Segment($"G of a usable guest {s.Name} fits its limit", s.AccessRights, c => !Checked(c) || GranularityFits(s.Of(c)));
    }

    private static IEnumerable<EntryRule> SystemRules()
    {
        yield return Segment("guest TR is a busy TSS: 16-bit or 32-bit, or just 64-bit for an IA-32e mode guest", GuestTrAccessRights,
            c => SegmentFields.Tr.Of(c).Type == 11 || (SegmentFields.Tr.Of(c).Type == 3 && !c.IsIa32e));
        yield return Segment("guest TR is usable", GuestTrAccessRights, c => SegmentFields.Tr.Of(c).Usable);
        yield return Segment("a usable guest LDTR holds an LDT", GuestLdtrAccessRights, c => !SegmentFields.Ldtr.Of(c).Usable
            || SegmentFields.Ldtr.Of(c).Type == 2);
        foreach (SegmentFields s in (SegmentFields[])[SegmentFields.Tr, SegmentFields.Ldtr])
        {
            bool Checked(EntryContext c) => s.Number == SegmentFields.Tr.Number || s.Of(c).Usable;
            yield return Segment($"S of a usable guest {s.Name} is 0", s.AccessRights, c => !Checked(c)
                || (c[s.AccessRights] & SegmentRegister.SystemBit) == 0);
            yield return Segment($"P of a usable guest {s.Name} is 1", s.AccessRights, c => !Checked(c) || s.Of(c).Present);
            yield return Segment($"reserved bits 11:8 of a usable guest {s.Name}'s access rights are 0", s.AccessRights,
                c => !Checked(c) || (c[s.AccessRights] & DescriptorReserved) == 0);
            yield return Segment($"reserved bits 31:17 of a usable guest {s.Name}'s access rights are 0", s.AccessRights,
                c => !Checked(c) || (c[s.AccessRights] & RightsReserved) == 0);
            yield return Segment($"G of a usable guest {s.Name} fits its limit", s.AccessRights, c => !Checked(c) || GranularityFits(s.Of(c)));
        }
    }

    // G must be 0 if limit bits 11:0 are not all 1, and 1 if limit bits 31:20 are not all 0.
    private static bool GranularityFits(in SegmentRegister s)
    {
        bool granular = (s.Attributes & SegmentRegister.GranularityBit) != 0;
        return granular ? (s.Limit & 0xFFF) == 0xFFF : s.Limit >> 20 == 0;
    }
}
