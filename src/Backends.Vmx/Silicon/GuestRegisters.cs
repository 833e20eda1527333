using System.Runtime.CompilerServices;
using Hv.Backends.Vmx.Silicon.Fields;
using Hv.Core.Registers;
using Hv.Cpu;
using Hv.Cpu.State;

namespace Hv.Backends.Vmx.Silicon;

/// <summary>
/// The processor's registers behind the VMCS's guest-state fields (SDM 3C 25.4.1, 25.4.2). The shared processor has no CR4.VMXE: it is 1 throughout
/// VMX
/// operation, so that it is added and taken off here.
/// </summary>
// SAFETY: the state block is pinned and lives as long as its processor, which this object keeps; fields are read at every exit.
public sealed unsafe class GuestRegisters
{
    private const ulong SingleStepPending = 1 << 14, DebugCauses = 0x600F;
    private Processor? _processor;
    private CpuState* _state;
    private ulong _pendingDebug;

    /// <summary>The fields with a register behind them; every other guest-state field is only stored.</summary>
    public static IReadOnlyList<VmcsField> Fields { get; } = BackedFields();

    /// <summary>Names the processor. Until then every field must be pending.</summary>
    public void Attach(Processor processor)
    {
        _processor = processor;
        _state = (CpuState*)Unsafe.AsPointer(ref processor.State);
    }

    private ref CpuState State => ref *_state;

    /// <summary>The register's value. What every exit asks for folds to one load when the field is a constant.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public ulong Read(VmcsField field) => field switch
    {
        VmcsField.GuestRip => State.Gpr.Rip,
        VmcsField.GuestRflags => _processor!.ExactRegisters.Rflags,
        VmcsField.GuestCr0 => State.Sys.Cr0,
        VmcsField.GuestCsAccessRights => State.Sys.Cs.Attributes,
        VmcsField.GuestSsAccessRights => State.Sys.Ss.Attributes,
        VmcsField.GuestInterruptibility => (uint)FromShadow(State.Sys.Shadow),
        _ => ReadOther(field),
    };

    private ulong ReadOther(VmcsField field)
    {
        ref CpuState s = ref State;
        return field switch
        {
            VmcsField.GuestRsp => s.Gpr.Rsp,
            VmcsField.GuestEfer => s.Sys.Efer,
            VmcsField.GuestSysenterCs => (uint)s.Sys.SysenterCs,
            VmcsField.GuestActivityState => (uint)FromActivity(s.Sys.Activity),
            VmcsField.GuestPendingDebug => PendingDebug(ref s),
            VmcsField.GuestEsSelector => s.Sys.Es.Selector,
            VmcsField.GuestCsSelector => s.Sys.Cs.Selector,
            VmcsField.GuestSsSelector => s.Sys.Ss.Selector,
            VmcsField.GuestDsSelector => s.Sys.Ds.Selector,
            VmcsField.GuestFsSelector => s.Sys.Fs.Selector,
            VmcsField.GuestGsSelector => s.Sys.Gs.Selector,
            VmcsField.GuestLdtrSelector => s.Sys.Ldtr.Selector,
            VmcsField.GuestTrSelector => s.Sys.Tr.Selector,
            VmcsField.GuestEsLimit => s.Sys.Es.Limit,
            VmcsField.GuestCsLimit => s.Sys.Cs.Limit,
            VmcsField.GuestSsLimit => s.Sys.Ss.Limit,
            VmcsField.GuestDsLimit => s.Sys.Ds.Limit,
            VmcsField.GuestFsLimit => s.Sys.Fs.Limit,
            VmcsField.GuestGsLimit => s.Sys.Gs.Limit,
            VmcsField.GuestLdtrLimit => s.Sys.Ldtr.Limit,
            VmcsField.GuestTrLimit => s.Sys.Tr.Limit,
            VmcsField.GuestEsAccessRights => s.Sys.Es.Attributes,
            VmcsField.GuestDsAccessRights => s.Sys.Ds.Attributes,
            VmcsField.GuestFsAccessRights => s.Sys.Fs.Attributes,
            VmcsField.GuestGsAccessRights => s.Sys.Gs.Attributes,
            VmcsField.GuestLdtrAccessRights => s.Sys.Ldtr.Attributes,
            VmcsField.GuestTrAccessRights => s.Sys.Tr.Attributes,
            VmcsField.GuestEsBase => s.Sys.Es.Base,
            VmcsField.GuestCsBase => s.Sys.Cs.Base,
            VmcsField.GuestSsBase => s.Sys.Ss.Base,
            VmcsField.GuestDsBase => s.Sys.Ds.Base,
            VmcsField.GuestFsBase => s.Sys.Fs.Base,
            VmcsField.GuestGsBase => s.Sys.Gs.Base,
            VmcsField.GuestLdtrBase => s.Sys.Ldtr.Base,
            VmcsField.GuestTrBase => s.Sys.Tr.Base,
            VmcsField.GuestGdtrBase => s.Sys.Gdtr.Base,
            VmcsField.GuestGdtrLimit => s.Sys.Gdtr.Limit,
            VmcsField.GuestIdtrBase => s.Sys.Idtr.Base,
            VmcsField.GuestIdtrLimit => s.Sys.Idtr.Limit,
            VmcsField.GuestCr3 => s.Sys.Cr3,
            VmcsField.GuestCr4 => s.Sys.Cr4 | RegisterBits.Cr4Vmxe,
            VmcsField.GuestDr7 => s.Sys.Dr7,
            VmcsField.GuestPat => s.Sys.Pat,
            VmcsField.GuestSysenterEsp => s.Sys.SysenterEsp,
            VmcsField.GuestSysenterEip => s.Sys.SysenterEip,
            _ => 0,
        };
    }

    /// <summary>Loads a register at VM entry; the entry checks have passed.</summary>
    public void Load(VmcsField field, ulong value)
    {
        ref CpuState s = ref State;
        switch (field)
        {
            case VmcsField.GuestRip: s.Gpr.Rip = value; break;
            case VmcsField.GuestRsp: s.Gpr.Rsp = value; break;
            case VmcsField.GuestRflags: _processor!.ExactRegisters.Rflags = value; break;
            case VmcsField.GuestEfer: s.Sys.Efer = value; break;
            case VmcsField.GuestSysenterCs: s.Sys.SysenterCs = value; break;
            case VmcsField.GuestInterruptibility: s.Sys.Shadow = ToShadow((Interruptibility)value); break;
            case VmcsField.GuestPendingDebug: _pendingDebug = value; break;
            case VmcsField.GuestActivityState: s.Sys.Activity = ToActivity((GuestActivity)value); break;
            case VmcsField.GuestEsSelector: s.Sys.Es.Selector = (ushort)value; break;
            case VmcsField.GuestCsSelector: s.Sys.Cs.Selector = (ushort)value; break;
            case VmcsField.GuestSsSelector: s.Sys.Ss.Selector = (ushort)value; break;
            case VmcsField.GuestDsSelector: s.Sys.Ds.Selector = (ushort)value; break;
            case VmcsField.GuestFsSelector: s.Sys.Fs.Selector = (ushort)value; break;
            case VmcsField.GuestGsSelector: s.Sys.Gs.Selector = (ushort)value; break;
            case VmcsField.GuestLdtrSelector: s.Sys.Ldtr.Selector = (ushort)value; break;
            case VmcsField.GuestTrSelector: s.Sys.Tr.Selector = (ushort)value; break;
            case VmcsField.GuestEsLimit: s.Sys.Es.Limit = (uint)value; break;
            case VmcsField.GuestCsLimit: s.Sys.Cs.Limit = (uint)value; break;
            case VmcsField.GuestSsLimit: s.Sys.Ss.Limit = (uint)value; break;
            case VmcsField.GuestDsLimit: s.Sys.Ds.Limit = (uint)value; break;
            case VmcsField.GuestFsLimit: s.Sys.Fs.Limit = (uint)value; break;
            case VmcsField.GuestGsLimit: s.Sys.Gs.Limit = (uint)value; break;
            case VmcsField.GuestLdtrLimit: s.Sys.Ldtr.Limit = (uint)value; break;
            case VmcsField.GuestTrLimit: s.Sys.Tr.Limit = (uint)value; break;
            case VmcsField.GuestEsAccessRights: s.Sys.Es.Attributes = (uint)value; break;
            case VmcsField.GuestCsAccessRights: s.Sys.Cs.Attributes = (uint)value; break;
            case VmcsField.GuestSsAccessRights: s.Sys.Ss.Attributes = (uint)value; break;
            case VmcsField.GuestDsAccessRights: s.Sys.Ds.Attributes = (uint)value; break;
            case VmcsField.GuestFsAccessRights: s.Sys.Fs.Attributes = (uint)value; break;
            case VmcsField.GuestGsAccessRights: s.Sys.Gs.Attributes = (uint)value; break;
            case VmcsField.GuestLdtrAccessRights: s.Sys.Ldtr.Attributes = (uint)value; break;
            case VmcsField.GuestTrAccessRights: s.Sys.Tr.Attributes = (uint)value; break;
            case VmcsField.GuestEsBase: s.Sys.Es.Base = value; break;
            case VmcsField.GuestCsBase: s.Sys.Cs.Base = value; break;
            case VmcsField.GuestSsBase: s.Sys.Ss.Base = value; break;
            case VmcsField.GuestDsBase: s.Sys.Ds.Base = value; break;
            case VmcsField.GuestFsBase: s.Sys.Fs.Base = value; break;
            case VmcsField.GuestGsBase: s.Sys.Gs.Base = value; break;
            case VmcsField.GuestLdtrBase: s.Sys.Ldtr.Base = value; break;
            case VmcsField.GuestTrBase: s.Sys.Tr.Base = value; break;
            case VmcsField.GuestGdtrBase: s.Sys.Gdtr.Base = value; break;
            case VmcsField.GuestGdtrLimit: s.Sys.Gdtr.Limit = (ushort)value; break;
            case VmcsField.GuestIdtrBase: s.Sys.Idtr.Base = value; break;
            case VmcsField.GuestIdtrLimit: s.Sys.Idtr.Limit = (ushort)value; break;
            case VmcsField.GuestCr0: s.Sys.Cr0 = value; break;
            case VmcsField.GuestCr3: s.Sys.Cr3 = value; break;
            case VmcsField.GuestCr4: s.Sys.Cr4 = value & ~RegisterBits.Cr4Vmxe; break;
            case VmcsField.GuestDr7: s.Sys.Dr7 = value; break;
            case VmcsField.GuestPat: s.Sys.Pat = value; break;
            case VmcsField.GuestSysenterEsp: s.Sys.SysenterEsp = value; break;
            case VmcsField.GuestSysenterEip: s.Sys.SysenterEip = value; break;
        }
    }

    /// <summary>Loads RIP alone: the usual entry after an instruction was emulated.</summary>
    public void LoadRip(ulong value) => State.Gpr.Rip = value;

    /// <summary>All pending fields are loaded: what the processor derives from them is computed again.</summary>
    public void Loaded()
    {
        ref CpuState s = ref State;
        // The DPL of SS is the privilege level (SDM 3C 25.4.1); in real mode it must be 0, in virtual-8086 mode it is 3.
        s.Sys.Cpl = (byte)s.Sys.Ss.Dpl;
        _processor!.ModeChanged(ref s);
    }

    /// <summary>The debug exceptions that the last entry loaded and that have not been delivered, as DR6 bits; taken once.</summary>
    public ulong TakePendingDebug()
    {
        ulong pending = _pendingDebug;
        _pendingDebug = 0;
        return pending & DebugCauses;
    }

    // A trap of single-stepping that an STI or MOV-SS window holds back is what BS stands for (SDM 3C 28.3.4).
    private static ulong PendingDebug(ref CpuState s) =>
        (s.Sys.Shadow & (InterruptShadow.Sti | InterruptShadow.MovSs)) != 0 && (s.Gpr.Rflags & RegisterBits.RflagsTf) != 0 ? SingleStepPending : 0;

    private static Interruptibility FromShadow(InterruptShadow shadow) =>
        // STI and MOV SS have the same bits in both; NMI is one bit further up. Read at every exit, so without branches.
        (Interruptibility)((uint)(shadow & (InterruptShadow.Sti | InterruptShadow.MovSs)) | (uint)(shadow & InterruptShadow.NmiBlocked) << 1);

    private static InterruptShadow ToShadow(Interruptibility value) =>
        ((value & Interruptibility.BlockingBySti) != 0 ? InterruptShadow.Sti : 0)
        | ((value & Interruptibility.BlockingByMovSs) != 0 ? InterruptShadow.MovSs : 0)
        | ((value & Interruptibility.BlockingByNmi) != 0 ? InterruptShadow.NmiBlocked : 0);

    private static GuestActivity FromActivity(ActivityState activity) => activity switch
    {
        ActivityState.Halted => GuestActivity.Hlt,
        ActivityState.Shutdown => GuestActivity.Shutdown,
        ActivityState.WaitForStart => GuestActivity.WaitForSipi,
        _ => GuestActivity.Active,
    };

    private static ActivityState ToActivity(GuestActivity activity) => activity switch
    {
        GuestActivity.Hlt => ActivityState.Halted,
        GuestActivity.Shutdown => ActivityState.Shutdown,
        GuestActivity.WaitForSipi => ActivityState.WaitForStart,
        _ => ActivityState.Running,
    };

    private static List<VmcsField> BackedFields()
    {
        List<VmcsField> fields =
        [
            VmcsField.GuestRip, VmcsField.GuestRsp, VmcsField.GuestRflags, VmcsField.GuestEfer, VmcsField.GuestPat, VmcsField.GuestSysenterCs,
            VmcsField.GuestSysenterEsp, VmcsField.GuestSysenterEip, VmcsField.GuestInterruptibility, VmcsField.GuestActivityState,
            VmcsField.GuestPendingDebug, VmcsField.GuestCr0, VmcsField.GuestCr3, VmcsField.GuestCr4, VmcsField.GuestDr7,
            VmcsField.GuestGdtrBase, VmcsField.GuestGdtrLimit, VmcsField.GuestIdtrBase, VmcsField.GuestIdtrLimit,
        ];
        for (uint segment = 0; segment < 8; segment++)
        {
            fields.Add(VmcsField.GuestEsSelector + (2 * segment));
            fields.Add(VmcsField.GuestEsLimit + (2 * segment));
            fields.Add(VmcsField.GuestEsAccessRights + (2 * segment));
            fields.Add(VmcsField.GuestEsBase + (2 * segment));
        }

        return fields;
    }
}
