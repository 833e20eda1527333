using Hv.Core.Cpuid;

namespace Hv.Cpu.System;

/// <summary>What CPUID promises the guest decides which bits it may set (SDM 3A 2.5: a control bit without its feature is reserved).</summary>
internal static class ProcessorFeatures
{
    private readonly record struct Row(uint Leaf, char Register, int Bit, ulong ControlBits);

    /// <summary>CR4 bits and the CPUID bit (SDM 2A CPUID, tables 3-8 to 3-11) that each needs.</summary>
    private static readonly Row[] Cr4Rows =
    [
        new(1, 'd', 1, ControlBits.Vme | ControlBits.Pvi), new(1, 'd', 2, ControlBits.De), new(1, 'd', 3, ControlBits.Pse),
        new(1, 'd', 4, ControlBits.Tsd),
        new(1, 'd', 6, ControlBits.Pae), new(1, 'd', 7, ControlBits.Mce), new(1, 'd', 13, ControlBits.Pge), new(1, 'd', 24, ControlBits.Osfxsr),
        new(1, 'd', 25, ControlBits.Osxmmexcpt), new(1, 'c', 5, ControlBits.Vmxe), new(1, 'c', 17, ControlBits.Pcide),
        new(1, 'c', 26, ControlBits.Osxsave),
        new(7, 'b', 0, ControlBits.Fsgsbase), new(7, 'b', 7, ControlBits.Smep), new(7, 'b', 20, ControlBits.Smap), new(7, 'c', 2, ControlBits.Umip),
    ];

    private static readonly Row[] EferRows =
    [
        new(0x8000_0001, 'd', 11, ControlBits.Sce), new(0x8000_0001, 'd', 29, ControlBits.Sce | ControlBits.Lme),
        new(0x8000_0001, 'd', 20, ControlBits.Nxe),
        new(0x8000_0001, 'c', 2, ControlBits.Svme),
    ];

    /// <summary>Bits of CR4 that may be set.</summary>
    public static ulong Cr4Mask(CpuidTable cpuid) => Collect(cpuid, Cr4Rows) | ControlBits.Pce;

    /// <summary>Bits of EFER that may be set; LMA is read-only.</summary>
    public static ulong EferMask(CpuidTable cpuid) => Collect(cpuid, EferRows);

    /// <summary>Bits of XCR0 that may be set (SDM 1 13.3: leaf 0DH, subleaf 0).</summary>
    public static ulong Xcr0Mask(CpuidTable cpuid)
    {
        CpuidResult row = cpuid.Query(0xD, 0);
        return ((ulong)row.Edx << 32 | row.Eax) & 7 | 1;
    }

    /// <summary>MONITOR and MWAIT exist.</summary>
    public static bool HasMonitor(CpuidTable cpuid) => Has(cpuid, new Row(1, 'c', 3, 0));

    /// <summary>RDTSCP and IA32_TSC_AUX exist.</summary>
    public static bool HasRdtscp(CpuidTable cpuid) => Has(cpuid, new Row(0x8000_0001, 'd', 27, 0));

    /// <summary>Bits above the physical address width, which page tables, CR3 and MTRRs must leave 0. 36 bits without the leaf (SDM 3A
    /// 4.1.4).</summary>
    public static ulong PhysicalReserved(CpuidTable cpuid)
    {
        int width = (int)(cpuid.Query(0x8000_0008, 0).Eax & 0xFF);
        if (width is < 32 or > 52)
            width = 36;
        return ~((1UL << width) - 1);
    }

    private static ulong Collect(CpuidTable cpuid, Row[] rows)
    {
        ulong mask = 0;
        foreach (ref readonly Row row in rows.AsSpan())
        {
            if (Has(cpuid, row))
                mask |= row.ControlBits;
        }

        return mask;
    }

    private static bool Has(CpuidTable cpuid, Row row)
    {
        CpuidResult result = cpuid.Query(row.Leaf, 0);
        uint bits = row.Register switch { 'b' => result.Ebx, 'c' => result.Ecx, _ => result.Edx };
        return (bits >> row.Bit & 1) != 0;
    }
}
