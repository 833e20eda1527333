using System.Buffers.Binary;
using System.Runtime.InteropServices;

namespace Hv.Backends.Svm.Silicon;

/// <summary>A field of the VMCB as data: how a message names it and where it lies.</summary>
/// <param name="Name">The manual's name.</param>
/// <param name="Offset">Bytes from the start of the VMCB.</param>
/// <param name="Size">Bytes: 1, 2, 4 or 8.</param>
/// <param name="Group">The clean bit that covers it; <see cref="CleanBits.None"/> when it is loaded from memory each time.</param>
public sealed record VmcbField(string Name, int Offset, int Size, CleanBits Group = CleanBits.None)
{
    /// <summary>The field's value, zero-extended.</summary>
    public ulong Read(in Vmcb vmcb)
    {
        ReadOnlySpan<byte> bytes = MemoryMarshal.AsBytes(new ReadOnlySpan<Vmcb>(in vmcb)).Slice(Offset, Size);
        return Size switch
        {
            1 => bytes[0],
            2 => BinaryPrimitives.ReadUInt16LittleEndian(bytes),
            4 => BinaryPrimitives.ReadUInt32LittleEndian(bytes),
            _ => BinaryPrimitives.ReadUInt64LittleEndian(bytes),
        };
    }

    /// <summary>For example <c>EFER (VMCB 4D0H) = 0x0</c>.</summary>
    public string Show(in Vmcb vmcb) => $"{Name} (VMCB {Offset:X3}H) = 0x{Read(vmcb):x}";
}

/// <summary>The fields of the VMCB that the model uses (APM 2 appendix B, tables B-1 and B-2; clean groups APM 2 15.15.3).</summary>
public static class VmcbFields
{
    public static readonly VmcbField InterceptCrReads = new("intercept CR reads", 0x000, 2, CleanBits.Intercepts);
    public static readonly VmcbField InterceptCrWrites = new("intercept CR writes", 0x002, 2, CleanBits.Intercepts);
    public static readonly VmcbField InterceptDrReads = new("intercept DR reads", 0x004, 2, CleanBits.Intercepts);
    public static readonly VmcbField InterceptDrWrites = new("intercept DR writes", 0x006, 2, CleanBits.Intercepts);
    public static readonly VmcbField InterceptExceptions = new("intercept exceptions", 0x008, 4, CleanBits.Intercepts);
    public static readonly VmcbField Intercepts1 = new("intercepts 1", 0x00C, 4, CleanBits.Intercepts);
    public static readonly VmcbField Intercepts2 = new("intercepts 2", 0x010, 4, CleanBits.Intercepts);
    public static readonly VmcbField Intercepts3 = new("intercepts 3", 0x014, 4, CleanBits.Intercepts);
    public static readonly VmcbField PauseFilterThreshold = new("PAUSE filter threshold", 0x03C, 2, CleanBits.Intercepts);
    public static readonly VmcbField PauseFilterCount = new("PAUSE filter count", 0x03E, 2, CleanBits.Intercepts);
    public static readonly VmcbField IopmBasePa = new("IOPM_BASE_PA", 0x040, 8, CleanBits.PermissionMaps);
    public static readonly VmcbField MsrpmBasePa = new("MSRPM_BASE_PA", 0x048, 8, CleanBits.PermissionMaps);
    public static readonly VmcbField TscOffset = new("TSC_OFFSET", 0x050, 8, CleanBits.Intercepts);
    public static readonly VmcbField GuestAsid = new("guest ASID", 0x058, 4, CleanBits.Asid);
    public static readonly VmcbField TlbControl = new("TLB_CONTROL", 0x05C, 1);
    public static readonly VmcbField VirtualInterrupt = new("V_TPR and V_INTR", 0x060, 8, CleanBits.Tpr);
    public static readonly VmcbField InterruptState = new("INTERRUPT_SHADOW", 0x068, 8);
    public static readonly VmcbField ExitCode = new("EXITCODE", 0x070, 8);
    public static readonly VmcbField ExitInfo1 = new("EXITINFO1", 0x078, 8);
    public static readonly VmcbField ExitInfo2 = new("EXITINFO2", 0x080, 8);
    public static readonly VmcbField ExitIntInfo = new("EXITINTINFO", 0x088, 8);
    public static readonly VmcbField NestedControl = new("NP_ENABLE", 0x090, 8, CleanBits.Nested);
    public static readonly VmcbField EventInj = new("EVENTINJ", 0x0A8, 8);
    public static readonly VmcbField NestedCr3 = new("nCR3", 0x0B0, 8, CleanBits.Nested);
    public static readonly VmcbField VirtualizationEnable = new("LBR_VIRTUALIZATION_ENABLE", 0x0B8, 8, CleanBits.Lbr);
    public static readonly VmcbField Clean = new("VMCB clean bits", 0x0C0, 4);
    public static readonly VmcbField NextRip = new("nRIP", 0x0C8, 8);
    public static readonly VmcbField BytesFetched = new("number of bytes fetched", 0x0D0, 1);

    public static readonly VmcbField EsSelector = new("ES selector", 0x400, 2, CleanBits.Segments);
    public static readonly VmcbField CsSelector = new("CS selector", 0x410, 2, CleanBits.Segments);
    public static readonly VmcbField CsAttributes = new("CS attrib", 0x412, 2, CleanBits.Segments);
    public static readonly VmcbField CsLimit = new("CS limit", 0x414, 4, CleanBits.Segments);
    public static readonly VmcbField CsBase = new("CS base", 0x418, 8, CleanBits.Segments);
    public static readonly VmcbField SsSelector = new("SS selector", 0x420, 2, CleanBits.Segments);
    public static readonly VmcbField DsSelector = new("DS selector", 0x430, 2, CleanBits.Segments);
    public static readonly VmcbField FsSelector = new("FS selector", 0x440, 2);
    public static readonly VmcbField GsSelector = new("GS selector", 0x450, 2);
    public static readonly VmcbField GdtrLimit = new("GDTR limit", 0x464, 4, CleanBits.DescriptorTables);
    public static readonly VmcbField GdtrBase = new("GDTR base", 0x468, 8, CleanBits.DescriptorTables);
    public static readonly VmcbField LdtrSelector = new("LDTR selector", 0x470, 2);
    public static readonly VmcbField IdtrLimit = new("IDTR limit", 0x484, 4, CleanBits.DescriptorTables);
    public static readonly VmcbField IdtrBase = new("IDTR base", 0x488, 8, CleanBits.DescriptorTables);
    public static readonly VmcbField TrSelector = new("TR selector", 0x490, 2);
    public static readonly VmcbField Cpl = new("CPL", 0x4CB, 1, CleanBits.Segments);
    public static readonly VmcbField Efer = new("EFER", 0x4D0, 8, CleanBits.Crx);
    public static readonly VmcbField Cr4 = new("CR4", 0x548, 8, CleanBits.Crx);
    public static readonly VmcbField Cr3 = new("CR3", 0x550, 8, CleanBits.Crx);
    public static readonly VmcbField Cr0 = new("CR0", 0x558, 8, CleanBits.Crx);
    public static readonly VmcbField Dr7 = new("DR7", 0x560, 8, CleanBits.Drx);
    public static readonly VmcbField Dr6 = new("DR6", 0x568, 8, CleanBits.Drx);
    public static readonly VmcbField Rflags = new("RFLAGS", 0x570, 8);
    public static readonly VmcbField Rip = new("RIP", 0x578, 8);
    public static readonly VmcbField Rsp = new("RSP", 0x5D8, 8);
    public static readonly VmcbField Rax = new("RAX", 0x5F8, 8);
    public static readonly VmcbField Star = new("STAR", 0x600, 8);
    public static readonly VmcbField Lstar = new("LSTAR", 0x608, 8);
    public static readonly VmcbField Cstar = new("CSTAR", 0x610, 8);
    public static readonly VmcbField Sfmask = new("SFMASK", 0x618, 8);
    public static readonly VmcbField KernelGsBase = new("KernelGsBase", 0x620, 8);
    public static readonly VmcbField SysenterCs = new("SYSENTER_CS", 0x628, 8);
    public static readonly VmcbField SysenterEsp = new("SYSENTER_ESP", 0x630, 8);
    public static readonly VmcbField SysenterEip = new("SYSENTER_EIP", 0x638, 8);
    public static readonly VmcbField Cr2 = new("CR2", 0x640, 8, CleanBits.Cr2);
    public static readonly VmcbField GuestPat = new("G_PAT", 0x668, 8, CleanBits.Nested);

    /// <summary>Every field above, by offset.</summary>
    public static IReadOnlyList<VmcbField> All { get; } =
    [
        InterceptCrReads, InterceptCrWrites, InterceptDrReads, InterceptDrWrites, InterceptExceptions, Intercepts1, Intercepts2, Intercepts3,
        PauseFilterThreshold, PauseFilterCount, IopmBasePa, MsrpmBasePa, TscOffset, GuestAsid, TlbControl, VirtualInterrupt, InterruptState,
        ExitCode, ExitInfo1, ExitInfo2, ExitIntInfo, NestedControl, EventInj, NestedCr3, VirtualizationEnable, Clean, NextRip, BytesFetched,
        EsSelector, CsSelector, CsAttributes, CsLimit, CsBase, SsSelector, DsSelector, FsSelector, GsSelector, GdtrLimit, GdtrBase, LdtrSelector,
        IdtrLimit, IdtrBase, TrSelector, Cpl, Efer, Cr4, Cr3, Cr0, Dr7, Dr6, Rflags, Rip, Rsp, Rax, Star, Lstar, Cstar, Sfmask, KernelGsBase,
        SysenterCs, SysenterEsp, SysenterEip, Cr2, GuestPat,
    ];
}
