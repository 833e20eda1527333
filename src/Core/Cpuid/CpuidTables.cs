using System.Buffers.Binary;
using System.Text;

namespace Hv.Core.Cpuid;

/// <summary>CPUID tables as data, in no vendor's name.</summary>
public static class CpuidTables
{
    /// <summary>What leaf 0 names as the maker: nobody's processor but hv's.</summary>
    public const string Vendor = "Hv Processor";

    /// <summary>What leaf 0x40000000 names as the hypervisor.</summary>
    public const string HypervisorSignature = "hvhvhvhvhvhv";

    /// <summary>Bytes of an XSAVE area in the standard format: x87 and SSE state with the header, and AVX state behind it (SDM 1 13.4).</summary>
    public const uint LegacyAreaSize = 576, AvxAreaSize = LegacyAreaSize + AvxPartSize;

    private const uint AvxPartSize = 256;

    // Leaf 1 EDX, then ECX (SDM 2A CPUID, tables 3-10 and 3-11; APM 3 E.3.2).
    private const uint Fpu = 1u << 0, De = 1u << 2, Pse = 1u << 3, Tsc = 1u << 4, Msr = 1u << 5, Pae = 1u << 6, Cx8 = 1u << 8,
        Sep = 1u << 11, Pge = 1u << 13, Cmov = 1u << 15, Pat = 1u << 16, Pse36 = 1u << 17, Clfsh = 1u << 19, Mmx = 1u << 23, Fxsr = 1u << 24,
        Sse = 1u << 25, Sse2 = 1u << 26;
    private const uint Sse3 = 1u << 0, Pclmulqdq = 1u << 1, Ssse3 = 1u << 9, Fma = 1u << 12, Cx16 = 1u << 13, Sse41 = 1u << 19, Sse42 = 1u << 20,
        Movbe = 1u << 22, Popcnt = 1u << 23, Aes = 1u << 25, Xsave = 1u << 26, Avx = 1u << 28, F16c = 1u << 29, Rdrand = 1u << 30,
        Hypervisor = 1u << 31;

    // Leaf 7.0 EBX, then ECX. Two bits say what the x87 no longer does: docs/adr/0027-x87-pointers.md.
    private const uint Fsgsbase = 1u << 0, Bmi1 = 1u << 3, Avx2 = 1u << 5, FdpOnExceptionOnly = 1u << 6, Smep = 1u << 7, Bmi2 = 1u << 8,
        Erms = 1u << 9, NoFcsFds = 1u << 13, Rdseed = 1u << 18, Adx = 1u << 19, Smap = 1u << 20, Clflushopt = 1u << 23, Clwb = 1u << 24,
        Sha = 1u << 29;
    private const uint Umip = 1u << 2, Rdpid = 1u << 22;

    // Leaf 0xD.1 EAX.
    private const uint Xsaveopt = 1u << 0;

    // Leaf 0x80000001 ECX, then EDX (APM 3 E.4.2).
    private const uint LahfSahf = 1u << 0, Lzcnt = 1u << 5;
    private const uint Syscall = 1u << 11, Nx = 1u << 20, Rdtscp = 1u << 27, LongMode = 1u << 29;

    private const uint Family6Model = 0x0000_06F0;
    private const uint CacheLineOf64Bytes = 8u << 8;

    // 48 linear and 40 physical address bits; the slots of GuestMemory may lie higher, a guest cannot map them.
    private const uint AddressBits = (48u << 8) | 40u;

    // What a level of the instruction set adds to the registers of CPUID.
    private readonly record struct Features(uint Ecx1, uint Edx1, uint Ebx7, uint Ecx7, uint EaxD1, uint EcxExtended);

    private static readonly Features[] _added =
    [
        new(Hypervisor, Fpu | De | Pse | Tsc | Msr | Pae | Cx8 | Sep | Pge | Cmov | Pat | Pse36 | Clfsh | Mmx | Fxsr | Sse | Sse2,
            FdpOnExceptionOnly | Smep | Erms | NoFcsFds | Smap, 0, 0, 0),
        new(Cx16 | Popcnt | Sse3 | Ssse3 | Sse41 | Sse42, 0, 0, 0, 0, LahfSahf),
        new(Xsave | Avx | F16c | Fma | Movbe, 0, Avx2 | Bmi1 | Bmi2, 0, 0, Lzcnt),
        new(Aes | Pclmulqdq | Rdrand, 0, Fsgsbase | Rdseed | Adx | Clflushopt | Clwb | Sha, Umip | Rdpid, Xsaveopt, 0),
    ];

    private static readonly CpuidTable?[] s_made = new CpuidTable?[_added.Length + 1];

    /// <summary>x86-64-v1 (psABI table 3.1) with the system features of every model.</summary>
    public static CpuidTable Level1 => Of(1);

    /// <summary>x86-64-v2.</summary>
    public static CpuidTable Level2 => Of(2);

    /// <summary>x86-64-v3.</summary>
    public static CpuidTable Level3 => Of(3);

    /// <summary>Everything that the software processor has.</summary>
    public static CpuidTable Most => Of(4);

    /// <summary>The model of who does not choose: <see cref="Most"/>.</summary>
    public static CpuidTable Default => Most;

    // Made when first asked for, since a run needs one. Threads may race for it: what they make is the same.
    private static CpuidTable Of(int level) => s_made[level] ??= Make(level);

    private static CpuidTable Make(int level)
    {
        Features f = default;
        foreach (ref readonly Features more in _added.AsSpan(0, level))
            f = new(f.Ecx1 | more.Ecx1, f.Edx1 | more.Edx1, f.Ebx7 | more.Ebx7, f.Ecx7 | more.Ecx7, f.EaxD1 | more.EaxD1,
                f.EcxExtended | more.EcxExtended);
        bool extendedState = (f.Ecx1 & Xsave) != 0;
        List<CpuidEntry> rows =
        [
            new(0, null, Named(extendedState ? 0xDu : 7, Vendor[..4], Vendor[8..], Vendor[4..8])),
            new(1, null, new(Family6Model, CacheLineOf64Bytes, f.Ecx1, f.Edx1)),
            new(7, 0, new(0, f.Ebx7, f.Ecx7, 0)),
            new(0x4000_0000, null, Named(0x4000_0000, HypervisorSignature[..4], HypervisorSignature[4..8], HypervisorSignature[8..])),
            new(0x8000_0000, null, new(0x8000_0008, 0, 0, 0)),
            new(0x8000_0001, null, new(0, 0, f.EcxExtended, Syscall | Nx | Rdtscp | LongMode)),
            new(0x8000_0002, null, Brand(0)),
            new(0x8000_0003, null, Brand(16)),
            new(0x8000_0004, null, Brand(32)),
            new(0x8000_0008, null, new(AddressBits, 0, 0, 0)),
        ];
        if (extendedState)
        {
            const uint X87SseAvx = 7;
            rows.Add(new(0xD, 0, new(X87SseAvx, LegacyAreaSize, AvxAreaSize, 0)));
            rows.Add(new(0xD, 1, new(f.EaxD1, 0, 0, 0)));
            rows.Add(new(0xD, 2, new(AvxPartSize, LegacyAreaSize, 0, 0)));
        }

        return new CpuidTable(rows);
    }

    private static CpuidResult Named(uint eax, string ebx, string ecx, string edx) => new(eax, Word(ebx), Word(ecx), Word(edx));

    private static CpuidResult Brand(int offset)
    {
        string part = "hv software processor".PadRight(48, '\0').Substring(offset, 16);
        return new(Word(part[..4]), Word(part[4..8]), Word(part[8..12]), Word(part[12..]));
    }

    private static uint Word(string four) => BinaryPrimitives.ReadUInt32LittleEndian(Encoding.ASCII.GetBytes(four));
}
