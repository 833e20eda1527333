using Hv.Core.Exits;
using Hv.Core.Registers;
using Xunit;

namespace Hv.Backends.Kvm.Tests.LockStep;

/// <summary>What must be the same on both halves, and what the manuals leave open. Allocates nothing where they agree.</summary>
internal static class Agreement
{
    public const ulong ResumeFlag = 1 << 16;

    /// <summary>AF is undefined after logic operations and shifts (SDM 2), RF depends on how an exit was made (SDM 3B 18.3.1.1).</summary>
    private const ulong Open = 1 << 4 | ResumeFlag;

    public static void OfExits(in VmExit a, in VmExit b, string? failure)
    {
        if (a.Reason != b.Reason)
            Assert.Fail($"Kvm {a.Reason} at {a.Rip:x} ({failure}), Emulated {b.Reason} at {b.Rip:x}");
        if (a.Reason != ExitReason.Shutdown && (a.Mode != b.Mode || a.Cpl != b.Cpl))
            Assert.Fail($"{a.Reason}: Kvm in {a.Mode} at CPL {a.Cpl}, Emulated in {b.Mode} at CPL {b.Cpl}");
        bool same = a.Reason switch
        {
            ExitReason.PortIo => a.PortIo == b.PortIo with { IsString = a.PortIo.IsString },
            ExitReason.MemoryAccess => a.Memory == b.Memory,
            ExitReason.MsrRead or ExitReason.MsrWrite => a.Msr == b.Msr,
            _ => true,
        };
        if (!same)
            Assert.Fail($"{a.Reason} at {a.Rip:x}: Kvm {Payload(in a)}, Emulated {Payload(in b)}");
    }

    public static void OfRegisters(in GeneralRegisters a, in GeneralRegisters b, bool withRip)
    {
        GeneralRegisters left = a, right = b;
        for (int i = 0; i < 16; i++)
        {
            if (left[i] != right[i])
                Assert.Fail($"register {i}: Kvm {left[i]:x}, Emulated {right[i]:x}, at RIP {left.Rip:x}");
        }

        if ((left.Rflags & ~Open) != (right.Rflags & ~Open))
            Assert.Fail($"RFLAGS: Kvm {left.Rflags:x}, Emulated {right.Rflags:x}, at RIP {left.Rip:x}");
        if (withRip && left.Rip != right.Rip)
            Assert.Fail($"RIP: Kvm {left.Rip:x}, Emulated {right.Rip:x}");
    }

    /// <summary>Whether two vCPUs are between the same two instructions.</summary>
    public static bool IsSamePlace(in GeneralRegisters a, in GeneralRegisters b)
    {
        GeneralRegisters left = a, right = b;
        for (int i = 0; i < 16; i++)
        {
            if (left[i] != right[i])
                return false;
        }

        return left.Rip == right.Rip && ((left.Rflags ^ right.Rflags) & ~Open) == 0;
    }

    public static void OfSystems(in SystemRegisters a, in SystemRegisters b)
    {
        Assert.Equal((b.Cr0, b.Cr2, b.Cr3, b.Cr4, b.Cr8, b.Efer), (a.Cr0, a.Cr2, a.Cr3, a.Cr4, a.Cr8, a.Efer));
        Assert.Equal((b.Cs.Selector, b.Cs.Base, b.Ss.Selector, b.Ds.Selector, b.Es.Selector, b.Fs.Base, b.Gs.Base),
            (a.Cs.Selector, a.Cs.Base, a.Ss.Selector, a.Ds.Selector, a.Es.Selector, a.Fs.Base, a.Gs.Base));
        Assert.Equal((b.Gdtr.Base, b.Gdtr.Limit, b.Idtr.Base, b.Idtr.Limit), (a.Gdtr.Base, a.Gdtr.Limit, a.Idtr.Base, a.Idtr.Limit));
        Assert.Equal((b.Star, b.Lstar, b.Sfmask, b.KernelGsBase, b.SysenterCs, b.SysenterEip, b.Pat),
            (a.Star, a.Lstar, a.Sfmask, a.KernelGsBase, a.SysenterCs, a.SysenterEip, a.Pat));
        Assert.Equal((b.Cpl, b.Activity), (a.Cpl, a.Activity));
    }

    private static string Payload(in VmExit exit) => exit.Reason switch
    {
        ExitReason.PortIo => exit.PortIo.ToString(),
        ExitReason.MemoryAccess => exit.Memory.ToString(),
        _ => exit.Msr.ToString(),
    };
}
