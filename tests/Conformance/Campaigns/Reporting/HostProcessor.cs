using System.Runtime.Intrinsics.X86;
using System.Text;
using Hv.Conformance.Campaigns.Forms;

namespace Hv.Conformance.Campaigns.Reporting;

/// <summary>Names this machine's processor.</summary>
public static class HostProcessor
{
    /// <summary>Its maker (SDM 2A CPUID, leaf 0); Any where it is neither.</summary>
    public static Maker Maker()
    {
        if (!X86Base.IsSupported)
            return Forms.Maker.Any;
        (_, int b, _, _) = X86Base.CpuId(0, 0);
        return Encoding.ASCII.GetString(BitConverter.GetBytes(b)) switch
        {
            "Genu" => Forms.Maker.Intel,
            "Auth" => Forms.Maker.Amd,
            _ => Forms.Maker.Any,
        };
    }

    /// <summary>The brand string with family, model and stepping (SDM 2A CPUID).</summary>
    public static string Name()
    {
        if (!X86Base.IsSupported)
            return System.Runtime.InteropServices.RuntimeInformation.ProcessArchitecture.ToString();
        var brand = new StringBuilder();
        for (int leaf = unchecked((int)0x8000_0002); leaf <= unchecked((int)0x8000_0004); leaf++)
        {
            (int a, int b, int c, int d) = X86Base.CpuId(leaf, 0);
            foreach (int word in (ReadOnlySpan<int>)[a, b, c, d])
                brand.Append(Encoding.ASCII.GetString(BitConverter.GetBytes(word)));
        }

        return $"{brand.ToString().TrimEnd('\0').Trim()} (family {Family:X}h, model {Model:X2}h, stepping {Version & 0xF})";
    }

    /// <summary>Its family with the extended one, which counts for 15 (SDM 2A CPUID, leaf 1); 0 where there is no CPUID.</summary>
    public static int Family => (Version >> 8 & 0xF) is var family && family == 15 ? family + (Version >> 20 & 0xFF) : Version >> 8 & 0xF;

    /// <summary>Its model with the extended one, which counts for families 6 and 15.</summary>
    public static int Model => (Version >> 4 & 0xF) | ((Version >> 8 & 0xF) is 6 or 15 ? Version >> 12 & 0xF0 : 0);

    private static int Version => X86Base.IsSupported ? X86Base.CpuId(1, 0).Eax : 0;
}
