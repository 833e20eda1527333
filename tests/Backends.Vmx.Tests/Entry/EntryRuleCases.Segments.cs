using Hv.Backends.Vmx.Silicon.Fields;
using static Hv.Backends.Vmx.Silicon.Fields.VmcsField;

namespace Hv.Backends.Vmx.Tests.Entry;

// Guest segment registers. Access rights in the fixture: code A09BH, data C093H, TSS 8BH.
internal static partial class EntryRuleCases
{
    private static readonly string[] s_codeAndData = ["CS", "SS", "DS", "ES", "FS", "GS"];
    private static readonly string[] s_order = ["ES", "CS", "SS", "DS", "FS", "GS", "LDTR", "TR"];

    private static VmcsField Rights(string s) => GuestEsAccessRights + (2 * (uint)Array.IndexOf(s_order, s));

    private static VmcsField Limit(string s) => GuestEsLimit + (2 * (uint)Array.IndexOf(s_order, s));

    private static VmcsField Base(string s) => GuestEsBase + (2 * (uint)Array.IndexOf(s_order, s));

    private static VmcsField Selector(string s) => GuestEsSelector + (2 * (uint)Array.IndexOf(s_order, s));

    private static ulong Good(string s) => s switch { "CS" => 0xA09B, "TR" => 0x8B, "LDTR" => 0x82, _ => 0xC093 };

    private static IEnumerable<EntryRuleCase> Segments() =>
    [
        new("TI of the guest TR selector is 0", [(GuestTrSelector, 0x1B)], [(GuestTrSelector, 0x1C)]),
        new("TI of a usable guest LDTR's selector is 0", [(GuestLdtrSelector, 0x24)], [(GuestLdtrAccessRights, 0x82), (GuestLdtrSelector, 0x24)]),
        new("RPL of guest SS equals RPL of guest CS, outside virtual-8086 mode and unrestricted guest",
            [(SecondaryControls, Unrestricted), (GuestCsSelector, 0x0B)], [(GuestCsSelector, 0x0B)]),
        .. s_codeAndData.SelectMany(Virtual8086Cases),
        .. new[] { "TR", "FS", "GS" }.Select(s => new EntryRuleCase($"guest {s} base is canonical", [(Base(s), LastCanonical)], [(Base(s),
            NotCanonical)])),
        new("a usable guest LDTR's base is canonical", [(GuestLdtrBase, NotCanonical)], [(GuestLdtrAccessRights, 0x82), (GuestLdtrBase,
            NotCanonical)]),
        new("bits 63:32 of guest CS base are 0", [(GuestCsBase, 0xFFFF_FFFF)], [(GuestCsBase, 0x1_0000_0000)]),
        .. new[] { "SS", "DS", "ES" }.Select(s => new EntryRuleCase($"bits 63:32 of a usable guest {s}'s base are 0",
            [(Base(s), 0x1_0000_0000), (Rights(s), 0x1_0000)], [(Base(s), 0x1_0000_0000)])),
        new("guest CS is an accessed code segment, or read/write data for an unrestricted guest",
            [(SecondaryControls, Unrestricted), (GuestCsAccessRights, 0xA093)], [(GuestCsAccessRights, 0xA093)]),
        new("DPL of a guest CS that holds data is 0",
            [(SecondaryControls, Unrestricted), (GuestCsAccessRights, 0xA093)], [(SecondaryControls, Unrestricted), (GuestCsAccessRights, 0xA0B3)]),
        new("DPL of a non-conforming guest CS equals DPL of SS", [(GuestCsAccessRights, 0xA09B)], [(GuestCsAccessRights, 0xA0BB)]),
        new("DPL of a conforming guest CS is at most DPL of SS", [(GuestCsAccessRights, 0xA09F)], [(GuestCsAccessRights, 0xA0BF)]),
        new("in 64-bit mode, D of guest CS is 0", [(GuestCsAccessRights, 0xC09B)], [(GuestCsAccessRights, 0xE09B)]),
        new("a usable guest SS is accessed read/write data", [(GuestSsAccessRights, 0xC097)], [(GuestSsAccessRights, 0xC092)]),
        new("DPL of guest SS equals its RPL, but for an unrestricted guest",
            [(SecondaryControls, Unrestricted), (GuestSsSelector, 0x13)], [(GuestSsSelector, 0x13), (GuestCsSelector, 0x0B)]),
        new("DPL of guest SS is 0 in real-address mode and where CS holds data", RealMode((GuestSsAccessRights, 0xC093)),
            RealMode((GuestSsAccessRights, 0xC0F3), (GuestCsAccessRights, 0xFB))),
        .. s_codeAndData.SelectMany(CommonCases),
        .. new[] { "DS", "ES", "FS", "GS" }.SelectMany(DataCases),
        new("guest TR is a busy TSS: 16-bit or 32-bit, or just 64-bit for an IA-32e mode guest", Guest32((GuestTrAccessRights, 0x83)),
            [(GuestTrAccessRights, 0x83)]),
        new("guest TR is usable", [(GuestTrAccessRights, 0x8B)], [(GuestTrAccessRights, 0x1_008B)]),
        new("a usable guest LDTR holds an LDT", [(GuestLdtrAccessRights, 0x82)], [(GuestLdtrAccessRights, 0x83)]),
        .. new[] { "TR", "LDTR" }.SelectMany(SystemCases),
    ];

    private static IEnumerable<EntryRuleCase> Virtual8086Cases(string s) =>
    [
        new($"in virtual-8086 mode, guest {s} base is its selector times 16", Virtual8086(), Virtual8086((Base(s), 0x12341))),
        new($"in virtual-8086 mode, guest {s} limit is FFFFH", Virtual8086(), Virtual8086((Limit(s), 0xFFFE))),
        new($"in virtual-8086 mode, guest {s} access rights are F3H", Virtual8086(), Virtual8086((Rights(s), 0x93))),
    ];

    private static IEnumerable<EntryRuleCase> CommonCases(string s) =>
    [
        new($"S of a usable guest {s} is 1", [(Rights(s), Good(s))], [(Rights(s), Good(s) & ~0x10UL)]),
        new($"P of a usable guest {s} is 1", s is "CS" ? [] : [(Rights(s), 0x1_0000)], [(Rights(s), Good(s) & ~0x80UL)]),
        new($"reserved bits 11:8 of a usable guest {s}'s access rights are 0", [(Rights(s), Good(s) | 0x1000)], [(Rights(s), Good(s) | 0x800)]),
        new($"reserved bits 31:17 of a usable guest {s}'s access rights are 0", [(Rights(s), Good(s))], [(Rights(s), Good(s) | 0x2_0000)]),
        new($"G of a usable guest {s} fits its limit", [(Rights(s), Good(s) & ~0x8000UL), (Limit(s), 0xF_FFFF)], [(Rights(s), Good(s) & ~0x8000UL),
            (Limit(s), 0x10_0000)]),
    ];

    private static IEnumerable<EntryRuleCase> DataCases(string s) =>
    [
        new($"a usable guest {s} is accessed, and readable where it holds code", [(Rights(s), 0xC09B)], [(Rights(s), 0xC099)]),
        new($"DPL of a usable, non-conforming guest {s} is at least its RPL, but for an unrestricted guest", [(Selector(s), 0x13), (Rights(s),
            0xC0F3)], [(Selector(s), 0x13)]),
    ];

    private static IEnumerable<EntryRuleCase> SystemCases(string s) =>
    [
        new($"S of a usable guest {s} is 0", [(Rights(s), Good(s))], [(Rights(s), Good(s) | 0x10)]),
        new($"P of a usable guest {s} is 1", [(Rights(s), Good(s))], [(Rights(s), Good(s) & ~0x80UL)]),
        new($"reserved bits 11:8 of a usable guest {s}'s access rights are 0", [(Rights(s), Good(s))], [(Rights(s), Good(s) | 0x100)]),
        new($"reserved bits 31:17 of a usable guest {s}'s access rights are 0", [(Rights(s), Good(s))], [(Rights(s), Good(s) | 0x2_0000)]),
        new($"G of a usable guest {s} fits its limit", [(Rights(s), Good(s) | 0x8000), (Limit(s), 0xFFFF_FFFF)], [(Rights(s), Good(s) | 0x8000),
            (Limit(s), 0xFFFF_FFFE)]),
    ];
}
