using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Hv.Backends.Kvm.Abi;

/// <summary>struct kvm_regs (arch/x86/include/uapi/asm/kvm.h), 144 bytes.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct KvmRegs
{
    public ulong rax, rbx, rcx, rdx, rsi, rdi, rsp, rbp, r8, r9, r10, r11, r12, r13, r14, r15, rip, rflags;
}

/// <summary>struct kvm_segment, 24 bytes.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct KvmSegment
{
    public ulong @base;
    public uint limit;
    public ushort selector;
    public byte type, present, dpl, db, s, l, g, avl, unusable, padding;
}

/// <summary>struct kvm_dtable, 16 bytes.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct KvmDtable
{
    public ulong @base;
    public ushort limit, padding0, padding1, padding2;
}

/// <summary>struct kvm_sregs, 312 bytes.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct KvmSregs
{
    public KvmSegment cs, ds, es, fs, gs, ss, tr, ldt;
    public KvmDtable gdt, idt;
    public ulong cr0, cr2, cr3, cr4, cr8, efer, apic_base;
    public Array4<ulong> interrupt_bitmap;
}

/// <summary>struct kvm_vcpu_events, 64 bytes.</summary>
[StructLayout(LayoutKind.Explicit, Size = 64)]
internal struct KvmVcpuEvents
{
    public const uint ValidNmiPending = 1, ValidShadow = 4;

    [FieldOffset(0)] public byte exception_injected;
    [FieldOffset(1)] public byte exception_nr;
    [FieldOffset(2)] public byte exception_has_error_code;
    [FieldOffset(3)] public byte exception_pending;
    [FieldOffset(4)] public uint exception_error_code;
    [FieldOffset(8)] public byte interrupt_injected;
    [FieldOffset(9)] public byte interrupt_nr;
    [FieldOffset(10)] public byte interrupt_soft;
    [FieldOffset(11)] public byte interrupt_shadow;
    [FieldOffset(12)] public byte nmi_injected;
    [FieldOffset(13)] public byte nmi_pending;
    [FieldOffset(14)] public byte nmi_masked;
    [FieldOffset(16)] public uint sipi_vector;
    [FieldOffset(20)] public uint flags;
    [FieldOffset(28)] public byte triple_fault_pending;
    [FieldOffset(55)] public byte exception_has_payload;
    [FieldOffset(56)] public ulong exception_payload;
}

/// <summary>struct kvm_debugregs, 128 bytes.</summary>
[StructLayout(LayoutKind.Sequential, Size = 128)]
internal struct KvmDebugRegs
{
    public ulong db0, db1, db2, db3, dr6, dr7, flags;
}

/// <summary>struct kvm_xcrs, 392 bytes, of which the backend uses one register.</summary>
[StructLayout(LayoutKind.Explicit, Size = 392)]
internal struct KvmXcrs
{
    [FieldOffset(0)] public uint nr_xcrs;
    [FieldOffset(8)] public uint xcr;
    [FieldOffset(16)] public ulong value;
}

/// <summary>One entry of struct kvm_msrs, 16 bytes.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct KvmMsrEntry
{
    public uint index, reserved;
    public ulong data;
}

/// <summary>struct kvm_msrs with room for the registers that the backend keeps: a count, then the entries.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct KvmMsrs
{
    public const int Room = 12;

    public uint nmsrs, pad;
    private Array12<KvmMsrEntry> _entries;

    /// <summary>Entry <paramref name="index"/>.</summary>
    [UnscopedRef]
    public ref KvmMsrEntry this[int index] => ref _entries[index];
}

/// <summary>struct kvm_xsave, 4,096 bytes: an XSAVE area in the standard format.</summary>
[StructLayout(LayoutKind.Sequential, Size = 4096)]
internal struct KvmXsave
{
    /// <summary>The area in a byte array of at least that size.</summary>
    public static ref KvmXsave In(Span<byte> bytes) => ref MemoryMarshal.AsRef<KvmXsave>(bytes);
}

/// <summary>What struct kvm_cpuid2 begins with; the entries follow.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct KvmCpuidHead
{
    public uint nent, padding;
}

/// <summary>One entry of struct kvm_cpuid2, 40 bytes.</summary>
[StructLayout(LayoutKind.Sequential, Size = 40)]
internal struct KvmCpuidEntry
{
    public const uint SignificantIndex = 1;

    public uint function, index, flags, eax, ebx, ecx, edx;
}

[InlineArray(4)]
internal struct Array4<T>
{
    private T _element;
}

[InlineArray(KvmMsrs.Room)]
internal struct Array12<T>
{
    private T _element;
}
