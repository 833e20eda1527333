using System.Runtime.InteropServices;

namespace Hv.Backends.Kvm.Abi;

/// <summary>struct kvm_userspace_memory_region (include/uapi/linux/kvm.h), 32 bytes.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct KvmUserspaceMemoryRegion
{
    public const uint LogDirtyPages = 1, ReadOnly = 2;

    public uint slot, flags;
    public ulong guest_phys_addr, memory_size, userspace_addr;
}

/// <summary>struct kvm_dirty_log, 16 bytes.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct KvmDirtyLog
{
    public uint slot, padding;
    public ulong dirty_bitmap;
}

/// <summary>struct kvm_enable_cap, 104 bytes.</summary>
[StructLayout(LayoutKind.Sequential, Size = 104)]
internal struct KvmEnableCap
{
    public uint cap, flags;
    public ulong arg0, arg1, arg2, arg3;
}

/// <summary>One range of struct kvm_msr_filter, 24 bytes.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct KvmMsrFilterRange
{
    public const uint Read = 1, Write = 2;

    public uint flags, nmsrs, @base, padding;
    public ulong bitmap;
}

/// <summary>struct kvm_msr_filter, 392 bytes: sixteen ranges, of which the backend uses one.</summary>
[StructLayout(LayoutKind.Explicit, Size = 392)]
internal struct KvmMsrFilter
{
    [FieldOffset(0)] public uint flags;
    [FieldOffset(8)] public KvmMsrFilterRange range;
}

/// <summary>The capabilities that the backend asks about (KVM_CAP_*).</summary>
internal static class KvmCap
{
    public const uint UserMemory = 3, SyncRegs = 74, ReadonlyMem = 81, DisableQuirks2 = 213, ImmediateExit = 136, X86UserSpaceMsr = 188,
        X86MsrFilter = 189,
        Xsave = 55, Xcrs = 56, VcpuEvents = 41, DebugRegs = 50, MaxVcpus = 66, NrVcpus = 9;

    /// <summary>KVM_X86_QUIRK_FIX_HYPERCALL_INSN: the kernel rewrites a hypercall instruction of the other vendor in place.</summary>
    public const ulong QuirkFixHypercallInstruction = 1 << 5;

    /// <summary>Arguments of <see cref="X86UserSpaceMsr"/>: accesses that KVM does not know or a filter denies come to user space.</summary>
    public const ulong MsrExitInvalid = 1, MsrExitUnknown = 2, MsrExitFilter = 4;
}
