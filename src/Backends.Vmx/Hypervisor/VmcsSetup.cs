using Hv.Backends.Vmx.Silicon;
using Hv.Backends.Vmx.Silicon.Fields;
using Hv.Backends.Vmx.Silicon.Operation;
using static Hv.Backends.Vmx.Silicon.Fields.VmcsField;

namespace Hv.Backends.Vmx.Hypervisor;

/// <summary>The fields that stay as they are while a vCPU lives: controls and host state.</summary>
internal static class VmcsSetup
{
    private const ushort CodeSelector = 0x08, DataSelector = 0x10, TaskSelector = 0x18;

    // The hypervisor is this program: its entry point and stack stand for the place where VMLAUNCH was called (docs/adr/0040-two-rooms.md).
    private const ulong HostEntryPoint = 0xFFFF_FFFF_8000_0000;

    /// <summary>Writes them.</summary>
    public static void Write(LogicalProcessor processor, VmxPartition partition)
    {
        VmxCapabilities can = processor.Capabilities;
        void Set(VmcsField field, ulong value) => processor.Vmwrite(field, value);

        Set(PinBasedControls, can.PinBased.Apply((uint)(PinBased.ExternalInterruptExiting | PinBased.NmiExiting | PinBased.ActivatePreemptionTimer)));
        Set(PrimaryControls, can.Primary.Apply((uint)(Primary.HltExiting | Primary.UnconditionalIoExiting | Primary.UseMsrBitmaps
            | Primary.ActivateSecondaryControls)));
        Set(SecondaryControls, can.Secondary.Apply((uint)(Secondary.EnableEpt | Secondary.UnrestrictedGuest | Secondary.EnableRdtscp)));
        Set(VmcsField.ExitControls, can.Exit.Apply((uint)(ExitControl.HostAddressSpaceSize | ExitControl.SaveDebugControls | ExitControl.SavePat
            | ExitControl.LoadPat | ExitControl.SaveEfer | ExitControl.LoadEfer)));
        Set(VmcsField.EntryControls, can.Entry.Apply((uint)(EntryControl.LoadDebugControls | EntryControl.LoadPat | EntryControl.LoadEfer)));
        Set(VmcsField.MsrBitmap, partition.MsrBitmap);
        Set(EptPointer, partition.EptPointer);
        Set(VmcsLinkPointer, ulong.MaxValue);

        // Owned by the hypervisor: the bits that VMX operation fixes. The guest sees its own NE, and no VMXE.
        Set(Cr0Mask, RegisterBits.Cr0Ne);
        Set(Cr4Mask, RegisterBits.Cr4Vmxe);

        RootState root = processor.Root;
        Set(HostCr0, root.Cr0);
        Set(HostCr4, root.Cr4);
        Set(HostEfer, root.Efer);
        Set(HostPat, 0x0007_0406_0007_0406);
        Set(HostCsSelector, CodeSelector);
        Set(HostSsSelector, DataSelector);
        Set(HostDsSelector, DataSelector);
        Set(HostEsSelector, DataSelector);
        Set(HostTrSelector, TaskSelector);
        Set(HostRip, HostEntryPoint);
    }
}
