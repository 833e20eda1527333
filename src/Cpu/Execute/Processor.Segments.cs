using Hv.Core.Registers;
using Hv.Cpu.Decode;
using Hv.Cpu.State;

namespace Hv.Cpu;

/// <summary>Offsets in segments to linear addresses, with the checks of SDM 3A 5.3 to 5.5.</summary>
public abstract partial class Processor
{
    /// <summary>Turns an offset in a segment into a linear address, with the segment's checks. False: the fault is recorded.</summary>
    internal bool TryLinear(ref CpuState s, ref Op op, SegmentNumber segment, ulong offset, int size, bool write, out ulong linear)
    {
        linear = 0;
        if (segment == SegmentNumber.Flat)
        {
            linear = offset;
            return true;
        }

        if (_key.Is64)
        {
            linear = s.SegmentBase[(int)segment] + offset;
            return true;
        }

        ref SegmentRegister register = ref SegmentOf(ref s, segment);
        if (IsAllowed(ref s, register, (uint)offset, size, write))
        {
            linear = (uint)(register.Base + offset);
            return true;
        }

        Raise(ref s, ref op, segment == SegmentNumber.Ss ? ExceptionVector.StackFault : ExceptionVector.GeneralProtection, 0);
        return false;
    }

    /// <summary>A segment register by its number, 0 (ES) to 5 (GS).</summary>
    internal static ref SegmentRegister SegmentOf(ref CpuState s, SegmentNumber number)
    {
        switch (number)
        {
            case SegmentNumber.Es: return ref s.Sys.Es;
            case SegmentNumber.Cs: return ref s.Sys.Cs;
            case SegmentNumber.Ss: return ref s.Sys.Ss;
            case SegmentNumber.Ds: return ref s.Sys.Ds;
            case SegmentNumber.Fs: return ref s.Sys.Fs;
            default: return ref s.Sys.Gs;
        }
    }

    private static bool IsAllowed(ref CpuState s, in SegmentRegister register, uint offset, int size, bool write)
    {
        bool isProtected = (s.Sys.Cr0 & 1) != 0 && (s.Gpr.Rflags & RflagsVm) == 0;
        bool code = (register.Attributes & SegmentRegister.CodeBit) != 0;
        if (isProtected)
        {
            if (!register.Usable || !register.Present)
                return false;
            // Type bit 1: writable for data, readable for code.
            bool bit1 = (register.Attributes & 2) != 0;
            if (write ? code || !bit1 : code && !bit1)
                return false;
        }

        uint last = offset + (uint)(size - 1);
        if (!code && (register.Attributes & 4) != 0)
        {
            // Expand-down: valid offsets are above the limit, up to 64 KiB or 4 GiB by B (SDM 3A 5.3).
            uint top = register.Default ? uint.MaxValue : 0xFFFF;
            return offset > register.Limit && last <= top && last >= offset;
        }

        return last <= register.Limit && last >= offset;
    }

    private static bool IsFlat(in SegmentRegister register)
    {
        // Present, S, data, expand-up, writable; accessed or not.
        const uint Mask = SegmentRegister.PresentBit | SegmentRegister.SystemBit | SegmentRegister.CodeBit | 4 | 2 | SegmentRegister.UnusableBit;
        const uint Wanted = SegmentRegister.PresentBit | SegmentRegister.SystemBit | 2;
        return register.Base == 0 && register.Limit == uint.MaxValue && (register.Attributes & Mask) == Wanted;
    }
}
