using Hv.Cpu.State;

namespace Hv.Cpu.System;

/// <summary>The time-stamp counter: one tick per retired instruction, so that a run can be repeated exactly; layers that want wall-clock time replace
/// the value at the event.</summary>
public static class TimeStamp
{
    /// <summary>The counter now.</summary>
    public static ulong Read(Processor p) => p.State.Sys.Tsc + p.InstructionsRetired;

    /// <summary>Sets it. What is kept is its distance from the instructions retired, which is all that changes in <c>Sys.Tsc</c>.</summary>
    public static void Write(Processor p, ulong value) => p.State.Sys.Tsc = value - p.InstructionsRetired;
}
