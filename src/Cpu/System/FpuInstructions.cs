using Hv.Cpu.Decode;
using Hv.Cpu.State;

namespace Hv.Cpu.System;

/// <summary>The x87 and SSE instructions that manage state rather than compute, and the #NM, #UD and #MF rules that all of them follow (SDM 3A 2.5,
/// table 2-2; SDM 1 8.7, 11.6.7).</summary>
internal static class FpuInstructions
{
    private const ushort ErrorSummary = 0x80, TopMask = 0x3800;

    // The part of an image that must lie within its segment before its alignment counts.
    private const int LimitCheckSize = 16;

    /// <summary>FWAIT alone looks at MP: #NM only when MP and TS are both set (SDM 3A table 2-2).</summary>
    public static void Fwait(ref CpuState s, ref Op op, Processor p)
    {
        Faults.Begin(ref s, ref op);
        const ulong Both = ControlBits.Mp | ControlBits.Ts;
        if ((s.Sys.Cr0 & Both) == Both)
            Faults.Raise(ref s, ExceptionVector.DeviceNotAvailable);
        else if (TryPending(ref s))
            p.Finish(ref s, ref op);
    }

    public static void Emms(ref CpuState s, ref Op op, Processor p)
    {
        Faults.Begin(ref s, ref op);
        if ((s.Sys.Cr0 & ControlBits.Em) != 0)
        {
            Faults.Undefined(ref s);
            return;
        }

        if (!TryNotSwitched(ref s) || !TryPending(ref s))
            return;
        // TOP becomes 0 as by every MMX instruction (SDM 1 9.6.2).
        s.Fpu.Tags = 0;
        s.Fpu.Status &= unchecked((ushort)~TopMask);
        p.Finish(ref s, ref op);
    }

    public static void Ldmxcsr(ref CpuState s, ref Op op, Processor p)
    {
        if (!TrySse(ref s, ref op, p)
            || !p.TryRead(ref s, (SegmentNumber)op.Segment, p.EffectiveAddress(ref s, ref op), 4, out ulong value))
            return;
        if ((value & ~(ulong)FpuState.MxcsrMask) != 0)
        {
            Faults.GeneralProtection(ref s);
            return;
        }

        s.Fpu.Mxcsr = (uint)value;
        p.Finish(ref s, ref op);
    }

    public static void Stmxcsr(ref CpuState s, ref Op op, Processor p)
    {
        if (TrySse(ref s, ref op, p) && p.TryWrite(ref s, (SegmentNumber)op.Segment, p.EffectiveAddress(ref s, ref op), 4, s.Fpu.Mxcsr))
            p.Finish(ref s, ref op);
    }

    /// <summary>Stores the 512-byte image, all or nothing: its ends are tried before anything between them.</summary>
    public static void Fxsave(ref CpuState s, ref Op op, Processor p)
    {
        if (!TryImage(ref s, ref op, p, true, out ulong offset))
            return;
        Span<byte> image = stackalloc byte[FpuImage.Size];
        image.Clear();
        int used = FpuImage.Save(in s.Fpu, image, Registers(ref s), OpAccess.Size(ref op) == 8);
        var segment = (SegmentNumber)op.Segment;
        for (int i = 0; i < used; i += 8)
        {
            if (!p.TryWrite(ref s, segment, OpAccess.Advance(ref op, offset, i), 8, BitConverter.ToUInt64(image[i..])))
                return;
        }

        p.Finish(ref s, ref op);
    }

    /// <summary>Reads the whole image before any of it counts.</summary>
    public static void Fxrstor(ref CpuState s, ref Op op, Processor p)
    {
        if (!TryImage(ref s, ref op, p, false, out ulong offset))
            return;
        Span<byte> image = stackalloc byte[FpuImage.Size];
        for (int i = 0; i < FpuImage.Size; i += 8)
        {
            if (!p.TryRead(ref s, (SegmentNumber)op.Segment, OpAccess.Advance(ref op, offset, i), 8, out ulong value))
                return;
            BitConverter.TryWriteBytes(image[i..], value);
        }

        if ((FpuImage.Mxcsr(image) & ~FpuState.MxcsrMask) != 0)
        {
            Faults.GeneralProtection(ref s);
            return;
        }

        FpuImage.Load(ref s.Fpu, image, Registers(ref s), OpAccess.Size(ref op) == 8);
        p.Finish(ref s, ref op);
    }

    /// <summary>XMM8-XMM15 are part of the image in 64-bit mode only.</summary>
    private static int Registers(ref CpuState s) => Modes.Is64(ref s) ? 16 : 8;

    private static bool TryImage(ref CpuState s, ref Op op, Processor p, bool write, out ulong offset)
    {
        offset = 0;
        if (!TryX87(ref s, ref op))
            return false;
        offset = p.EffectiveAddress(ref s, ref op);
        return TryAligned(ref s, ref op, p, offset, 16) && TryEnds(ref s, ref op, p, offset, FpuImage.Size, write);
    }

    /// <summary>A state image must be aligned: #GP(0), or #AC where alignment is checked. Which misalignment is #AC is the processor's choice (SDM 2A
    /// FXSAVE): Intel's look at the lowest two bits.</summary>
    internal static bool TryAligned(ref CpuState s, ref Op op, Processor p, ulong offset, int alignment)
    {
        // Whether the segment may be written comes after the alignment.
        if (!p.TryAddress(ref s, (SegmentNumber)op.Segment, offset, LimitCheckSize, false, out ulong linear))
            return false;
        if ((linear & (ulong)(alignment - 1)) == 0)
            return true;
        return p.ChecksAlignment && (linear & 3) != 0 ? Faults.Raise(ref s, ExceptionVector.AlignmentCheck, 0u) : Faults.GeneralProtection(ref s);
    }

    /// <summary>Whether both ends of an image of at most a page can be accessed. Intel's processors look at the last byte first, and CR2 of a fault
    /// shows it.</summary>
    internal static bool TryEnds(ref CpuState s, ref Op op, Processor p, ulong offset, int size, bool write)
    {
        var segment = (SegmentNumber)op.Segment;
        return p.TryAddress(ref s, segment, OpAccess.Advance(ref op, offset, size - 1), 1, write, out ulong last) && p.TryProbe(ref s, last, write)
            && p.TryAddress(ref s, segment, offset, 1, write, out ulong first) && p.TryProbe(ref s, first, write);
    }

    /// <summary>x87 instructions, FXSAVE and FXRSTOR: #NM while EM or TS is set.</summary>
    private static bool TryX87(ref CpuState s, ref Op op)
    {
        Faults.Begin(ref s, ref op);
        return (s.Sys.Cr0 & (ControlBits.Em | ControlBits.Ts)) == 0 || Faults.Raise(ref s, ExceptionVector.DeviceNotAvailable);
    }

    /// <summary>SSE instructions: #UD under EM or without OSFXSR, then #NM under TS. Under VEX AVX must be enabled instead.</summary>
    private static bool TrySse(ref CpuState s, ref Op op, Processor p)
    {
        Faults.Begin(ref s, ref op);
        bool usable = (op.Form & OpForm.Vex) != 0 ? p.Key.Has(ModeKey.Avx)
            : (s.Sys.Cr0 & ControlBits.Em) == 0 && (s.Sys.Cr4 & ControlBits.Osfxsr) != 0;
        return usable ? TryNotSwitched(ref s) : Faults.Undefined(ref s);
    }

    private static bool TryNotSwitched(ref CpuState s) => (s.Sys.Cr0 & ControlBits.Ts) == 0
        || Faults.Raise(ref s, ExceptionVector.DeviceNotAvailable);

    /// <summary>Waiting instructions report an unmasked x87 exception that is pending. Without CR0.NE that is the FERR# pin, which no board here
    /// connects.</summary>
    private static bool TryPending(ref CpuState s)
    {
        bool pending = (s.Fpu.Status & ErrorSummary) != 0 && (s.Sys.Cr0 & ControlBits.Ne) != 0;
        return !pending || Faults.Raise(ref s, ExceptionVector.FloatingPoint);
    }
}
