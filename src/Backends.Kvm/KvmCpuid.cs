using System.Runtime.InteropServices;
using Hv.Backends.Kvm.Abi;
using Hv.Backends.Kvm.Native;
using Hv.Core.Cpuid;

namespace Hv.Backends.Kvm;

/// <summary>What the host's KVM can offer a guest (KVM_GET_SUPPORTED_CPUID), and the table that a vCPU is given: Core's, without what the host
/// lacks.</summary>
internal sealed class KvmCpuid
{
    private const int Room = 256;

    // KVM itself follows what the guest makes of them later.
    private const ulong ResetCr4 = 0, ResetXcr0 = 1;

    // Leaf 1 ECX: not features of a processor, but that there is a host, and that the guest's kernel has set CR4.OSXSAVE.
    private const uint Hypervisor = 1u << 31, Osxsave = 1u << 27;

    private readonly CpuidTable _supported;

    private KvmCpuid(CpuidTable supported) => _supported = supported;

    /// <summary>Asks the host.</summary>
    public static KvmCpuid Of(KvmDevice device)
    {
        var block = new byte[Marshal.SizeOf<KvmCpuidHead>() + Room * Marshal.SizeOf<KvmCpuidEntry>()];
        ref KvmCpuidHead head = ref MemoryMarshal.AsRef<KvmCpuidHead>(block.AsSpan());
        head.nent = Room;
        KvmIoctl.Call(device.Fd, KvmIoctl.GetSupportedCpuid, "KVM_GET_SUPPORTED_CPUID", ref head);
        var rows = new List<CpuidEntry>();
        foreach (KvmCpuidEntry e in Entries(block)[..(int)head.nent])
        {
            uint? subleaf = (e.flags & KvmCpuidEntry.SignificantIndex) != 0 ? e.index : null;
            rows.Add(new CpuidEntry(e.function, subleaf, new CpuidResult(e.eax, e.ebx, e.ecx, e.edx)));
        }

        return new KvmCpuid(new CpuidTable(rows));
    }

    /// <summary>A table whose feature bits are those that <paramref name="wanted"/> and the host have both; everything else is as wanted.</summary>
    public CpuidTable Mask(CpuidTable wanted) => new(wanted.Entries.Select(e => e with { Result = Mask(e) }));

    /// <summary>Gives a vCPU its table.</summary>
    /// <param name="vcpu">The vCPU's descriptor.</param>
    /// <param name="table">The table.</param>
    /// <param name="vcpuIndex">Its index, which is its initial APIC ID.</param>
    public static void Set(int vcpu, CpuidTable table, int vcpuIndex)
    {
        int count = table.Entries.Count;
        var block = new byte[Marshal.SizeOf<KvmCpuidHead>() + count * Marshal.SizeOf<KvmCpuidEntry>()];
        Span<KvmCpuidEntry> entries = Entries(block);
        for (int i = 0; i < count; i++)
        {
            CpuidEntry row = table.Entries[i];
            CpuidResult answer = table.Query(row.Leaf, row.Subleaf ?? 0, vcpuIndex, ResetCr4, ResetXcr0);
            entries[i] = new KvmCpuidEntry
            {
                function = row.Leaf,
                index = row.Subleaf ?? 0,
                flags = row.Subleaf is null ? 0 : KvmCpuidEntry.SignificantIndex,
                eax = answer.Eax,
                ebx = answer.Ebx,
                ecx = answer.Ecx,
                edx = answer.Edx,
            };
        }

        ref KvmCpuidHead head = ref MemoryMarshal.AsRef<KvmCpuidHead>(block.AsSpan());
        head.nent = (uint)count;
        KvmIoctl.Call(vcpu, KvmIoctl.SetCpuid2, "KVM_SET_CPUID2", ref head);
    }

    /// <summary>The words that are sets of features (SDM 2A CPUID; APM 3 E.3 and E.4): 1, 7, the XCR0 bits and XSAVE's variants of Dh, and
    /// 80000001h.</summary>
    private CpuidResult Mask(CpuidEntry e)
    {
        CpuidResult host = _supported.Query(e.Leaf, e.Subleaf ?? 0), r = e.Result;
        return (e.Leaf, e.Subleaf ?? 0) switch
        {
            (1, _) => r with { Ecx = r.Ecx & (host.Ecx | Hypervisor | Osxsave), Edx = r.Edx & host.Edx },
            (7, 0) => r with { Ebx = r.Ebx & host.Ebx, Ecx = r.Ecx & host.Ecx, Edx = r.Edx & host.Edx },
            (7, _) => new CpuidResult(r.Eax & host.Eax, r.Ebx & host.Ebx, r.Ecx & host.Ecx, r.Edx & host.Edx),
            (0xD, 0) => r with { Eax = r.Eax & host.Eax, Edx = r.Edx & host.Edx },
            (0xD, 1) => r with { Eax = r.Eax & host.Eax, Ecx = r.Ecx & host.Ecx, Edx = r.Edx & host.Edx },
            (0x8000_0001, _) => r with { Ecx = r.Ecx & host.Ecx, Edx = r.Edx & host.Edx },
            _ => r,
        };
    }

    private static Span<KvmCpuidEntry> Entries(byte[] block) => MemoryMarshal.Cast<byte, KvmCpuidEntry>(block.AsSpan(Marshal.SizeOf<KvmCpuidHead>()));
}
