namespace Hv.Core.Paravirt;

/// <summary>Constants of the 2007 MSR hypercall interface, under their own names (KVM 2007, include/linux/kvm_para.h; docs/abi.md).</summary>
public static class ParaAbi
{
    /// <summary>The newest guest version served, and what host_version says.</summary>
    public const uint KVM_PARA_API_VERSION = 1;

    /// <summary>The register: RDMSR is the probe, WRMSR registers.</summary>
    public const uint MSR_KVM_API_MAGIC = 0x8765_5678;

    /// <summary>Its negative is the error that <c>ret</c> and a refused call report.</summary>
    public const int KVM_EINVAL = 1;
}
