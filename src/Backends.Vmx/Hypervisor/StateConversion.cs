using Hv.Backends.Vmx.Silicon.Fields;
using Hv.Backends.Vmx.Silicon.Operation;
using Hv.Core.Registers;
using static Hv.Backends.Vmx.Silicon.Fields.VmcsField;
using static Hv.Backends.Vmx.Silicon.RegisterBits;

namespace Hv.Backends.Vmx.Hypervisor;

/// <summary>Neutral state to and from VMCS fields. Registers that the VMCS has no field for stay in the processor.</summary>
internal static class StateConversion
{
    private const uint TypeAccessed = 1;

    /// <summary>Writes the guest-state area.</summary>
    public static void Write(LogicalProcessor processor, in GeneralRegisters g, in SystemRegisters y)
    {
        void Set(VmcsField field, ulong value) => processor.Vmwrite(field, value);

        Set(GuestRip, g.Rip);
        Set(GuestRsp, g.Rsp);
        Set(GuestRflags, g.Rflags);
        Set(GuestCr0, y.Cr0 | Cr0Ne);
        Set(Cr0ReadShadow, y.Cr0);
        Set(GuestCr3, y.Cr3);
        Set(GuestCr4, y.Cr4 | Cr4Vmxe);
        Set(Cr4ReadShadow, y.Cr4);
        Set(GuestDr7, y.Dr7);
        Set(GuestEfer, y.Efer);
        Set(GuestPat, y.Pat);
        Set(GuestSysenterCs, y.SysenterCs);
        Set(GuestSysenterEsp, y.SysenterEsp);
        Set(GuestSysenterEip, y.SysenterEip);
        FollowLongMode(processor, y.Efer);

        Segment(processor, 0, y.Es);
        Segment(processor, 1, y.Cs);
        Segment(processor, 2, y.Ss);
        Segment(processor, 3, y.Ds);
        Segment(processor, 4, y.Fs);
        Segment(processor, 5, y.Gs);
        Segment(processor, 6, y.Ldtr);
        Segment(processor, 7, y.Tr);
        Set(GuestGdtrBase, y.Gdtr.Base);
        Set(GuestGdtrLimit, y.Gdtr.Limit);
        Set(GuestIdtrBase, y.Idtr.Base);
        Set(GuestIdtrLimit, y.Idtr.Limit);

        Interruptibility blocking = ((y.Shadow & InterruptShadow.Sti) != 0 ? Interruptibility.BlockingBySti : 0)
            | ((y.Shadow & InterruptShadow.MovSs) != 0 ? Interruptibility.BlockingByMovSs : 0)
            | ((y.Shadow & InterruptShadow.NmiBlocked) != 0 ? Interruptibility.BlockingByNmi : 0);
        Set(GuestInterruptibility, (uint)blocking);
        Set(GuestActivityState, (uint)(y.Activity switch
        {
            ActivityState.Halted => GuestActivity.Hlt,
            ActivityState.Shutdown => GuestActivity.Shutdown,
            ActivityState.WaitForStart => GuestActivity.WaitForSipi,
            _ => GuestActivity.Active,
        }));
        Set(GuestPendingDebug, 0);
    }

    /// <summary>Keeps the entry control "IA-32e mode guest" equal to EFER.LMA, as an entry demands (SDM 3C 27.3.1.1). A VM exit does so itself (28.2);
    /// what the hypervisor changes after it, it must follow.</summary>
    public static void FollowLongMode(LogicalProcessor processor, ulong efer)
    {
        ulong controls = processor.Vmread(VmcsField.EntryControls);
        ulong followed = (efer & EferLma) != 0 ? controls | (uint)EntryControl.Ia32eModeGuest : controls & ~(ulong)EntryControl.Ia32eModeGuest;
        if (followed != controls)
            processor.Vmwrite(VmcsField.EntryControls, followed);
    }

    /// <summary>CR4 as the guest reads it: masked bits come from the shadow (SDM 3C 25.3).</summary>
    public static ulong Cr4(LogicalProcessor processor)
    {
        ulong mask = processor.Vmread(Cr4Mask);
        return (processor.Vmread(GuestCr4) & ~mask) | (processor.Vmread(Cr4ReadShadow) & mask);
    }

    /// <summary>Reads the guest-state area over what <paramref name="y"/> holds.</summary>
    public static void Read(LogicalProcessor processor, ref GeneralRegisters g, ref SystemRegisters y)
    {
        ulong Get(VmcsField field) => processor.Vmread(field);

        g.Rip = Get(GuestRip);
        g.Rsp = Get(GuestRsp);
        g.Rflags = Get(GuestRflags);
        ulong cr0Mask = Get(Cr0Mask);
        y.Cr0 = (Get(GuestCr0) & ~cr0Mask) | (Get(Cr0ReadShadow) & cr0Mask);
        y.Cr3 = Get(GuestCr3);
        y.Cr4 = Cr4(processor);
        y.Dr7 = Get(GuestDr7);
        y.Efer = Get(GuestEfer);
        y.Pat = Get(GuestPat);
        y.SysenterCs = Get(GuestSysenterCs);
        y.SysenterEsp = Get(GuestSysenterEsp);
        y.SysenterEip = Get(GuestSysenterEip);
        y.Es = Segment(processor, 0);
        y.Cs = Segment(processor, 1);
        y.Ss = Segment(processor, 2);
        y.Ds = Segment(processor, 3);
        y.Fs = Segment(processor, 4);
        y.Gs = Segment(processor, 5);
        y.Ldtr = Segment(processor, 6);
        y.Tr = Segment(processor, 7);
        y.Gdtr = new TableRegister { Base = Get(GuestGdtrBase), Limit = (ushort)Get(GuestGdtrLimit) };
        y.Idtr = new TableRegister { Base = Get(GuestIdtrBase), Limit = (ushort)Get(GuestIdtrLimit) };
        y.Cpl = (byte)y.Ss.Dpl;

        var blocking = (Interruptibility)Get(GuestInterruptibility);
        y.Shadow = ((blocking & Interruptibility.BlockingBySti) != 0 ? InterruptShadow.Sti : 0)
            | ((blocking & Interruptibility.BlockingByMovSs) != 0 ? InterruptShadow.MovSs : 0)
            | ((blocking & Interruptibility.BlockingByNmi) != 0 ? InterruptShadow.NmiBlocked : 0);
        y.Activity = (GuestActivity)Get(GuestActivityState) switch
        {
            GuestActivity.Hlt => ActivityState.Halted,
            GuestActivity.Shutdown => ActivityState.Shutdown,
            GuestActivity.WaitForSipi => ActivityState.WaitForStart,
            _ => ActivityState.Running,
        };
    }

    // A segment that is not present cannot have been loaded: unusable is its form in a VMCS. Code and data that were loaded are accessed.
    private static void Segment(LogicalProcessor processor, uint number, in SegmentRegister s)
    {
        uint rights = s.Attributes | (s.Present ? 0 : SegmentRegister.UnusableBit);
        if ((rights & (SegmentRegister.SystemBit | SegmentRegister.UnusableBit)) == SegmentRegister.SystemBit)
            rights |= TypeAccessed;
        processor.Vmwrite(GuestEsSelector + (2 * number), s.Selector);
        processor.Vmwrite(GuestEsBase + (2 * number), s.Base);
        processor.Vmwrite(GuestEsLimit + (2 * number), s.Limit);
        processor.Vmwrite(GuestEsAccessRights + (2 * number), rights);
    }

    private static SegmentRegister Segment(LogicalProcessor processor, uint number) => new()
    {
        Selector = (ushort)processor.Vmread(GuestEsSelector + (2 * number)),
        Base = processor.Vmread(GuestEsBase + (2 * number)),
        Limit = (uint)processor.Vmread(GuestEsLimit + (2 * number)),
        Attributes = (uint)processor.Vmread(GuestEsAccessRights + (2 * number)),
    };
}
