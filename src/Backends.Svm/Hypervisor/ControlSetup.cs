using Hv.Backends.Svm.Silicon;

namespace Hv.Backends.Svm.Hypervisor;

/// <summary>What the hypervisor puts into a VMCB's control area before its first VMRUN.</summary>
public static class ControlSetup
{
    /// <summary>
    /// Intercepts: everything that belongs to the host (interrupts, halts, ports, unlisted MSRs, CPUID, shutdown), and the SVM instructions, which
    /// this hypervisor does not offer its guests. What the guest does to itself (control registers, descriptor tables, page tables, exceptions)
    /// stays with it.
    /// </summary>
    public static void Write(ref VmcbControl control, Hpa msrMap, Hpa ioMap, Hpa nestedRoot, uint asid)
    {
        control = default;
        control.Intercepts1 = Intercepts1.Intr | Intercepts1.Nmi | Intercepts1.Smi | Intercepts1.Init | Intercepts1.Cpuid | Intercepts1.Hlt
            | Intercepts1.Invlpga | Intercepts1.IoioProt | Intercepts1.MsrProt | Intercepts1.Shutdown;
        control.Intercepts2 = Intercepts2.Vmrun | Intercepts2.Vmmcall | Intercepts2.Vmload | Intercepts2.Vmsave
            | Intercepts2.Stgi | Intercepts2.Clgi | Intercepts2.Skinit;
        control.MsrpmBasePa = msrMap.Value;
        control.IopmBasePa = ioMap.Value;
        control.GuestAsid = asid;
        control.TlbControl = TlbControl.FlushGuest;
        control.NestedControl = NestedControl.NestedPaging | NestedControl.ReadOnlyGuestTables;
        control.NestedCr3 = nestedRoot.Value;
        control.VirtualInterrupt = default(VirtualInterrupt).WithMasking();
    }
}
