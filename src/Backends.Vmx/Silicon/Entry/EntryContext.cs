using System.Runtime.CompilerServices;
using Hv.Backends.Vmx.Silicon.Fields;
using Hv.Core.Registers;
using static Hv.Backends.Vmx.Silicon.RegisterBits;

namespace Hv.Backends.Vmx.Silicon.Entry;

/// <summary>What an entry check may look at: the VMCS, the capability MSRs, physical memory, and how the host runs.</summary>
public sealed class EntryContext(Vmcs vmcs, VmxCapabilities capabilities, HostPhysicalMemory? memory)
{
    /// <summary>A field's value.</summary>
    public ulong this[VmcsField field]
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => vmcs[field];
    }

    /// <summary>Whether the guest is in 64-bit mode: IA-32e mode guest, and L of CS.</summary>
    public bool Is64BitMode => IsIa32e && (vmcs[VmcsField.GuestCsAccessRights] & SegmentRegister.LongBit) != 0;

    /// <summary>The capability MSRs.</summary>
    public VmxCapabilities Capabilities => capabilities;

    /// <summary>The address of the current VMCS.</summary>
    public ulong VmcsPointer { get; set; } = ulong.MaxValue;

    /// <summary>EFER.LMA in VMX root operation.</summary>
    public bool HostInLongMode { get; set; } = true;

    /// <summary>Injected event.</summary>
    public InterruptionInfo Injection => new((uint)vmcs[VmcsField.EntryInterruptionInfo]);

    public bool IsIa32e => Has(EntryControl.Ia32eModeGuest);

    public bool IsUnrestricted => Has(Secondary.UnrestrictedGuest);

    public bool IsVirtual8086 => (vmcs[VmcsField.GuestRflags] & RflagsVm) != 0;

    public Interruptibility Interruptibility => (Interruptibility)vmcs[VmcsField.GuestInterruptibility];

    public GuestActivity Activity => (GuestActivity)vmcs[VmcsField.GuestActivityState];

    public bool Has(PinBased control) => (vmcs[VmcsField.PinBasedControls] & (uint)control) != 0;

    public bool Has(Primary control) => (vmcs[VmcsField.PrimaryControls] & (uint)control) != 0;

    /// <summary>A secondary control counts as 0 where they are not activated (SDM 3C 25.6.2).</summary>
    public bool Has(Secondary control) => Has(Primary.ActivateSecondaryControls) && (vmcs[VmcsField.SecondaryControls] & (uint)control) != 0;

    public bool Has(ExitControl control) => (vmcs[VmcsField.ExitControls] & (uint)control) != 0;

    public bool Has(EntryControl control) => (vmcs[VmcsField.EntryControls] & (uint)control) != 0;

    /// <summary>Whether an event of this type is injected.</summary>
    public bool Injects(InterruptionType type) => Injection.IsValid && Injection.Type == type;

    /// <summary>The first 4 bytes at a physical address.</summary>
    public uint ReadMemory32(ulong address) => memory is null ? uint.MaxValue : (uint)memory.Read(address);

    /// <summary>One byte of the virtual-APIC page.</summary>
    public byte ReadMemory8(ulong address) => memory is null ? byte.MaxValue : (byte)(memory.Read(address & ~7UL) >> (int)(8 * (address & 7)));

    /// <summary>Whether a structure's address has its low bits clear and lies in the physical-address width.</summary>
    public bool IsAligned(VmcsField field, ulong alignment) => (this[field] & (alignment - 1)) == 0 && VmxCapabilities.IsPhysical(this[field]);
}
