using Hv.Contracts.Guests;
using Hv.Core;
using Hv.Core.Machine;
using Hv.Core.Memory;
using Hv.Core.Registers;
using Microsoft.Extensions.DependencyInjection;

namespace Hv.Hostile;

/// <summary>A machine for one case: a contract guest's tables and handlers, with what the case puts in their place.</summary>
internal sealed class HostileMachine : IDisposable
{
    /// <summary>Instructions that a case may retire.</summary>
    public const long Budget = 20_000;

    private static readonly ServiceProvider Services = new ServiceCollection().AddHvCore().BuildServiceProvider();
    private static readonly Dictionary<(CodeMode Mode, bool Skipping), GuestImage> Images = [];

    public HostileMachine(IBackend backend, CodeMode mode, bool skipFaults, VirtualMachineOptions? options = null)
    {
        GuestImage image = ImageOf(mode, skipFaults);
        Memory = image.CreateMemory();
        Machine = Services.GetRequiredService<VirtualMachineFactory>().Create(backend, Memory, options ?? new VirtualMachineOptions());
        State = new VcpuState();
        Machine.Vcpus[0].Processor.SaveState(State);
        image.ApplyEntry(State);
    }

    public GuestMemory Memory { get; }

    public VirtualMachine Machine { get; }

    /// <summary>What vCPU 0 starts with; loaded by <see cref="Run"/>.</summary>
    public VcpuState State { get; }

    /// <summary>Puts bytes into guest memory; what does not fit is dropped.</summary>
    public void Put(ulong address, ReadOnlySpan<byte> bytes) => Memory.TryLoad(new Gpa(address), bytes);

    public void Put(ulong address, ulong value) => Memory.TryWrite(new Gpa(address), value);

    /// <summary>Loads the state and runs. The outcome names why it stopped and, for a guest that stopped itself, the last exception.</summary>
    public string Run(long budget = Budget)
    {
        Machine.Vcpus[0].Processor.LoadState(State);
        StopInfo stop = Machine.Run(new RunLimits(budget, TimeSpan.FromSeconds(10)));
        if (stop.Reason == StopReason.TimeLimit)
            throw new HvException($"{budget} instructions did not end within 10 s");
        if (stop.Reason is StopReason.UnhandledExit or StopReason.InternalError)
            throw new HvException($"the machine stopped with {stop}");
        if (stop.Reason != StopReason.AllHalted)
            return stop.Reason.ToString();
        IReadOnlyList<ExceptionRecord> exceptions = ExceptionHandlers.ReadLog(Memory);
        return exceptions.Count == 0 ? "AllHalted" : $"AllHalted, last exception {exceptions[^1].Vector}";
    }

    public void Dispose()
    {
        Machine.Dispose();
        Memory.Dispose();
    }

    private static GuestImage ImageOf(CodeMode mode, bool skipFaults)
    {
        if (Images.TryGetValue((mode, skipFaults), out GuestImage? image))
            return image;
        image = GuestImage.Of(mode, c => c.Done());
        if (skipFaults)
            SkippingHandlers.Add(image);
        return Images[(mode, skipFaults)] = image;
    }
}
