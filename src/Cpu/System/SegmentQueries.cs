using Hv.Cpu.Decode;
using Hv.Cpu.State;

namespace Hv.Cpu.System;

/// <summary>LAR, LSL, VERR, VERW and ARPL: questions about selectors that answer in ZF and never fault on the selector itself (SDM 2A, 2B; SDM 3A
/// 5.10).</summary>
internal static class SegmentQueries
{
    /// <summary>System types that LAR answers for; in IA-32e mode the 16-bit ones and task gates are gone (SDM 2A table 3-53).</summary>
    private const uint LarTypes = 1 << 1 | 1 << 2 | 1 << 3 | 1 << 4 | 1 << 5 | 1 << 9 | 1 << 11 | 1 << 12,
        LarLongTypes = 1 << 2 | 1 << 9 | 1 << 11 | 1 << 12;

    /// <summary>System types that have a limit (SDM 2A table 3-56).</summary>
    private const uint LslTypes = 1 << 1 | 1 << 2 | 1 << 3 | 1 << 9 | 1 << 11, LslLongTypes = 1 << 2 | 1 << 9 | 1 << 11;

    public static void Lar(ref CpuState s, ref Op op, Processor p)
    {
        if (!TryVisible(ref s, ref op, p, LarTypes, LarLongTypes, out bool visible, out Descriptor descriptor))
            return;
        if (visible)
            OpAccess.SetRegister(ref s, op.Reg, OpAccess.Size(ref op), descriptor.Low >> 32 & 0x00FF_FF00);
        Answer(ref s, ref op, p, visible);
    }

    public static void Lsl(ref CpuState s, ref Op op, Processor p)
    {
        if (!TryVisible(ref s, ref op, p, LslTypes, LslLongTypes, out bool visible, out Descriptor descriptor))
            return;
        if (visible)
            OpAccess.SetRegister(ref s, op.Reg, OpAccess.Size(ref op), descriptor.Limit);
        Answer(ref s, ref op, p, visible);
    }

    public static void Verr(ref CpuState s, ref Op op, Processor p)
    {
        if (TryVisible(ref s, ref op, p, 0, 0, out bool visible, out Descriptor descriptor))
            Answer(ref s, ref op, p, visible && descriptor.IsReadable);
    }

    public static void Verw(ref CpuState s, ref Op op, Processor p)
    {
        if (TryVisible(ref s, ref op, p, 0, 0, out bool visible, out Descriptor descriptor))
            Answer(ref s, ref op, p, visible && descriptor.IsWritableData);
    }

    /// <summary>Raises the RPL of a selector operand to that of the register (SDM 2A ARPL).</summary>
    public static void Arpl(ref CpuState s, ref Op op, Processor p)
    {
        Faults.Begin(ref s, ref op);
        if (!Modes.IsProtected(ref s))
        {
            Faults.Undefined(ref s);
            return;
        }

        if (!OpAccess.TryRead16(ref s, ref op, p, out ushort selector))
            return;
        int rpl = (int)OpAccess.Register(ref s, op.Reg) & 3;
        bool raised = (selector & 3) < rpl;
        ushort result = raised ? (ushort)(selector & ~3 | rpl) : selector;
        if (OpAccess.IsMemory(ref op))
        {
            // Written only when raised: a read-only operand that needs no change does not fault.
            if (raised && !OpAccess.TryWrite16(ref s, ref op, p, result))
                return;
        }
        else
        {
            OpAccess.SetRegister(ref s, op.Rm, 2, result);
        }

        Answer(ref s, ref op, p, raised);
    }

    /// <summary>Reads the selector and says whether its descriptor exists, is of a known type, and is visible at CPL and RPL. False: a fault is
    /// recorded.</summary>
    private static bool TryVisible(ref CpuState s, ref Op op, Processor p, uint types, uint longTypes, out bool visible, out Descriptor descriptor)
    {
        Faults.Begin(ref s, ref op);
        visible = false;
        descriptor = default;
        if (!Modes.IsProtected(ref s))
            return Faults.Undefined(ref s);
        if (!OpAccess.TryRead16(ref s, ref op, p, out ushort selector)
            || !DescriptorTables.TryPeek(ref s, p, selector, out bool found, out descriptor))
            return false;
        uint known = Modes.IsLong(ref s) ? longTypes : types;
        bool typed = !descriptor.IsSystem || (known >> (int)descriptor.Type & 1) != 0;
        bool conforming = descriptor.IsCode && descriptor.IsConforming;
        visible = found && typed && (conforming || (descriptor.Dpl >= s.Sys.Cpl && descriptor.Dpl >= (selector & 3)));
        return true;
    }

    private static void Answer(ref CpuState s, ref Op op, Processor p, bool zero)
    {
        FlagWrite.SetZero(ref s, zero);
        p.Finish(ref s, ref op);
    }
}
