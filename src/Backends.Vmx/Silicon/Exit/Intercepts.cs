using System.Runtime.CompilerServices;
using Hv.Backends.Vmx.Silicon.Fields;
using Hv.Cpu.Virtualization;
using static Hv.Backends.Vmx.Silicon.RegisterBits;

namespace Hv.Backends.Vmx.Silicon.Exit;

/// <summary>Which events leave the guest under a VMCS's controls (SDM 3C 26.1, 26.2). Pure: looks at the VMCS, the bitmaps and the event.</summary>
[SkipLocalsInit]
public static class Intercepts
{
    private const int TargetValues = 4;

    // By event kind and by vendor instruction: asked at every exit.
    private static readonly VmxExitReason[] s_reasons = Reasons(), s_vendorReasons = VendorReasons();

    /// <summary>Whether an event exits, and with which basic reason.</summary>
    /// <param name="vmcs">The current VMCS.</param>
    /// <param name="memory">Where the bitmaps are.</param>
    /// <param name="e">The event.</param>
    /// <param name="reason">The reason, when it does.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool Exits(Vmcs vmcs, HostPhysicalMemory memory, in CpuEvent e, out VmxExitReason reason)
    {
        VmxExitReason found = ReasonOf(e);
        reason = found;
        if (e.Kind == CpuEventKind.VendorInstruction)
            return found != VmxExitReason.ExceptionOrNmi;
        return (Unconditional >> (int)e.Kind & 1) != 0 || Decide(vmcs, memory, e);
    }

    // SDM 3C 26.1.2, a bit for each kind.
    private const ulong Unconditional = 1UL << (int)CpuEventKind.Cpuid | 1UL << (int)CpuEventKind.Invd | 1UL << (int)CpuEventKind.Xsetbv
        | 1UL << (int)CpuEventKind.TaskSwitch | 1UL << (int)CpuEventKind.TripleFault | 1UL << (int)CpuEventKind.GuestPhysicalAccess;

    private static bool Decide(Vmcs vmcs, HostPhysicalMemory memory, in CpuEvent e)
    {
        return e.Kind switch
        {
            // SDM 3C 26.1.3: conditional.
            CpuEventKind.Hlt => Has(vmcs, Primary.HltExiting),
            CpuEventKind.Invlpg => Has(vmcs, Primary.InvlpgExiting),
            CpuEventKind.Mwait => Has(vmcs, Primary.MwaitExiting),
            CpuEventKind.Monitor => Has(vmcs, Primary.MonitorExiting),
            CpuEventKind.Rdpmc => Has(vmcs, Primary.RdpmcExiting),
            CpuEventKind.Rdtsc or CpuEventKind.Rdtscp => Has(vmcs, Primary.RdtscExiting),
            CpuEventKind.Pause => Has(vmcs, Primary.PauseExiting),
            CpuEventKind.DrRead or CpuEventKind.DrWrite => Has(vmcs, Primary.MovDrExiting),
            CpuEventKind.Wbinvd => Has(vmcs, Secondary.WbinvdExiting),
            CpuEventKind.GdtrIdtr or CpuEventKind.LdtrTr => Has(vmcs, Secondary.DescriptorTableExiting),
            CpuEventKind.Rdmsr => MsrExits(vmcs, memory, e.Index, false),
            CpuEventKind.Wrmsr => MsrExits(vmcs, memory, e.Index, true),
            CpuEventKind.PortIo or CpuEventKind.StringIo => PortExits(vmcs, memory, e),
            CpuEventKind.CrRead => CrReadExits(vmcs, e.Index),
            CpuEventKind.CrWrite => CrWriteExits(vmcs, e.Index, e.Value),
            CpuEventKind.Clts => (vmcs[VmcsField.Cr0Mask] & vmcs[VmcsField.Cr0ReadShadow] & Cr0Ts) != 0,
            CpuEventKind.Lmsw => LmswExits(vmcs, e.Value),

            // SDM 3C 26.2.
            CpuEventKind.Exception => ExceptionExits(vmcs, (byte)e.Index, (uint)e.Value),
            CpuEventKind.ExternalInterrupt => (vmcs[VmcsField.PinBasedControls] & (uint)PinBased.ExternalInterruptExiting) != 0,
            CpuEventKind.InterruptWindow => Has(vmcs, Primary.InterruptWindowExiting),
            _ => false,
        };
    }

    /// <summary>Whether an exception's bit is set; for #PF, whether (error code and mask) equals match decides which way the bit counts.</summary>
    public static bool ExceptionExits(Vmcs vmcs, byte vector, uint errorCode)
    {
        const byte PageFault = 14;
        bool bit = ((vmcs[VmcsField.ExceptionBitmap] >> (vector & 31)) & 1) != 0;
        if (vector != PageFault)
            return bit;
        bool match = (errorCode & vmcs[VmcsField.PageFaultErrorCodeMask]) == vmcs[VmcsField.PageFaultErrorCodeMatch];
        return bit == match;
    }

    private static bool Has(Vmcs vmcs, Primary control) => (vmcs[VmcsField.PrimaryControls] & (uint)control) != 0;

    private static bool Has(Vmcs vmcs, Secondary control) =>
        Has(vmcs, Primary.ActivateSecondaryControls) && (vmcs[VmcsField.SecondaryControls] & (uint)control) != 0;

    private static bool MsrExits(Vmcs vmcs, HostPhysicalMemory memory, uint index, bool isWrite)
    {
        if (!Has(vmcs, Primary.UseMsrBitmaps))
            return true;
        int bit = BitmapLookup.MsrBit(index, isWrite);
        return bit < 0 || BitmapLookup.IsSet(memory.Page(vmcs[VmcsField.MsrBitmap]), bit);
    }

    private static bool PortExits(Vmcs vmcs, HostPhysicalMemory memory, in CpuEvent e)
    {
        if (!Has(vmcs, Primary.UseIoBitmaps))
            return Has(vmcs, Primary.UnconditionalIoExiting);
        return BitmapLookup.PortExits(memory.Page(vmcs[VmcsField.IoBitmapA]), memory.Page(vmcs[VmcsField.IoBitmapB]), e.Port.Port, e.Port.Size);
    }

    private static bool CrReadExits(Vmcs vmcs, uint register) => register switch
    {
        3 => Has(vmcs, Primary.Cr3StoreExiting),
        8 => Has(vmcs, Primary.Cr8StoreExiting),
        _ => false,
    };

    private static bool CrWriteExits(Vmcs vmcs, uint register, ulong value) => register switch
    {
        0 => ((value ^ vmcs[VmcsField.Cr0ReadShadow]) & vmcs[VmcsField.Cr0Mask]) != 0,
        3 => Has(vmcs, Primary.Cr3LoadExiting) && !IsTarget(vmcs, value),
        4 => ((value ^ vmcs[VmcsField.Cr4ReadShadow]) & vmcs[VmcsField.Cr4Mask]) != 0,
        8 => Has(vmcs, Primary.Cr8LoadExiting),
        _ => false,
    };

    private static bool IsTarget(Vmcs vmcs, ulong value)
    {
        int count = (int)Math.Min(vmcs[VmcsField.Cr3TargetCount], TargetValues);
        for (uint i = 0; i < count; i++)
        {
            if (vmcs[VmcsField.Cr3Target0 + (2 * i)] == value)
                return true;
        }

        return false;
    }

    // LMSW can set PE but not clear it; MP, EM and TS are compared both ways (SDM 3C 26.1.3).
    private static bool LmswExits(Vmcs vmcs, ulong source)
    {
        ulong mask = vmcs[VmcsField.Cr0Mask], shadow = vmcs[VmcsField.Cr0ReadShadow];
        return (mask & Cr0Pe & source & ~shadow) != 0 || (mask & (Cr0Mp | Cr0Em | Cr0Ts) & (source ^ shadow)) != 0;
    }

    // For an instruction that VMX does not know, reason 0: only exceptions have it otherwise.
    private static VmxExitReason ReasonOf(in CpuEvent e) =>
        e.Kind == CpuEventKind.VendorInstruction ? s_vendorReasons[(int)e.Instruction] : s_reasons[(int)e.Kind];

    private static VmxExitReason[] Reasons()
    {
        var reasons = new VmxExitReason[(int)CpuEventKind.InterruptWindow + 1];
        foreach (CpuEventKind kind in Enum.GetValues<CpuEventKind>())
            reasons[(int)kind] = ReasonOf(kind);
        return reasons;
    }

    private static VmxExitReason[] VendorReasons()
    {
        var reasons = new VmxExitReason[(int)VendorInstruction.HvExit + 1];
        foreach (VendorInstruction instruction in Enum.GetValues<VendorInstruction>())
            reasons[(int)instruction] = ReasonOf(instruction);
        return reasons;
    }

    private static VmxExitReason ReasonOf(CpuEventKind kind) => kind switch
    {
        CpuEventKind.Cpuid => VmxExitReason.Cpuid,
        CpuEventKind.Hlt => VmxExitReason.Hlt,
        CpuEventKind.Rdmsr => VmxExitReason.Rdmsr,
        CpuEventKind.Wrmsr => VmxExitReason.Wrmsr,
        CpuEventKind.PortIo or CpuEventKind.StringIo => VmxExitReason.IoInstruction,
        CpuEventKind.CrRead or CpuEventKind.CrWrite or CpuEventKind.Clts or CpuEventKind.Lmsw => VmxExitReason.ControlRegisterAccess,
        CpuEventKind.DrRead or CpuEventKind.DrWrite => VmxExitReason.MovDr,
        CpuEventKind.Invlpg => VmxExitReason.Invlpg,
        CpuEventKind.Invd => VmxExitReason.Invd,
        CpuEventKind.Wbinvd => VmxExitReason.Wbinvd,
        CpuEventKind.Rdtsc => VmxExitReason.Rdtsc,
        CpuEventKind.Rdtscp => VmxExitReason.Rdtscp,
        CpuEventKind.Rdpmc => VmxExitReason.Rdpmc,
        CpuEventKind.Pause => VmxExitReason.Pause,
        CpuEventKind.Monitor => VmxExitReason.Monitor,
        CpuEventKind.Mwait => VmxExitReason.Mwait,
        CpuEventKind.Xsetbv => VmxExitReason.Xsetbv,
        CpuEventKind.GdtrIdtr => VmxExitReason.GdtrIdtrAccess,
        CpuEventKind.LdtrTr => VmxExitReason.LdtrTrAccess,
        CpuEventKind.TripleFault => VmxExitReason.TripleFault,
        CpuEventKind.TaskSwitch => VmxExitReason.TaskSwitch,
        CpuEventKind.GuestPhysicalAccess => VmxExitReason.EptViolation,
        CpuEventKind.ExternalInterrupt => VmxExitReason.ExternalInterrupt,
        CpuEventKind.InterruptWindow => VmxExitReason.InterruptWindow,
        _ => VmxExitReason.ExceptionOrNmi,
    };

    private static VmxExitReason ReasonOf(VendorInstruction instruction) => instruction switch
    {
        VendorInstruction.Vmcall => VmxExitReason.Vmcall,
        VendorInstruction.Vmlaunch => VmxExitReason.Vmlaunch,
        VendorInstruction.Vmresume => VmxExitReason.Vmresume,
        VendorInstruction.Vmxoff => VmxExitReason.Vmxoff,
        VendorInstruction.Vmxon => VmxExitReason.Vmxon,
        VendorInstruction.Vmclear => VmxExitReason.Vmclear,
        VendorInstruction.Vmptrld => VmxExitReason.Vmptrld,
        VendorInstruction.Vmptrst => VmxExitReason.Vmptrst,
        VendorInstruction.Vmread => VmxExitReason.Vmread,
        VendorInstruction.Vmwrite => VmxExitReason.Vmwrite,
        VendorInstruction.Invept => VmxExitReason.Invept,
        VendorInstruction.Invvpid => VmxExitReason.Invvpid,

        // VMFUNC without "enable VM functions" is #UD, as AMD's instructions are (SDM 3C 26.5.6.1).
        _ => VmxExitReason.ExceptionOrNmi,
    };
}
