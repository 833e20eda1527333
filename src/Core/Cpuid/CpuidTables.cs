using System.Buffers.Binary;
using System.Text;

namespace Hv.Core.Cpuid;

/// <summary>CPUID tables as data.</summary>
public static class CpuidTables
{
    /// <summary>What leaf 0 names as the maker: nobody's processor but hv's.</summary>
    public const string Vendor = "Hv Processor";

    /// <summary>What leaf 0x40000000 names as the hypervisor.</summary>
    public const string HypervisorSignature = "hvhvhvhvhvhv";

    // Leaf 1 (SDM 2A CPUID, tables 3-10 and 3-11; APM 3 E.3.2).
    private const uint Fpu = 1u << 0, De = 1u << 2, Pse = 1u << 3, Tsc = 1u << 4, Msr = 1u << 5, Pae = 1u << 6, Cx8 = 1u << 8,
        Sep = 1u << 11, Pge = 1u << 13, Cmov = 1u << 15, Pat = 1u << 16, Pse36 = 1u << 17, Clfsh = 1u << 19, Fxsr = 1u << 24;
    private const uint Cx16 = 1u << 13, Movbe = 1u << 22, Popcnt = 1u << 23, Hypervisor = 1u << 31;

    // Leaf 7.0 EBX.
    private const uint Bmi1 = 1u << 3, Smep = 1u << 7, Bmi2 = 1u << 8, Erms = 1u << 9, Smap = 1u << 20;

    // Leaf 0x80000001 (APM 3 E.4.2).
    private const uint LahfSahf = 1u << 0, Lzcnt = 1u << 5;
    private const uint Syscall = 1u << 11, Nx = 1u << 20, Rdtscp = 1u << 27, LongMode = 1u << 29;

    private const uint Family6Model = 0x0000_06F0;
    private const uint CacheLineOf64Bytes = 8u << 8;

    // 48 linear and 40 physical address bits; the slots of GuestMemory may lie higher, a guest cannot map them.
    private const uint AddressBits = (48u << 8) | 40u;

    /// <summary>The features that the software processor has, in no vendor's name.</summary>
    public static CpuidTable Default { get; } = new(
    [
        new(0, null, Named(7, Vendor[..4], Vendor[8..], Vendor[4..8])),
        new(1, null, new(
            Family6Model,
            CacheLineOf64Bytes,
            Cx16 | Movbe | Popcnt | Hypervisor,
            Fpu | De | Pse | Tsc | Msr | Pae | Cx8 | Sep | Pge | Cmov | Pat | Pse36 | Clfsh | Fxsr)),
        new(7, 0, new(0, Bmi1 | Smep | Bmi2 | Erms | Smap, 0, 0)),
        new(0x4000_0000, null, Named(0x4000_0000, HypervisorSignature[..4], HypervisorSignature[4..8], HypervisorSignature[8..])),
        new(0x8000_0000, null, new(0x8000_0008, 0, 0, 0)),
        new(0x8000_0001, null, new(0, 0, LahfSahf | Lzcnt, Syscall | Nx | Rdtscp | LongMode)),
        new(0x8000_0002, null, Brand(0)),
        new(0x8000_0003, null, Brand(16)),
        new(0x8000_0004, null, Brand(32)),
        new(0x8000_0008, null, new(AddressBits, 0, 0, 0)),
    ]);

    private static CpuidResult Named(uint eax, string ebx, string ecx, string edx) => new(eax, Word(ebx), Word(ecx), Word(edx));

    private static CpuidResult Brand(int offset)
    {
        string part = "hv software processor".PadRight(48, '\0').Substring(offset, 16);
        return new(Word(part[..4]), Word(part[4..8]), Word(part[8..12]), Word(part[12..]));
    }

    private static uint Word(string four) => BinaryPrimitives.ReadUInt32LittleEndian(Encoding.ASCII.GetBytes(four));
}
