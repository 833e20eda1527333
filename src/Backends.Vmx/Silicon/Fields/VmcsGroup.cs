namespace Hv.Backends.Vmx.Silicon.Fields;

/// <summary>
/// Sets of fields that entry checks depend on. A check is run again only when a field of one of its groups was written since the last successful
/// entry (docs/adr/0042-entry-checks-run-when-written.md).
/// </summary>
[Flags]
public enum VmcsGroup : ushort
{
    None = 0,

    /// <summary>VM-execution, VM-exit and VM-entry controls, without event injection.</summary>
    Controls = 1 << 0,
    Host = 1 << 1,

    /// <summary>VM-entry interruption information, error code and instruction length.</summary>
    Injection = 1 << 2,

    /// <summary>Control registers, DR7 and model-specific registers.</summary>
    Registers = 1 << 3,
    Segments = 1 << 4,

    /// <summary>GDTR and IDTR.</summary>
    Tables = 1 << 5,
    Rip = 1 << 6,
    Rflags = 1 << 7,

    /// <summary>Activity, interruptibility, pending debug exceptions, VMCS link pointer.</summary>
    NonRegister = 1 << 8,
    Pdptes = 1 << 9,
    All = (1 << 10) - 1,
}

/// <summary>Which group a field belongs to.</summary>
public static class VmcsGroups
{
    private static readonly VmcsGroup[] s_bySlot = Build();

    /// <summary>The group of the field at <paramref name="slot"/>.</summary>
    public static VmcsGroup Of(int slot) => s_bySlot[slot];

    private static VmcsGroup[] Build()
    {
        var groups = new VmcsGroup[VmcsEncoding.SlotCount];
        foreach (ref readonly VmcsFieldInfo row in VmcsFieldTable.All)
            groups[row.Encoding.Slot] = Classify(row.Field);
        return groups;
    }

    private static VmcsGroup Classify(VmcsField field) => new VmcsEncoding((uint)field).Type switch
    {
        VmcsFieldType.HostState => VmcsGroup.Host,
        VmcsFieldType.ReadOnlyData => VmcsGroup.None,
        VmcsFieldType.Control => field switch
        {
            VmcsField.EntryInterruptionInfo or VmcsField.EntryErrorCode or VmcsField.EntryInstructionLength => VmcsGroup.Injection,
            // Numbers that no check reads.
            VmcsField.TscOffset or VmcsField.ExceptionBitmap or VmcsField.PageFaultErrorCodeMask or VmcsField.PageFaultErrorCodeMatch =>
                VmcsGroup.None,
            _ => VmcsGroup.Controls,
        },
        _ => ClassifyGuest(field),
    };

    private static VmcsGroup ClassifyGuest(VmcsField field) => field switch
    {
        VmcsField.GuestRip => VmcsGroup.Rip,
        VmcsField.GuestRflags => VmcsGroup.Rflags,
        VmcsField.GuestRsp or VmcsField.PreemptionTimer or VmcsField.GuestSmbase => VmcsGroup.None,
        VmcsField.GuestPdpte0 or VmcsField.GuestPdpte1 or VmcsField.GuestPdpte2 or VmcsField.GuestPdpte3 => VmcsGroup.Pdptes,
        VmcsField.GuestGdtrBase or VmcsField.GuestGdtrLimit or VmcsField.GuestIdtrBase or VmcsField.GuestIdtrLimit => VmcsGroup.Tables,
        VmcsField.GuestActivityState or VmcsField.GuestInterruptibility or VmcsField.GuestPendingDebug or VmcsField.VmcsLinkPointer
            => VmcsGroup.NonRegister,
        >= VmcsField.GuestEsSelector and <= VmcsField.GuestTrSelector => VmcsGroup.Segments,
        >= VmcsField.GuestEsLimit and <= VmcsField.GuestTrLimit => VmcsGroup.Segments,
        >= VmcsField.GuestEsAccessRights and <= VmcsField.GuestTrAccessRights => VmcsGroup.Segments,
        >= VmcsField.GuestEsBase and <= VmcsField.GuestTrBase => VmcsGroup.Segments,
        _ => VmcsGroup.Registers,
    };
}
