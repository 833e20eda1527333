using Hv.Core.Exits;
using Hv.Core.Registers;
using Hv.Cpu;
using Hv.Cpu.Virtualization;

namespace Hv.Backends.Emulated;

/// <summary>The raw record of an exit: how the run ended, the processor's event where one left the guest, and where the guest stood.</summary>
/// <param name="result">How the run ended.</param>
/// <param name="cpuEvent">The event; counts for <see cref="RunResult.Event"/> alone.</param>
/// <param name="registers">The general registers: CPUID's query is in them.</param>
/// <param name="site">Where the guest stood; its length is set from the event.</param>
internal readonly ref struct EmulatedExit(RunResult result, ref readonly CpuEvent cpuEvent, ref readonly GeneralRegisters registers, ExitSite site)
{
    public readonly RunResult Result = result;
    public readonly ref readonly CpuEvent Event = ref cpuEvent;
    public readonly ref readonly GeneralRegisters Registers = ref registers;
    public readonly ExitSite Site = site;
}
