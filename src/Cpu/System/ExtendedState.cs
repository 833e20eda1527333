using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Hv.Cpu.Decode;
using Hv.Cpu.State;

namespace Hv.Cpu.System;

/// <summary>XSAVE, XSAVEOPT and XRSTOR in the standard format (SDM 1 13.7 to 13.9).</summary>
[SkipLocalsInit]
internal static class ExtendedState
{
    private const ulong X87 = 1, Sse = 2, Avx = 4;
    private const int Alignment = 64, HeaderSize = 64;

    /// <summary>Saves the parts that EDX:EAX and XCR0 ask for. XSAVEOPT leaves the memory of a part that is in its initial configuration
    /// alone.</summary>
    public static void Xsave(ref CpuState s, ref Op op, Processor p)
    {
        if (!TryArea(ref s, ref op, p, out ulong offset, out ulong parts))
            return;
        var segment = (SegmentNumber)op.Segment;
        int registers = Modes.Is64(ref s) ? 16 : 8;
        if (!FpuInstructions.TryEnds(ref s, ref op, p, offset, SizeFor(parts), true)
            || !p.TryRead(ref s, segment, OpAccess.Advance(ref op, offset, FpuImage.HeaderOffset), 8, out ulong present))
            return;
        Span<byte> area = stackalloc byte[FpuImage.AreaSize];
        FpuImage.SaveParts(in s.Fpu, area, registers, OpAccess.Size(ref op) == 8);
        ulong used = InUse(in s.Fpu, registers);
        ulong written = op.Kind == OpKind.Xsaveopt ? parts & used : parts;
        bool ok = (written & X87) == 0
            || (Write(ref s, ref op, p, offset, area, 0, 24) && Write(ref s, ref op, p, offset, area, 32, 160));
        if ((parts & (Sse | Avx)) != 0)
            ok = ok && Write(ref s, ref op, p, offset, area, 24, 32);
        if ((written & Sse) != 0)
            ok = ok && Write(ref s, ref op, p, offset, area, 160, 160 + 16 * registers);
        if ((written & Avx) != 0)
            ok = ok && Write(ref s, ref op, p, offset, area, FpuImage.AvxOffset, FpuImage.AvxOffset + 16 * registers);
        ulong header = (present & ~parts) | (used & parts);
        if (ok && p.TryWrite(ref s, segment, OpAccess.Advance(ref op, offset, FpuImage.HeaderOffset), 8, header))
            p.Finish(ref s, ref op);
    }

    /// <summary>Loads the parts that EDX:EAX and XCR0 ask for; those that the header leaves out get their initial configuration. All of it is read
    /// before any of it counts.</summary>
    public static void Xrstor(ref CpuState s, ref Op op, Processor p)
    {
        if (!TryArea(ref s, ref op, p, out ulong offset, out ulong parts))
            return;
        Span<byte> area = stackalloc byte[FpuImage.AreaSize];

        // Intel's processors begin with the header's second word: CR2 of a fault shows it.
        if (!Read(ref s, ref op, p, offset, area, FpuImage.HeaderOffset + 8, FpuImage.HeaderOffset + 16)
            || !Read(ref s, ref op, p, offset, area, FpuImage.HeaderOffset, FpuImage.HeaderOffset + HeaderSize))
            return;
        ulong present = BitConverter.ToUInt64(area[FpuImage.HeaderOffset..]);
        // Bytes 23:8 of the header must be 0: there is no compacted format without XSAVEC (SDM 1 13.8).
        if (area[(FpuImage.HeaderOffset + 8)..(FpuImage.HeaderOffset + 24)].ContainsAnyExcept((byte)0) || (present & ~s.Sys.Xcr0) != 0)
        {
            Faults.GeneralProtection(ref s);
            return;
        }

        int registers = Modes.Is64(ref s) ? 16 : 8;
        ulong loaded = parts & present;
        bool mxcsr = (parts & (Sse | Avx)) != 0;
        if ((loaded & X87) != 0 && !(Read(ref s, ref op, p, offset, area, 0, 24) && Read(ref s, ref op, p, offset, area, 32, 160)))
            return;
        if (mxcsr && !Read(ref s, ref op, p, offset, area, 24, 32))
            return;
        if ((loaded & Sse) != 0 && !Read(ref s, ref op, p, offset, area, 160, 160 + 16 * registers))
            return;
        if ((loaded & Avx) != 0 && !Read(ref s, ref op, p, offset, area, FpuImage.AvxOffset, FpuImage.AvxOffset + 16 * registers))
            return;
        // MXCSR is loaded even where the header leaves both of its parts out (SDM 1 13.8.1).
        if (mxcsr && (FpuImage.Mxcsr(area) & ~FpuState.MxcsrMask) != 0)
        {
            Faults.GeneralProtection(ref s);
            return;
        }

        FpuImage.LoadParts(ref s.Fpu, area, parts, loaded, registers, OpAccess.Size(ref op) == 8);
        p.Finish(ref s, ref op);
    }

    /// <summary>Which parts are not in their initial configuration (XINUSE, SDM 1 13.6).</summary>
    private static ulong InUse(in FpuState f, int registers)
    {
        Vector128<byte> lower = default, upper = default;
        for (int i = 0; i < registers; i++)
        {
            lower |= f.Vectors[i].GetLower();
            upper |= f.Vectors[i].GetUpper();
        }

        return (FpuImage.IsInitialX87(in f) ? 0 : X87) | (lower == default ? 0 : Sse) | (upper == default ? 0 : Avx);
    }

    private static int SizeFor(ulong parts) => (parts & Avx) != 0 ? FpuImage.AreaSize : FpuImage.HeaderOffset + HeaderSize;

    private static bool TryArea(ref CpuState s, ref Op op, Processor p, out ulong offset, out ulong parts)
    {
        (offset, parts) = (0, s.Sys.Xcr0 & (s.Gpr.Rdx << 32 | (uint)s.Gpr.Rax));
        Faults.Begin(ref s, ref op);
        if ((s.Sys.Cr4 & ControlBits.Osxsave) == 0)
            return Faults.Undefined(ref s);
        if ((s.Sys.Cr0 & ControlBits.Ts) != 0)
            return Faults.Raise(ref s, ExceptionVector.DeviceNotAvailable);
        offset = p.EffectiveAddress(ref s, ref op);
        return FpuInstructions.TryAligned(ref s, ref op, p, offset, Alignment);
    }

    private static bool Write(ref CpuState s, ref Op op, Processor p, ulong offset, ReadOnlySpan<byte> area, int from, int to)
    {
        for (int i = from; i < to; i += 8)
        {
            if (!p.TryWrite(ref s, (SegmentNumber)op.Segment, OpAccess.Advance(ref op, offset, i), 8, BitConverter.ToUInt64(area[i..])))
                return false;
        }

        return true;
    }

    private static bool Read(ref CpuState s, ref Op op, Processor p, ulong offset, Span<byte> area, int from, int to)
    {
        for (int i = from; i < to; i += 8)
        {
            if (!p.TryRead(ref s, (SegmentNumber)op.Segment, OpAccess.Advance(ref op, offset, i), 8, out ulong value))
                return false;
            BitConverter.TryWriteBytes(area[i..], value);
        }

        return true;
    }
}
