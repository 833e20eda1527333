using static Hv.Backends.Vmx.Silicon.RegisterBits;

namespace Hv.Backends.Vmx.Silicon.Operation;

/// <summary>
/// How the logical processor runs outside VMX non-root operation: the registers that VMX instructions look at. The hypervisor itself is this program,
/// not guest code, so that no more of the host's state exists (docs/adr/0040-two-rooms.md).
/// </summary>
public struct RootState
{
    public ulong Cr0, Cr4, Efer;

    /// <summary>The privilege level, 0..3.</summary>
    public byte Cpl;

    /// <summary>Blocking by MOV SS, which refuses VM entry.</summary>
    public bool BlockingByMovSs;

    /// <summary>IA32_FEATURE_CONTROL (3AH): bit 0 lock, bit 2 VMX outside SMX.</summary>
    public ulong FeatureControl;

    /// <summary>A 64-bit host at CPL 0 whose firmware has enabled VMX and which has not yet set CR4.VMXE.</summary>
    public static RootState LongModeHost => new()
    {
        Cr0 = Cr0Pe | Cr0Et | Cr0Ne | Cr0Wp | Cr0Pg,
        Cr4 = Cr4Pae,
        Efer = EferSce | EferLme | EferLma | EferNxe,
        FeatureControl = 5,
    };
}
