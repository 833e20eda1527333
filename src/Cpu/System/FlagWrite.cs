using Hv.Cpu.Execute;
using Hv.Cpu.State;

namespace Hv.Cpu.System;

/// <summary>RFLAGS as system instructions read and change it. The arithmetic flags are kept twice, in RFLAGS and in the lazy words; both are written,
/// so that it does not matter
/// whether a block or the run loop looks next.</summary>
internal static class FlagWrite
{
    /// <summary>The whole register, inside a block.</summary>
    public static ulong Read(ref CpuState s) => s.Gpr.Rflags & ~Flags.All | Flags.Get(ref s);

    /// <summary>Replaces the whole register.</summary>
    public static void Write(ref CpuState s, Processor p, ulong value)
    {
        s.Gpr.Rflags = value & Rflags.Defined | Rflags.Fixed;
        Flags.Put(ref s, value);
        // AC and VM decide about access rights and the mode; IF and TF about what the loop must look at.
        p.ModeChanged(ref s);
    }

    /// <summary>As <see cref="Write"/>, for the flag instructions, after which nothing but flags has changed: unless AC or VM did, no access right and
    /// no mode depends on it.</summary>
    public static void Change(ref CpuState s, Processor p, ulong value)
    {
        if (((s.Gpr.Rflags ^ value) & (Rflags.Ac | Rflags.Vm)) != 0)
        {
            Write(ref s, p, value);
            return;
        }

        s.Gpr.Rflags = value & Rflags.Defined | Rflags.Fixed;
        Flags.Put(ref s, value);
    }

    /// <summary>Replaces the bits in <paramref name="mask"/> while the run loop holds control, when RFLAGS itself is exact.</summary>
    public static void Apply(ref CpuState s, Processor p, ulong value, ulong mask) => Write(ref s, p, s.Gpr.Rflags & ~mask | value & mask);

    /// <summary>Sets ZF alone, inside a block.</summary>
    public static void SetZero(ref CpuState s, bool zero)
    {
        ulong value = Read(ref s) & ~Rflags.Zf | (zero ? Rflags.Zf : 0);
        s.Gpr.Rflags = value;
        Flags.Put(ref s, value);
    }

    /// <summary>The bits that IRET in protected and IA-32e mode may change at the present CPL (SDM 2A IRET,
    /// RETURN-TO-SAME-PRIVILEGE-LEVEL).</summary>
    public static ulong ReturnMask(ref CpuState s, int size)
    {
        ulong mask = Rflags.Arithmetic | Rflags.Tf | Rflags.Df | Rflags.Nt | Rflags.Rf | Rflags.Ac | Rflags.Id;
        if (s.Sys.Cpl <= Modes.Iopl(ref s))
            mask |= Rflags.If;
        if (s.Sys.Cpl == 0)
            mask |= Rflags.Iopl | Rflags.Vif | Rflags.Vip;
        return mask & OpAccess.Mask(size);
    }
}
