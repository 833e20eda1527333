using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Hv.Backends.Svm.Silicon;

/// <summary>
/// The virtual machine control block as it lies in memory: one 4 KiB page, control area at 0, state save area at 400H (APM 2 appendix B).
/// <see cref="VmcbFields"/> is the same layout as data, with the manual's names.
/// </summary>
[StructLayout(LayoutKind.Explicit, Size = 0x1000)]
public struct Vmcb
{
    [FieldOffset(0x000)] public VmcbControl Control;
    [FieldOffset(0x400)] public VmcbSave Save;
}

/// <summary>The control area (APM 2 B.1, table B-1).</summary>
[StructLayout(LayoutKind.Explicit, Size = 0x400)]
public struct VmcbControl
{
    [FieldOffset(0x000)] public ushort InterceptCrReads;
    [FieldOffset(0x002)] public ushort InterceptCrWrites;
    [FieldOffset(0x004)] public ushort InterceptDrReads;
    [FieldOffset(0x006)] public ushort InterceptDrWrites;
    [FieldOffset(0x008)] public uint InterceptExceptions;
    [FieldOffset(0x00C)] public Intercepts1 Intercepts1;
    [FieldOffset(0x010)] public Intercepts2 Intercepts2;
    [FieldOffset(0x014)] public Intercepts3 Intercepts3;
    [FieldOffset(0x03C)] public ushort PauseFilterThreshold;
    [FieldOffset(0x03E)] public ushort PauseFilterCount;
    [FieldOffset(0x040)] public ulong IopmBasePa;
    [FieldOffset(0x048)] public ulong MsrpmBasePa;
    [FieldOffset(0x050)] public ulong TscOffset;
    [FieldOffset(0x058)] public uint GuestAsid;
    [FieldOffset(0x05C)] public TlbControl TlbControl;
    [FieldOffset(0x060)] public VirtualInterrupt VirtualInterrupt;
    [FieldOffset(0x068)] public ulong InterruptState;
    [FieldOffset(0x070)] public SvmExitCode ExitCode;
    [FieldOffset(0x078)] public ulong ExitInfo1;
    [FieldOffset(0x080)] public ulong ExitInfo2;
    [FieldOffset(0x088)] public EventRecord ExitIntInfo;
    [FieldOffset(0x090)] public NestedControl NestedControl;
    [FieldOffset(0x0A8)] public EventRecord EventInj;
    [FieldOffset(0x0B0)] public ulong NestedCr3;
    [FieldOffset(0x0B8)] public ulong VirtualizationEnable;
    [FieldOffset(0x0C0)] public CleanBits Clean;
    [FieldOffset(0x0C8)] public ulong NextRip;
    [FieldOffset(0x0D0)] public byte BytesFetched;
    [FieldOffset(0x0D1)] public InstructionBytes InstructionBytes;

    /// <summary>Bit 0 of <see cref="InterruptState"/>: the guest is in an interrupt shadow.</summary>
    public const ulong InterruptShadowBit = 1;
}

/// <summary>The state save area (APM 2 B.2, table B-2); offsets here are from its own start, 400H.</summary>
[StructLayout(LayoutKind.Explicit, Size = 0xC00)]
public struct VmcbSave
{
    [FieldOffset(0x000)] public VmcbSegment Es;
    [FieldOffset(0x010)] public VmcbSegment Cs;
    [FieldOffset(0x020)] public VmcbSegment Ss;
    [FieldOffset(0x030)] public VmcbSegment Ds;
    [FieldOffset(0x040)] public VmcbSegment Fs;
    [FieldOffset(0x050)] public VmcbSegment Gs;
    [FieldOffset(0x060)] public VmcbSegment Gdtr;
    [FieldOffset(0x070)] public VmcbSegment Ldtr;
    [FieldOffset(0x080)] public VmcbSegment Idtr;
    [FieldOffset(0x090)] public VmcbSegment Tr;
    [FieldOffset(0x0CB)] public byte Cpl;
    [FieldOffset(0x0D0)] public ulong Efer;
    [FieldOffset(0x148)] public ulong Cr4;
    [FieldOffset(0x150)] public ulong Cr3;
    [FieldOffset(0x158)] public ulong Cr0;
    [FieldOffset(0x160)] public ulong Dr7;
    [FieldOffset(0x168)] public ulong Dr6;
    [FieldOffset(0x170)] public ulong Rflags;
    [FieldOffset(0x178)] public ulong Rip;
    [FieldOffset(0x1D8)] public ulong Rsp;
    [FieldOffset(0x1F8)] public ulong Rax;
    [FieldOffset(0x200)] public ulong Star;
    [FieldOffset(0x208)] public ulong Lstar;
    [FieldOffset(0x210)] public ulong Cstar;
    [FieldOffset(0x218)] public ulong Sfmask;
    [FieldOffset(0x220)] public ulong KernelGsBase;
    [FieldOffset(0x228)] public ulong SysenterCs;
    [FieldOffset(0x230)] public ulong SysenterEsp;
    [FieldOffset(0x238)] public ulong SysenterEip;
    [FieldOffset(0x240)] public ulong Cr2;
    [FieldOffset(0x268)] public ulong GuestPat;

    /// <summary>ES, CS, SS and DS at once.</summary>
    [UnscopedRef]
    public ref VmcbSegments Segments => ref Unsafe.As<VmcbSegment, VmcbSegments>(ref Es);
}

/// <summary>ES, CS, SS and DS as they lie in the save area: the group of the clean bit SEG, without CPL.</summary>
[StructLayout(LayoutKind.Sequential)]
public struct VmcbSegments
{
    public VmcbSegment Es, Cs, Ss, Ds;
}

/// <summary>A segment register in the save area. The attributes are descriptor bits 55:52 and 47:40 drawn together into 12 bits.</summary>
[StructLayout(LayoutKind.Sequential)]
public struct VmcbSegment
{
    public ushort Selector;

    /// <summary>Type 3:0, S 4, DPL 6:5, P 7, AVL 8, L 9, D/B 10, G 11.</summary>
    public ushort Attributes;

    /// <summary>The last valid offset in bytes, granularity already applied. For GDTR and IDTR only bits 15:0 count.</summary>
    public uint Limit;
    public ulong Base;

    /// <summary>Bit 7 of <see cref="Attributes"/>.</summary>
    public const ushort PresentBit = 1 << 7;

    /// <summary>Bit 9 of <see cref="Attributes"/>: CS.L.</summary>
    public const ushort LongBit = 1 << 9;

    /// <summary>Bit 10 of <see cref="Attributes"/>: CS.D.</summary>
    public const ushort DefaultBit = 1 << 10;
}

/// <summary>The 15 bytes at 0D1H that decode assists fill.</summary>
[InlineArray(15)]
public struct InstructionBytes
{
    private byte _byte;
}
