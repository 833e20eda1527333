using Hv.Core.Registers;
using Hv.Cpu.State;

namespace Hv.Cpu.System;

/// <summary>Loading CR3, LDTR and the segment registers in the context of an incoming task (SDM 3A 8.3 step 13, table 8-1): nearly every error is #TS
/// with the selector.</summary>
internal static class TaskSegments
{
    public static bool TryLoad(ref CpuState s, Processor p, ushort task, bool wide, in TaskImage image)
    {
        // A 16-bit TSS has no CR3 (SDM 3A 8.6).
        if (wide && (s.Sys.Cr0 & ControlBits.Pg) != 0 && !ControlRegisters.TryLoadCr3(ref s, p, image.Cr3))
        {
            s.Attention &= ~Attention.Fault;
            return Faults.Raise(ref s, ExceptionVector.InvalidTss, task);
        }

        if (!TryLoadLdt(ref s, p, image.Ldt))
            return false;
        if (Modes.IsVm86(ref s))
        {
            for (int i = 0; i < 6; i++)
                Segments.LoadVm86(ref Segments.Register(ref s, (SegmentNumber)i), (ushort)image.Selectors[i]);
        }
        else if (!TryLoadCode(ref s, p, (ushort)image.Selectors[(int)SegmentNumber.Cs])
            || !TryLoadStack(ref s, p, (ushort)image.Selectors[(int)SegmentNumber.Ss])
            || !TryLoadData(ref s, p, SegmentNumber.Ds, in image) || !TryLoadData(ref s, p, SegmentNumber.Es, in image)
            || !TryLoadData(ref s, p, SegmentNumber.Fs, in image) || !TryLoadData(ref s, p, SegmentNumber.Gs, in image))
        {
            p.ModeChanged(ref s);
            return false;
        }

        p.ModeChanged(ref s);
        return image.Eip <= s.Sys.Cs.Limit || Faults.GeneralProtection(ref s);
    }

    private static bool TryLoadLdt(ref CpuState s, Processor p, ushort selector)
    {
        if (DescriptorTables.IsNull(selector))
            return true;
        if ((selector & 4) != 0)
            return Faults.Raise(ref s, ExceptionVector.InvalidTss, selector);
        if (!DescriptorTables.TryFetch(ref s, p, selector, ExceptionVector.InvalidTss, out Descriptor descriptor))
            return false;
        if (!descriptor.IsSystem || descriptor.Type != SystemType.Ldt || !descriptor.Present)
            return Faults.Raise(ref s, ExceptionVector.InvalidTss, selector);
        s.Sys.Ldtr = descriptor.ToRegister(selector);
        return true;
    }

    private static bool TryLoadCode(ref CpuState s, Processor p, ushort selector)
    {
        if (DescriptorTables.IsNull(selector))
            return Faults.Raise(ref s, ExceptionVector.InvalidTss, selector);
        if (!DescriptorTables.TryFetch(ref s, p, selector, ExceptionVector.InvalidTss, out Descriptor code))
            return false;
        int rpl = selector & 3;
        if (!code.IsCode || (code.IsConforming ? code.Dpl > rpl : code.Dpl != rpl))
            return Faults.Raise(ref s, ExceptionVector.InvalidTss, selector);
        if (!code.Present)
            return Faults.Raise(ref s, ExceptionVector.SegmentNotPresent, selector);
        if (!DescriptorTables.TrySetAccessed(ref s, p, selector, ref code))
            return false;
        s.Sys.Cs = code.ToRegister(selector);
        return true;
    }

    private static bool TryLoadStack(ref CpuState s, Processor p, ushort selector)
    {
        if (DescriptorTables.IsNull(selector))
            return Faults.Raise(ref s, ExceptionVector.InvalidTss, selector);
        if (!SegmentLoad.TryCheckStack(ref s, p, selector, s.Sys.Cpl, ExceptionVector.InvalidTss, out SegmentRegister loaded))
            return false;
        s.Sys.Ss = loaded;
        return true;
    }

    private static bool TryLoadData(ref CpuState s, Processor p, SegmentNumber number, in TaskImage image)
    {
        if (!SegmentLoad.TryCheckData(ref s, p, (ushort)image.Selectors[(int)number], ExceptionVector.InvalidTss, out SegmentRegister loaded))
            return false;
        Segments.Register(ref s, number) = loaded;
        return true;
    }
}
