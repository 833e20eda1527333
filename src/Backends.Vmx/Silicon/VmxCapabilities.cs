using Hv.Backends.Vmx.Silicon.Fields;

namespace Hv.Backends.Vmx.Silicon;

/// <summary>A control capability MSR: which settings VM entry allows (SDM 3D A.3.1).</summary>
/// <param name="Value">Bits 31:0: a set bit may not be 0. Bits 63:32: a clear bit may not be 1.</param>
public readonly record struct ControlCapability(ulong Value)
{
    /// <summary>Bits that must be 1.</summary>
    public uint MustBeOne => (uint)Value;

    /// <summary>Bits that may be 1.</summary>
    public uint MayBeOne => (uint)(Value >> 32);

    /// <summary>Whether VM entry accepts these controls.</summary>
    public bool Allows(uint controls) => (controls & MustBeOne) == MustBeOne && (controls & ~MayBeOne) == 0;

    /// <summary>The wanted controls with the bits that must be 1 (SDM 3C 32.5.1's algorithm).</summary>
    public uint Apply(uint wanted) => (wanted | MustBeOne) & MayBeOne;

    internal static ControlCapability Of(uint mustBeOne, uint mayBeOne) => new(((ulong)(mustBeOne | mayBeOne) << 32) | mustBeOne);
}

/// <summary>
/// The VMX capability MSRs as data (SDM 3D appendix A): what VMX instructions and entry checks consult. <see cref="Model"/> is what this processor
/// reports; a test may make another.
/// </summary>
public sealed record VmxCapabilities
{
    /// <summary>Physical-address width in bits (CPUID.80000008H:EAX[7:0]).</summary>
    public const int PhysicalAddressBits = Core.Memory.GuestMemory.PhysicalAddressBits;

    /// <summary>The identifier in the first 31 bits of every VMXON and VMCS region (IA32_VMX_BASIC[30:0]). Ours alone.</summary>
    public const uint RevisionId = 0x0048_5601;

    private const ulong WriteBack = 6;

    /// <summary>The processor as modelled: EPT with 2-MByte and 1-GByte pages, unrestricted guest, MSR and I/O bitmaps, preemption timer.</summary>
    public static VmxCapabilities Model { get; } = new();

    /// <summary>IA32_VMX_BASIC (480H): revision, 4-KByte regions, write-back, INS/OUTS information reported, TRUE control MSRs present.</summary>
    public ulong Basic { get; init; } = RevisionId | (4096UL << 32) | (WriteBack << 50) | (1UL << 54) | (1UL << 55);

    /// <summary>IA32_VMX_TRUE_PINBASED_CTLS (48DH).</summary>
    public ControlCapability PinBased { get; init; } = ControlCapability.Of(0x16,
        (uint)(Fields.PinBased.ExternalInterruptExiting | Fields.PinBased.NmiExiting | Fields.PinBased.VirtualNmis
            | Fields.PinBased.ActivatePreemptionTimer));

    /// <summary>IA32_VMX_TRUE_PROCBASED_CTLS (48EH).</summary>
    public ControlCapability Primary { get; init; } = ControlCapability.Of(0x0400_6172,
        (uint)(Fields.Primary.InterruptWindowExiting | Fields.Primary.UseTscOffsetting | Fields.Primary.HltExiting | Fields.Primary.InvlpgExiting
        | Fields.Primary.MwaitExiting | Fields.Primary.RdpmcExiting | Fields.Primary.RdtscExiting | Fields.Primary.Cr3LoadExiting
        | Fields.Primary.Cr3StoreExiting | Fields.Primary.Cr8LoadExiting | Fields.Primary.Cr8StoreExiting | Fields.Primary.MovDrExiting
        | Fields.Primary.UnconditionalIoExiting | Fields.Primary.UseIoBitmaps | Fields.Primary.UseMsrBitmaps | Fields.Primary.MonitorExiting
        | Fields.Primary.PauseExiting | Fields.Primary.ActivateSecondaryControls));

    /// <summary>IA32_VMX_PROCBASED_CTLS2 (48BH).</summary>
    public ControlCapability Secondary { get; init; } = ControlCapability.Of(0,
        (uint)(Fields.Secondary.EnableEpt | Fields.Secondary.DescriptorTableExiting | Fields.Secondary.EnableRdtscp | Fields.Secondary.EnableVpid
        | Fields.Secondary.WbinvdExiting | Fields.Secondary.UnrestrictedGuest));

    /// <summary>IA32_VMX_TRUE_EXIT_CTLS (48FH).</summary>
    public ControlCapability Exit { get; init; } = ControlCapability.Of(0x0003_6DFB,
        (uint)(ExitControl.SaveDebugControls | ExitControl.HostAddressSpaceSize | ExitControl.AcknowledgeInterrupt | ExitControl.SavePat
        | ExitControl.LoadPat | ExitControl.SaveEfer | ExitControl.LoadEfer | ExitControl.SavePreemptionTimer));

    /// <summary>IA32_VMX_TRUE_ENTRY_CTLS (490H).</summary>
    public ControlCapability Entry { get; init; } = ControlCapability.Of(0x0000_11FB,
        (uint)(EntryControl.LoadDebugControls | EntryControl.Ia32eModeGuest | EntryControl.LoadPat | EntryControl.LoadEfer));

    /// <summary>IA32_VMX_MISC (485H): timer rate 2^0 ticks, EFER.LMA stored on exit, HLT, shutdown and wait-for-SIPI activity, 4 CR3-target
    /// values.</summary>
    public ulong Misc { get; init; } = (1UL << 5) | (7UL << 6) | (4UL << 16);

    /// <summary>IA32_VMX_CR0_FIXED0 (486H): bits that must be 1: PG, NE, PE.</summary>
    public ulong Cr0Fixed0 { get; init; } = 0x8000_0021;

    /// <summary>IA32_VMX_CR0_FIXED1 (487H): bits that may be 1.</summary>
    public ulong Cr0Fixed1 { get; init; } = 0xFFFF_FFFF;

    /// <summary>IA32_VMX_CR4_FIXED0 (488H): VMXE must be 1.</summary>
    public ulong Cr4Fixed0 { get; init; } = RegisterBits.Cr4Vmxe;

    /// <summary>IA32_VMX_CR4_FIXED1 (489H): VME to UMIP, VMXE, FSGSBASE, PCIDE, OSXSAVE, SMEP, SMAP, PKE.</summary>
    public ulong Cr4Fixed1 { get; init; } = 0x0077_2FFF;

    /// <summary>IA32_VMX_EPT_VPID_CAP (48CH): execute-only, 4-level walks, UC and WB tables, 2-MByte and 1-GByte pages, INVEPT and INVVPID with all
    /// types.</summary>
    public ulong EptVpid { get; init; } = 1 | (1UL << 6) | (1UL << 8) | (1UL << 14) | (1UL << 16) | (1UL << 17) | (1UL << 20) | (3UL << 25)
        | (1UL << 32) | (0xFUL << 40);

    /// <summary>IA32_VMX_VMFUNC (491H): no VM function.</summary>
    public ulong VmFunctions { get; init; }

    /// <summary>IA32_VMX_VMCS_ENUM (48AH): the highest index of any field, shifted left by 1.</summary>
    public ulong VmcsEnum => (ulong)HighestIndex() << 1;

    /// <summary>Whether the address is in the processor's physical-address width.</summary>
    public static bool IsPhysical(ulong address) => address >> PhysicalAddressBits == 0;

    /// <summary>Whether the processor has a feature that VMCS fields depend on: the field exists where a control that needs it may be 1.</summary>
    public bool Has(VmcsFeature feature) => feature switch
    {
        VmcsFeature.Always => true,
        VmcsFeature.Vpid => Allowed(Fields.Secondary.EnableVpid),
        VmcsFeature.Ept => Allowed(Fields.Secondary.EnableEpt),
        VmcsFeature.IoBitmaps => Allowed(Fields.Primary.UseIoBitmaps),
        VmcsFeature.MsrBitmaps => Allowed(Fields.Primary.UseMsrBitmaps),
        VmcsFeature.TprShadow => Allowed(Fields.Primary.UseTprShadow),
        VmcsFeature.SecondaryControls => Allowed(Fields.Primary.ActivateSecondaryControls),
        VmcsFeature.TertiaryControls => Allowed(Fields.Primary.ActivateTertiaryControls),
        VmcsFeature.VirtualizeApic => Allowed(Fields.Secondary.VirtualizeApicAccesses),
        VmcsFeature.VirtualInterruptDelivery => Allowed(Fields.Secondary.VirtualInterruptDelivery),
        VmcsFeature.PauseLoop => Allowed(Fields.Secondary.PauseLoopExiting),
        VmcsFeature.VmFunctions => Allowed(Fields.Secondary.EnableVmFunctions),
        VmcsFeature.VmcsShadowing => Allowed(Fields.Secondary.VmcsShadowing),
        VmcsFeature.PageModificationLogging => Allowed(Fields.Secondary.EnablePml),
        VmcsFeature.EptViolationVe => Allowed(Fields.Secondary.EptViolationVe),
        VmcsFeature.PostedInterrupts => (PinBased.MayBeOne & (uint)Fields.PinBased.ProcessPostedInterrupts) != 0,
        VmcsFeature.PreemptionTimer => (PinBased.MayBeOne & (uint)Fields.PinBased.ActivatePreemptionTimer) != 0,
        VmcsFeature.Pat => (Entry.MayBeOne & (uint)EntryControl.LoadPat) != 0,
        VmcsFeature.Efer => (Entry.MayBeOne & (uint)EntryControl.LoadEfer) != 0,
        VmcsFeature.PerfGlobalCtrl => (Entry.MayBeOne & (uint)EntryControl.LoadPerfGlobalCtrl) != 0,
        _ => false,
    };

    /// <summary>Whether VMREAD finds the component: a row of the field table that this processor has.</summary>
    public bool Exists(VmcsEncoding encoding)
    {
        if (!encoding.IsWellFormed)
            return false;
        foreach (ref readonly VmcsFieldInfo row in VmcsFieldTable.All)
        {
            if (row.Encoding.Slot == encoding.Slot)
                return Has(row.Feature);
        }

        return false;
    }

    private bool Allowed(Primary control) => (Primary.MayBeOne & (uint)control) != 0;

    private bool Allowed(Secondary control) => (Secondary.MayBeOne & (uint)control) != 0;

    private uint HighestIndex()
    {
        uint highest = 0;
        foreach (ref readonly VmcsFieldInfo row in VmcsFieldTable.All)
        {
            if (Has(row.Feature))
                highest = Math.Max(highest, row.Encoding.Index);
        }

        return highest;
    }
}
