namespace Hv.Backends.Svm.Silicon;

/// <summary>Instruction and event intercepts at 00CH (APM 2 B.1).</summary>
[Flags]
public enum Intercepts1 : uint
{
    None = 0,
    Intr = 1u << 0,
    Nmi = 1u << 1,
    Smi = 1u << 2,
    Init = 1u << 3,
    Vintr = 1u << 4,

    /// <summary>Writes of CR0 that change bits other than TS and MP.</summary>
    Cr0SelectiveWrite = 1u << 5,
    IdtrRead = 1u << 6,
    GdtrRead = 1u << 7,
    LdtrRead = 1u << 8,
    TrRead = 1u << 9,
    IdtrWrite = 1u << 10,
    GdtrWrite = 1u << 11,
    LdtrWrite = 1u << 12,
    TrWrite = 1u << 13,
    Rdtsc = 1u << 14,
    Rdpmc = 1u << 15,
    Pushf = 1u << 16,
    Popf = 1u << 17,
    Cpuid = 1u << 18,
    Rsm = 1u << 19,
    Iret = 1u << 20,
    IntN = 1u << 21,
    Invd = 1u << 22,
    Pause = 1u << 23,
    Hlt = 1u << 24,
    Invlpg = 1u << 25,
    Invlpga = 1u << 26,
    IoioProt = 1u << 27,
    MsrProt = 1u << 28,
    TaskSwitch = 1u << 29,
    FerrFreeze = 1u << 30,
    Shutdown = 1u << 31,
}

/// <summary>Instruction intercepts at 010H (APM 2 B.1).</summary>
[Flags]
public enum Intercepts2 : uint
{
    None = 0,
    Vmrun = 1u << 0,
    Vmmcall = 1u << 1,
    Vmload = 1u << 2,
    Vmsave = 1u << 3,
    Stgi = 1u << 4,
    Clgi = 1u << 5,
    Skinit = 1u << 6,
    Rdtscp = 1u << 7,
    Icebp = 1u << 8,
    Wbinvd = 1u << 9,
    Monitor = 1u << 10,
    Mwait = 1u << 11,
    MwaitArmed = 1u << 12,
    Xsetbv = 1u << 13,
    Rdpru = 1u << 14,
    EferWriteTrap = 1u << 15,
}

/// <summary>Instruction intercepts at 014H (APM 2 B.1).</summary>
[Flags]
public enum Intercepts3 : uint
{
    None = 0,
    Invlpgb = 1u << 0,
    InvlpgbIllegal = 1u << 1,
    Invpcid = 1u << 2,
    Mcommit = 1u << 3,
    Tlbsync = 1u << 4,
    BusLock = 1u << 5,
    IdleHlt = 1u << 6,
}

/// <summary>What VMRUN does to the TLB (APM 2 15.16.1).</summary>
public enum TlbControl : byte
{
    Nothing = 0,
    FlushAll = 1,
    FlushGuest = 3,
    FlushGuestNonGlobal = 7,
}

/// <summary>The word at 090H.</summary>
[Flags]
public enum NestedControl : ulong
{
    None = 0,
    NestedPaging = 1ul << 0,

    /// <summary>Walks of guest page tables through read-only nested pages are allowed while no accessed or dirty bit has to be set.</summary>
    ReadOnlyGuestTables = 1ul << 6,
}

/// <summary>VMCB clean bits at 0C0H: a set bit says that the hypervisor has not changed the group since the last #VMEXIT (APM 2 15.15.3).</summary>
[Flags]
public enum CleanBits : uint
{
    None = 0,

    /// <summary>Intercept vectors, TSC offset, pause filter.</summary>
    Intercepts = 1u << 0,

    /// <summary>IOPM_BASE_PA, MSRPM_BASE_PA.</summary>
    PermissionMaps = 1u << 1,
    Asid = 1u << 2,

    /// <summary>The word at 060H: V_TPR to V_INTR_VECTOR.</summary>
    Tpr = 1u << 3,

    /// <summary>Nested paging: NP_ENABLE, nCR3, G_PAT.</summary>
    Nested = 1u << 4,

    /// <summary>CR0, CR3, CR4, EFER.</summary>
    Crx = 1u << 5,

    /// <summary>DR6, DR7.</summary>
    Drx = 1u << 6,

    /// <summary>GDTR and IDTR.</summary>
    DescriptorTables = 1u << 7,

    /// <summary>CS, DS, SS, ES and CPL.</summary>
    Segments = 1u << 8,
    Cr2 = 1u << 9,
    Lbr = 1u << 10,
    Avic = 1u << 11,
    Cet = 1u << 12,

    /// <summary>Every group that the model caches.</summary>
    All = Intercepts | PermissionMaps | Asid | Tpr | Nested | Crx | Drx | DescriptorTables | Segments | Cr2,
}

/// <summary>The word at 060H (APM 2 15.21).</summary>
/// <param name="Value">The word.</param>
public readonly record struct VirtualInterrupt(ulong Value)
{
    private const ulong TprMask = 0xFF, IrqBit = 1ul << 8, IgnoreTprBit = 1ul << 20, MaskingBit = 1ul << 24;

    /// <summary>V_TPR: the virtual task priority, 0..15.</summary>
    public byte Tpr => (byte)(Value & 0xF);

    /// <summary>V_IRQ: a virtual interrupt is pending.</summary>
    public bool Irq => (Value & IrqBit) != 0;

    /// <summary>V_INTR_PRIO, 0..15.</summary>
    public byte Priority => (byte)(Value >> 16 & 0xF);

    /// <summary>V_IGN_TPR: the priority is not compared with V_TPR.</summary>
    public bool IgnoreTpr => (Value & IgnoreTprBit) != 0;

    /// <summary>V_INTR_MASKING: RFLAGS.IF and CR8 of the guest govern virtual interrupts only.</summary>
    public bool Masking => (Value & MaskingBit) != 0;

    /// <summary>V_INTR_VECTOR.</summary>
    public byte Vector => (byte)(Value >> 32);

    /// <summary>Whether the virtual interrupt may be taken as far as priorities go (APM 2 15.21.4).</summary>
    public bool PriorityAllows => IgnoreTpr || Priority > Tpr;

    /// <summary>The word with another V_TPR.</summary>
    public VirtualInterrupt WithTpr(byte tpr) => new((Value & ~TprMask) | (tpr & 0xFu));

    /// <summary>The word with V_IRQ set or clear, V_IGN_TPR, and a vector.</summary>
    public VirtualInterrupt WithIrq(bool pending, byte vector) =>
        new((Value & ~(IrqBit | IgnoreTprBit | 0xFFul << 32)) | (pending ? IrqBit | IgnoreTprBit : 0) | (ulong)vector << 32);

    /// <summary>The word with V_INTR_MASKING.</summary>
    public VirtualInterrupt WithMasking() => new(Value | MaskingBit);

    /// <summary>The word with V_IRQ clear.</summary>
    public VirtualInterrupt WithoutIrq() => new(Value & ~IrqBit);
}

/// <summary>An event in the format that EVENTINJ and EXITINTINFO share (APM 2 15.20, 15.7.2).</summary>
/// <param name="Value">The quadword: vector 7:0, type 10:8, error code valid 11, valid 31, error code 63:32.</param>
public readonly record struct EventRecord(ulong Value)
{
    private const ulong ErrorCodeValidBit = 1ul << 11, ValidBit = 1ul << 31;

    /// <summary>Whether there is an event.</summary>
    public bool Valid => (Value & ValidBit) != 0;

    /// <summary>The vector; for an NMI it does not count.</summary>
    public byte Vector => (byte)Value;

    /// <summary>What it is.</summary>
    public EventType Type => (EventType)(Value >> 8 & 7);

    /// <summary>Whether an error code is pushed.</summary>
    public bool HasErrorCode => (Value & ErrorCodeValidBit) != 0;

    /// <summary>The error code.</summary>
    public uint ErrorCode => (uint)(Value >> 32);

    /// <summary>A valid event.</summary>
    public static EventRecord Of(EventType type, byte vector, bool hasErrorCode = false, uint errorCode = 0) =>
        new(vector | (ulong)type << 8 | (hasErrorCode ? ErrorCodeValidBit | (ulong)errorCode << 32 : 0) | ValidBit);

    /// <inheritdoc/>
    public override string ToString() => !Valid ? "none" : $"{Type} {Vector}" + (HasErrorCode ? $" error 0x{ErrorCode:x}" : "");
}

/// <summary>TYPE of an event (APM 2 15.20). The other values are reserved.</summary>
public enum EventType : byte
{
    Interrupt = 0,
    Nmi = 2,
    Exception = 3,
    SoftwareInterrupt = 4,
}
