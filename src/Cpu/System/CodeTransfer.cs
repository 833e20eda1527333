using Hv.Core.Registers;
using Hv.Cpu.State;

namespace Hv.Cpu.System;

/// <summary>
/// What all far transfers share: checks on the target code segment and offset, and the one place where CS, CPL and RIP change. Checks come before any
/// commit,
/// so that a transfer that faults leaves no trace.
/// </summary>
internal static class CodeTransfer
{
    /// <summary>CS.L and CS.D both set is reserved in IA-32e mode (SDM 3A 5.2.1).</summary>
    public static bool HasReservedSize(ref CpuState s, in Descriptor code) => Modes.IsLong(ref s) && code.Long && code.Default;

    /// <summary>Whether <paramref name="rip"/> may be executed in a segment: canonical in 64-bit code, else its low 32 bits within the limit, as on
    /// Intel's processors. #GP(0) when not.</summary>
    public static bool TryCheckOffset(ref CpuState s, in Descriptor code, ulong rip)
    {
        bool ok = Is64(ref s, in code) ? Modes.IsCanonical(rip) : (uint)rip <= code.Limit;
        return ok || Faults.GeneralProtection(ref s);
    }

    /// <summary>Loads CS from a checked descriptor with RPL = <paramref name="cpl"/>, makes that the CPL, and goes to
    /// <paramref name="rip"/>.</summary>
    public static void Commit(ref CpuState s, Processor p, ushort selector, in Descriptor code, int cpl, ulong rip)
    {
        s.Sys.Cs = code.ToRegister((ushort)(selector & ~3 | cpl));
        s.Sys.Cs.Attributes |= SegmentRegister.AccessedBit;
        s.Sys.Cpl = (byte)cpl;
        s.Gpr.Rip = Is64(ref s, in code) ? rip : (uint)rip;
        p.ModeChanged(ref s);
    }

    private static bool Is64(ref CpuState s, in Descriptor code) => Modes.IsLong(ref s) && code.Long;

    /// <summary>Goes to selector:offset in real or virtual-8086 mode. False: the offset is beyond CS's limit (SDM 2A JMP, real-address
    /// mode).</summary>
    public static bool TryCommitFlat(ref CpuState s, Processor p, ushort selector, ulong rip)
    {
        bool vm86 = Modes.IsVm86(ref s);
        if (rip > (vm86 ? 0xFFFF : s.Sys.Cs.Limit))
            return Faults.GeneralProtection(ref s);
        if (vm86)
            Segments.LoadVm86(ref s.Sys.Cs, selector);
        else
            Segments.LoadReal(ref s.Sys.Cs, selector);
        s.Gpr.Rip = rip;
        p.ModeChanged(ref s);
        return true;
    }
}
