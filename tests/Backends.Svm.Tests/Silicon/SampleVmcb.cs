using Hv.Backends.Svm.Silicon;

namespace Hv.Backends.Svm.Tests.Silicon;

/// <summary>A VMCB that breaks no rule: 64-bit code at 1000H, paging on, nested paging on.</summary>
internal static class SampleVmcb
{
    public const ulong Pe = 1, Nw = 1ul << 29, Cd = 1ul << 30, Pg = 1ul << 31, Pae = 1ul << 5;
    public const ulong Lme = 1ul << 8, Lma = 1ul << 10, Svme = 1ul << 12;

    public static Vmcb LongMode()
    {
        var vmcb = default(Vmcb);
        vmcb.Control.Intercepts2 = Intercepts2.Vmrun;
        vmcb.Control.GuestAsid = 1;
        vmcb.Control.NestedControl = NestedControl.NestedPaging;
        vmcb.Save.Efer = Svme | Lme | Lma;
        vmcb.Save.Cr0 = Pe | Pg;
        vmcb.Save.Cr4 = Pae;
        vmcb.Save.Cr3 = 0x2000;
        vmcb.Save.Dr6 = 0xFFFF_0FF0;
        vmcb.Save.Dr7 = 0x400;
        vmcb.Save.Rflags = 2;
        vmcb.Save.Rip = 0x1000;
        vmcb.Save.GuestPat = 0x0007_0406_0007_0406;
        vmcb.Save.Cs = new VmcbSegment { Selector = 8, Attributes = 0xA9B, Limit = uint.MaxValue };
        vmcb.Save.Ss = new VmcbSegment { Selector = 16, Attributes = 0xC93, Limit = uint.MaxValue };
        vmcb.Save.Ds = vmcb.Save.Ss;
        vmcb.Save.Es = vmcb.Save.Ss;
        return vmcb;
    }
}
