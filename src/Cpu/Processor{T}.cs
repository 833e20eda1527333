using Hv.Core.Cpuid;
using Hv.Core.Memory;
using Hv.Cpu.Virtualization;

namespace Hv.Cpu;

/// <summary>Why <see cref="Processor{TVirtualization}.Run"/> returned.</summary>
public enum RunResult : byte
{
    /// <summary>The budget is used up.</summary>
    Budget,

    /// <summary>Another thread asked for it.</summary>
    Stopped,

    /// <summary>The virtualization layer intercepted <see cref="Processor.Event"/>; RIP is on the instruction, nothing of it was executed.</summary>
    Event,

    /// <summary>HLT was executed without an intercept: the processor is halted, RIP is past it.</summary>
    Halted,

    /// <summary>A triple fault without an intercept: the processor is in shutdown.</summary>
    Shutdown,
}

/// <summary>The processor with its run loop, specialised for a backend's virtualization layer.</summary>
/// <typeparam name="TVirtualization">The layer; a struct, so that its calls are direct.</typeparam>
public sealed class Processor<TVirtualization> : Processor where TVirtualization : struct, IVirtualization
{
    /// <summary>The layer.</summary>
    public TVirtualization Virtualization;

    /// <summary>Makes a processor at its reset state.</summary>
    public Processor(GuestMemory memory, CpuidTable cpuid, TVirtualization virtualization) : base(memory, cpuid) => Virtualization = virtualization;

    /// <summary>Runs guest instructions until the budget is used up, the layer intercepts something, or the processor halts or shuts down.</summary>
    /// <param name="budget">The most instructions to retire, at least 1.</param>
    public RunResult Run(long budget) => throw new NotImplementedException();
}
