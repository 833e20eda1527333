using Hv.Cpu.State;

namespace Hv.Cpu.System;

/// <summary>The time-stamp counter: one tick per retired instruction, so that a run can be repeated exactly; layers that want wall-clock time replace
/// the value at the event.</summary>
internal static class TimeStamp
{
    public static ulong Read(ref CpuState s, Processor p) => s.Sys.Tsc + p.RetiredInRun;

    public static void Write(ref CpuState s, Processor p, ulong value) => s.Sys.Tsc = value - p.RetiredInRun;
}
