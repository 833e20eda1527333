using System.Collections.Frozen;

namespace Hv.Backends.Vmx.Silicon.Fields;

/// <summary>The processor feature that a VMCS field belongs to; without it the field does not exist (SDM 3D appendix B, the tables' notes).</summary>
public enum VmcsFeature : byte
{
    Always, Vpid, PostedInterrupts, EptViolationVe, Hlat, IpiVirtualization, VirtualInterruptDelivery, PageModificationLogging, UserInterrupts,
    IoBitmaps, MsrBitmaps, TprShadow, VirtualizeApic, VmFunctions, Ept, VmcsShadowing, Xsaves, Sgx, SubPageWritePermissions, TscScaling,
    TertiaryControls, PasidTranslation, SharedEpt, Pconfig, SecondaryExitControls, SpecCtrlVirtualization, Pat, Efer, PerfGlobalCtrl, Mpx,
    ProcessorTrace, ArchitecturalLbr, Pkrs, SecondaryControls, PauseLoop, InstructionTimeout, PreemptionTimer, Cet,
}

/// <summary>One row of the field table.</summary>
/// <param name="Field">The encoding of the field (of its full access, for a 64-bit one).</param>
/// <param name="Name">Its name in the SDM.</param>
/// <param name="Feature">What the processor must support for it to exist.</param>
public readonly record struct VmcsFieldInfo(VmcsField Field, string Name, VmcsFeature Feature = VmcsFeature.Always)
{
    /// <summary>The encoding, taken apart.</summary>
    public VmcsEncoding Encoding => new((uint)Field);
}

/// <summary>All architectural VMCS fields, in the order of SDM 3D appendix B.</summary>
public static partial class VmcsFieldTable
{
    private static readonly VmcsFieldInfo[] s_rows = Rows();
    private static readonly FrozenDictionary<VmcsField, VmcsFieldInfo> s_byField = s_rows.ToFrozenDictionary(row => row.Field);

    /// <summary>The rows.</summary>
    public static ReadOnlySpan<VmcsFieldInfo> All => s_rows;

    /// <summary>The SDM's name of a field, or its encoding in the SDM's notation where there is no such field.</summary>
    public static string NameOf(VmcsField field) => s_byField.TryGetValue(field, out VmcsFieldInfo info) ? info.Name : $"{(uint)field:X4}H";
}
