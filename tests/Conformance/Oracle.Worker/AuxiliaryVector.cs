using System.Buffers.Binary;

namespace Hv.Conformance.Oracle;

/// <summary>What the kernel tells a program about itself (getauxval(3)).</summary>
internal static class AuxiliaryVector
{
    private const ulong HardwareCapabilities2 = 26;   // AT_HWCAP2
    private const ulong FsGsBaseBit = 2;              // HWCAP2_FSGSBASE, Linux arch/x86/include/uapi/asm/hwcap2.h

    /// <summary>Whether the kernel keeps bases that programs write with WRFSBASE and WRGSBASE; CPUID tells only whether the instructions exist.</summary>
    public static bool HasFsGsBase()
    {
        byte[] pairs = File.ReadAllBytes("/proc/self/auxv");
        for (int at = 0; at + 16 <= pairs.Length; at += 16)
            if (BinaryPrimitives.ReadUInt64LittleEndian(pairs.AsSpan(at)) == HardwareCapabilities2)
                return (BinaryPrimitives.ReadUInt64LittleEndian(pairs.AsSpan(at + 8)) & FsGsBaseBit) != 0;
        return false;
    }
}
