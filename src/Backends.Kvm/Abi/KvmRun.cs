using System.Runtime.InteropServices;

namespace Hv.Backends.Kvm.Abi;

/// <summary>
/// struct kvm_run, 2,352 bytes: the page that KVM and user space share for one vCPU, with its union of exit records at 32 and the synced registers at
/// 304. The layout is checked against the kernel's header by a test.
/// </summary>
[StructLayout(LayoutKind.Explicit, Size = 2352)]
internal struct KvmRun
{
    public const ulong SyncRegs = 1, SyncSregs = 2, SyncEvents = 4;

    [FieldOffset(0)] public byte request_interrupt_window;
    [FieldOffset(1)] public byte immediate_exit;
    [FieldOffset(8)] public KvmExitReason exit_reason;
    [FieldOffset(12)] public byte ready_for_interrupt_injection;
    [FieldOffset(13)] public byte if_flag;
    [FieldOffset(14)] public ushort flags;
    [FieldOffset(16)] public ulong cr8;
    [FieldOffset(24)] public ulong apic_base;

    [FieldOffset(32)] public IoRecord io;
    [FieldOffset(32)] public MmioRecord mmio;
    [FieldOffset(32)] public MsrRecord msr;
    [FieldOffset(32)] public InternalRecord @internal;
    [FieldOffset(32)] public FailEntryRecord fail_entry;
    [FieldOffset(32)] public uint system_event_type;

    [FieldOffset(288)] public ulong kvm_valid_regs;
    [FieldOffset(296)] public ulong kvm_dirty_regs;
    [FieldOffset(304)] public KvmRegs regs;
    [FieldOffset(448)] public KvmSregs sregs;
    [FieldOffset(760)] public KvmVcpuEvents events;

    /// <summary>The record of KVM_EXIT_IO; the data lie <see cref="data_offset"/> bytes into the mapping.</summary>
    [StructLayout(LayoutKind.Sequential)]
    public struct IoRecord
    {
        public byte direction, size;
        public ushort port;
        public uint count;
        public ulong data_offset;
    }

    /// <summary>The record of KVM_EXIT_MMIO.</summary>
    [StructLayout(LayoutKind.Sequential)]
    public struct MmioRecord
    {
        public ulong phys_addr, data;
        public uint len;
        public byte is_write;
    }

    /// <summary>The record of KVM_EXIT_X86_RDMSR and KVM_EXIT_X86_WRMSR.</summary>
    [StructLayout(LayoutKind.Explicit, Size = 24)]
    public struct MsrRecord
    {
        [FieldOffset(0)] public byte error;
        [FieldOffset(8)] public uint reason;
        [FieldOffset(12)] public uint index;
        [FieldOffset(16)] public ulong data;
    }

    /// <summary>The record of KVM_EXIT_FAIL_ENTRY; <see cref="hardware_entry_failure_reason"/> also is that of KVM_EXIT_UNKNOWN and holds the
    /// error of
    /// <see cref="KvmExitReason.RunFailed"/>.</summary>
    [StructLayout(LayoutKind.Sequential)]
    public struct FailEntryRecord
    {
        public ulong hardware_entry_failure_reason;
        public uint cpu;
    }

    /// <summary>The record of KVM_EXIT_INTERNAL_ERROR: for an emulation failure the instruction's bytes are in the data.</summary>
    [StructLayout(LayoutKind.Sequential)]
    public struct InternalRecord
    {
        public uint suberror, ndata;
        public ulong data0, data1, data2, data3;
    }
}

/// <summary>KVM_EXIT_*; any other number is legal and unknown.</summary>
internal enum KvmExitReason : uint
{
    Unknown = 0,
    Exception = 1,
    Io = 2,
    Hypercall = 3,
    Debug = 4,
    Hlt = 5,
    Mmio = 6,
    IrqWindowOpen = 7,
    Shutdown = 8,
    FailEntry = 9,
    Intr = 10,
    InternalError = 17,
    SystemEvent = 24,
    X86Rdmsr = 29,
    X86Wrmsr = 30,

    /// <summary>Not KVM's: KVM_RUN itself failed; the error number is in the record.</summary>
    RunFailed = 0x8000_0000,
}
