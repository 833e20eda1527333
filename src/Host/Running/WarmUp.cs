using System.Runtime.CompilerServices;
using Hv.Core;
using Hv.Core.Machine;
using Hv.Core.Memory;
using Hv.Host.Commands;
using Hv.Host.Composition;
using Hv.Host.Configuration;
using Hv.Host.Demo;
using Hv.Host.Loading;
using Microsoft.Extensions.Logging.Abstractions;

namespace Hv.Host.Running;

/// <summary>
/// While the host is composed on one processor, lets the runtime compile on another what a guest of a software backend will need, by starting
/// a guest of its own there (docs/adr/0062-lean-start.md). Nothing else depends on it.
/// </summary>
internal static class WarmUp
{
    private const ulong MemorySize = 2 << 20;

    /// <summary>Begins, where there is something to compile and a second processor to do it.</summary>
    public static void Begin(CommandLine line)
    {
        if (!RuntimeFeature.IsDynamicCodeCompiled || Environment.ProcessorCount == 1)
            return;
        string backend = line.Configuration.GetValueOrDefault(HypervisorOptions.BackendKey) ?? new HypervisorOptions().Backend;
        new Thread(() => Run(backend)) { IsBackground = true, Name = "hv warm-up" }.Start();
    }

    /// <summary>Runs the guest's first instruction.</summary>
    /// <returns>Whether it ran; false where <paramref name="name"/> is no backend in software, or the host is out of something.</returns>
    internal static bool Run(string name)
    {
        try
        {
            if (HostComposition.SoftwareBackend(name) is not { } backend)
                return false;
            using GuestMemory memory = GuestLoader.CreateMemory(MemorySize);
            using GuestFile file = DemoGuest.Open(64);
            GuestImage image = ImageReader.Read(file, DemoGuest.Placement(64));
            BootRegisters entry = GuestLoader.Load(memory, image, file, new LoadOptions(file.Name, []));
            using VirtualMachine machine = new VirtualMachineFactory([], [], [], [], NullLogger<VirtualMachine>.Instance)
                .Create(backend, memory, new VirtualMachineOptions());
            entry.Enter(machine.Vcpus[0]);
            return machine.Run(new RunLimits(MaxInstructions: 1)).Reason == StopReason.InstructionLimit;
        }
        catch (Exception e) when (e is CommandException or HvException or OutOfMemoryException)
        {
            // The guest proper will meet the same, and its failure is the one that is reported.
            return false;
        }
    }
}
