using Hv.Core.Registers;
using Hv.Cpu.State;

namespace Hv.Backends.Svm.Silicon;

/// <summary>Where the next sequential instruction is (nRIP, APM 2 15.7.1).</summary>
public static class NextRip
{
    private const ulong LongModeActive = 1ul << 10;

    /// <summary>The size of the running code's addresses: 16, 32 or 64.</summary>
    public static int CodeBits(in CpuState s)
    {
        if ((s.Sys.Efer & LongModeActive) != 0 && (s.Sys.Cs.Attributes & SegmentRegister.LongBit) != 0)
            return 64;
        return (s.Sys.Cs.Attributes & SegmentRegister.DefaultBit) != 0 ? 32 : 16;
    }

    /// <summary>RIP <paramref name="length"/> bytes on, wrapped to the size of the running code's addresses.</summary>
    public static ulong Of(in CpuState s, int length)
    {
        ulong next = s.Gpr.Rip + (ulong)length;
        return CodeBits(s) switch { 64 => next, 32 => (uint)next, _ => (ushort)next };
    }
}
