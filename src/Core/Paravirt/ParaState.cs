using System.Runtime.InteropServices;

namespace Hv.Core.Paravirt;

/// <summary>
/// The fields of <c>kvm_vcpu_para_state</c> (KVM 2007, include/linux/kvm_para.h): the first 24 bytes of one page-aligned guest page.
/// </summary>
[StructLayout(LayoutKind.Explicit, Size = FieldBytes)]
public struct ParaState
{
    /// <summary>Bytes that the fields take; the rest of the page is the guest's.</summary>
    public const int FieldBytes = 24;

    /// <summary>Byte offsets of the two fields that the host writes.</summary>
    public const ulong HostVersionOffset = 4, RetOffset = 12;

    /// <summary>In: the version that the guest speaks.</summary>
    [FieldOffset(0)] public uint GuestVersion;

    /// <summary>Out: <see cref="ParaAbi.KVM_PARA_API_VERSION"/>.</summary>
    [FieldOffset(4)] public uint HostVersion;

    /// <summary>In: the guest's idea of the record's size; never checked.</summary>
    [FieldOffset(8)] public uint Size;

    /// <summary>Out: 0 or −<see cref="ParaAbi.KVM_EINVAL"/>.</summary>
    [FieldOffset(12)] public int Ret;

    /// <summary>In: where the hypercall stub is, at any alignment.</summary>
    [FieldOffset(16)] public ulong HypercallGpa;
}
