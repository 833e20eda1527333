using Hv.Backends.Svm.Silicon;
using Hv.Core.Registers;

namespace Hv.Backends.Svm.Hypervisor;

/// <summary>
/// Between the neutral system registers and a VMCB's save area. The VMCB holds no DR0-DR3, XCR0, TSC, TSC_AUX and APIC_BASE: those the hypervisor
/// keeps in the processor's own registers, as real ones do. The guest never sees EFER.SVME, which VMRUN demands (APM 2 15.5.1).
/// </summary>
public static class StateConversion
{
    private const ulong Svme = HostMsrs.SvmeBit;

    /// <summary>Writes the save area.</summary>
    public static void ToVmcb(in SystemRegisters from, ref VmcbSave to)
    {
        GuestStateTransfer.SaveSegment(ref to.Es, from.Es);
        GuestStateTransfer.SaveSegment(ref to.Cs, from.Cs);
        GuestStateTransfer.SaveSegment(ref to.Ss, from.Ss);
        GuestStateTransfer.SaveSegment(ref to.Ds, from.Ds);
        GuestStateTransfer.SaveSegment(ref to.Fs, from.Fs);
        GuestStateTransfer.SaveSegment(ref to.Gs, from.Gs);
        GuestStateTransfer.SaveSegment(ref to.Ldtr, from.Ldtr);
        GuestStateTransfer.SaveSegment(ref to.Tr, from.Tr);
        to.Gdtr = new VmcbSegment { Base = from.Gdtr.Base, Limit = from.Gdtr.Limit };
        to.Idtr = new VmcbSegment { Base = from.Idtr.Base, Limit = from.Idtr.Limit };
        to.Cpl = from.Cpl;
        to.Efer = from.Efer | Svme;
        to.Cr0 = from.Cr0;
        to.Cr2 = from.Cr2;
        to.Cr3 = from.Cr3;
        to.Cr4 = from.Cr4;
        to.Dr6 = from.Dr6;
        to.Dr7 = from.Dr7;
        to.Star = from.Star;
        to.Lstar = from.Lstar;
        to.Cstar = from.Cstar;
        to.Sfmask = from.Sfmask;
        to.KernelGsBase = from.KernelGsBase;
        to.SysenterCs = from.SysenterCs;
        to.SysenterEsp = from.SysenterEsp;
        to.SysenterEip = from.SysenterEip;
        to.GuestPat = from.Pat;
    }

    /// <summary>Reads the save area. What it does not hold stays as it is in <paramref name="to"/>.</summary>
    public static void FromVmcb(in VmcbSave from, ref SystemRegisters to)
    {
        GuestStateTransfer.LoadSegment(ref to.Es, from.Es);
        GuestStateTransfer.LoadSegment(ref to.Cs, from.Cs);
        GuestStateTransfer.LoadSegment(ref to.Ss, from.Ss);
        GuestStateTransfer.LoadSegment(ref to.Ds, from.Ds);
        GuestStateTransfer.LoadSegment(ref to.Fs, from.Fs);
        GuestStateTransfer.LoadSegment(ref to.Gs, from.Gs);
        GuestStateTransfer.LoadSegment(ref to.Ldtr, from.Ldtr);
        GuestStateTransfer.LoadSegment(ref to.Tr, from.Tr);
        to.Gdtr = new TableRegister { Base = from.Gdtr.Base, Limit = (ushort)from.Gdtr.Limit };
        to.Idtr = new TableRegister { Base = from.Idtr.Base, Limit = (ushort)from.Idtr.Limit };
        to.Cpl = from.Cpl;
        to.Efer = from.Efer & ~Svme;
        to.Cr0 = from.Cr0;
        to.Cr2 = from.Cr2;
        to.Cr3 = from.Cr3;
        to.Cr4 = from.Cr4;
        to.Dr6 = from.Dr6;
        to.Dr7 = from.Dr7;
        to.Star = from.Star;
        to.Lstar = from.Lstar;
        to.Cstar = from.Cstar;
        to.Sfmask = from.Sfmask;
        to.KernelGsBase = from.KernelGsBase;
        to.SysenterCs = from.SysenterCs;
        to.SysenterEsp = from.SysenterEsp;
        to.SysenterEip = from.SysenterEip;
        to.Pat = from.GuestPat;
    }
}
