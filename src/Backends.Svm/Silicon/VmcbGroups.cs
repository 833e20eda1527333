using System.Runtime.InteropServices;

namespace Hv.Backends.Svm.Silicon;

/// <summary>A run of VMCB bytes and the clean bit that covers it.</summary>
public readonly record struct VmcbRange(CleanBits Group, int Offset, int Length);

/// <summary>Which bytes of the VMCB each clean bit covers (APM 2 15.15.3), and the copying of whole groups into the on-chip cache.</summary>
public static class VmcbGroups
{
    // An array, so that going through it allocates nothing.
    private static readonly VmcbRange[] s_all =
    [
        new(CleanBits.Intercepts, 0x000, 0x018), new(CleanBits.Intercepts, 0x03C, 0x004), new(CleanBits.Intercepts, 0x050, 0x008),
        new(CleanBits.PermissionMaps, 0x040, 0x010),
        new(CleanBits.Asid, 0x058, 0x004),
        new(CleanBits.Tpr, 0x060, 0x008),
        new(CleanBits.Nested, 0x090, 0x008), new(CleanBits.Nested, 0x0B0, 0x008), new(CleanBits.Nested, 0x668, 0x008),
        new(CleanBits.Crx, 0x4D0, 0x008), new(CleanBits.Crx, 0x548, 0x018),
        new(CleanBits.Drx, 0x560, 0x010),
        new(CleanBits.DescriptorTables, 0x460, 0x010), new(CleanBits.DescriptorTables, 0x480, 0x010),
        new(CleanBits.Segments, 0x400, 0x040), new(CleanBits.Segments, 0x4CB, 0x001),
        new(CleanBits.Cr2, 0x640, 0x008),
        new(CleanBits.None, 0x05C, 0x001), new(CleanBits.None, 0x068, 0x008), new(CleanBits.None, 0x0A8, 0x008), new(CleanBits.None, 0x0C8, 0x008),
        new(CleanBits.None, 0x570, 0x010), new(CleanBits.None, 0x5D8, 0x008), new(CleanBits.None, 0x5F8, 0x008),
    ];

    /// <summary>The ranges; those of <see cref="CleanBits.None"/> are loaded from memory at each VMRUN.</summary>
    public static IReadOnlyList<VmcbRange> All => s_all;

    /// <summary>Copies every range whose group is not in <paramref name="clean"/>.</summary>
    public static void CopyDirty(in Vmcb from, ref Vmcb to, CleanBits clean)
    {
        ReadOnlySpan<byte> source = MemoryMarshal.AsBytes(new ReadOnlySpan<Vmcb>(in from));
        Span<byte> target = MemoryMarshal.AsBytes(new Span<Vmcb>(ref to));
        foreach (VmcbRange range in s_all)
        {
            if (range.Group == CleanBits.None || (range.Group & clean) == 0)
                source.Slice(range.Offset, range.Length).CopyTo(target.Slice(range.Offset, range.Length));
        }
    }
}
