using Hv.Core.Registers;
using Hv.Cpu.State;

namespace Hv.Cpu.System;

/// <summary>Loading of data and stack segment registers from selectors (SDM 2B MOV, "loading a segment register"; SDM 3A 5.6, 5.7).</summary>
internal static class SegmentLoad
{
    /// <summary>Loads ES, SS, DS, FS or GS as the mode demands. False: a fault is recorded and nothing changed.</summary>
    public static bool TryLoad(ref CpuState s, Processor p, SegmentNumber number, ushort selector)
    {
        ref SegmentRegister register = ref Segments.Register(ref s, number);
        if (Modes.IsReal(ref s))
        {
            Segments.LoadReal(ref register, selector);
        }
        else if (Modes.IsVm86(ref s))
        {
            Segments.LoadVm86(ref register, selector);
        }
        else if (number == SegmentNumber.Ss)
        {
            if (!TryCheckStack(ref s, p, selector, out SegmentRegister loaded))
                return false;
            s.Sys.Ss = loaded;
        }
        else
        {
            if (!TryCheckData(ref s, p, selector, ExceptionVector.GeneralProtection, out SegmentRegister loaded))
                return false;
            register = loaded;
        }

        p.ModeChanged(ref s);
        return true;
    }

    /// <summary>The checks and the accessed bit of a load of ES, DS, FS or GS at the present privilege; errors are <paramref name="vector"/> (#GP, or
    /// #TS in a task switch).</summary>
    public static bool TryCheckData(ref CpuState s, Processor p, ushort selector, byte vector, out SegmentRegister loaded)
    {
        loaded = default;
        if (DescriptorTables.IsNull(selector))
        {
            Segments.LoadNull(ref loaded, selector);
            return true;
        }

        if (!DescriptorTables.TryFetch(ref s, p, selector, vector, out Descriptor descriptor))
            return false;
        int rpl = selector & 3;
        bool conforming = descriptor.IsCode && descriptor.IsConforming;
        if (!descriptor.IsReadable || (!conforming && (rpl > descriptor.Dpl || s.Sys.Cpl > descriptor.Dpl)))
            return Faults.Raise(ref s, vector, selector);
        if (!descriptor.Present)
            return Faults.Raise(ref s, ExceptionVector.SegmentNotPresent, selector);
        if (!DescriptorTables.TrySetAccessed(ref s, p, selector, ref descriptor))
            return false;
        loaded = descriptor.ToRegister(selector);
        return true;
    }

    /// <summary>The checks and the accessed bit of a load of SS at the present privilege. A null SS is allowed in 64-bit mode below CPL 3 (SDM 3A
    /// 5.4.1.1).</summary>
    public static bool TryCheckStack(ref CpuState s, Processor p, ushort selector, out SegmentRegister loaded)
    {
        loaded = default;
        if (DescriptorTables.IsNull(selector))
        {
            if (!Modes.Is64(ref s) || s.Sys.Cpl == 3 || (selector & 3) != s.Sys.Cpl)
                return Faults.GeneralProtection(ref s);
            loaded = Segments.NullStack(s.Sys.Cpl);
            return true;
        }

        return TryCheckStack(ref s, p, selector, s.Sys.Cpl, ExceptionVector.GeneralProtection, out loaded);
    }

    /// <summary>
    /// The checks of a stack segment for privilege <paramref name="cpl"/>: writable data, RPL and DPL equal to it, else <paramref name="vector"/>
    /// (#GP, or #TS when a TSS named it);
    /// not present: #SS. The selector is not null.
    /// </summary>
    public static bool TryCheckStack(ref CpuState s, Processor p, ushort selector, int cpl, byte vector, out SegmentRegister loaded)
    {
        loaded = default;
        if (!DescriptorTables.TryFetch(ref s, p, selector, vector, out Descriptor descriptor))
            return false;
        if ((selector & 3) != cpl || descriptor.Dpl != cpl || !descriptor.IsWritableData)
            return Faults.Raise(ref s, vector, selector);
        if (!descriptor.Present)
            return Faults.Raise(ref s, ExceptionVector.StackFault, selector);
        if (!DescriptorTables.TrySetAccessed(ref s, p, selector, ref descriptor))
            return false;
        loaded = descriptor.ToRegister(selector);
        return true;
    }

    /// <summary>
    /// After a return to an outer level, registers that name inner segments are made null, so that outer code cannot use what it could not load
    /// (SDM 2B RET, RETURN-TO-OUTER-PRIVILEGE-LEVEL; SDM 3A 5.8.6).
    /// </summary>
    public static void DropInner(ref CpuState s)
    {
        DropInner(ref s.Sys.Es, s.Sys.Cpl);
        DropInner(ref s.Sys.Ds, s.Sys.Cpl);
        DropInner(ref s.Sys.Fs, s.Sys.Cpl);
        DropInner(ref s.Sys.Gs, s.Sys.Cpl);
    }

    private static void DropInner(ref SegmentRegister segment, int cpl)
    {
        const uint ConformingCode = SegmentRegister.CodeBit | 4;
        bool conforming = (segment.Attributes & ConformingCode) == ConformingCode;
        if (segment.Usable && segment.Dpl < cpl && !conforming)
            Segments.LoadNull(ref segment, 0);
    }
}
