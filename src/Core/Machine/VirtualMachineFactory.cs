using Hv.Core.Devices;
using Hv.Core.Hypercalls;
using Hv.Core.Memory;
using Hv.Core.Msr;
using Hv.Core.Paravirt;
using Microsoft.Extensions.Logging;

namespace Hv.Core.Machine;

/// <summary>Makes machines from the handlers that DI knows.</summary>
public sealed class VirtualMachineFactory(
    IEnumerable<IHypercallHandler> hypercalls,
    IEnumerable<IMsrHandler> msrs,
    IEnumerable<IPortHandler> ports,
    IEnumerable<IMemoryHandler> deviceMemory,
    ILogger<VirtualMachine> logger)
{
    /// <summary>Makes a machine with all vCPUs at their reset state.</summary>
    /// <param name="backend">What runs it.</param>
    /// <param name="memory">Its memory; stays the caller's, and must outlive the machine.</param>
    /// <param name="options">The rest.</param>
    /// <exception cref="ArgumentException">An option is out of range, or two handlers own the same number; the message says which.</exception>
    /// <exception cref="HvException">The backend's host refused.</exception>
    public VirtualMachine Create(IBackend backend, GuestMemory memory, VirtualMachineOptions options)
    {
        if (options.VcpuCount is < 1 or > VirtualMachineOptions.MaxVcpus)
            throw new ArgumentException($"a machine has 1 to {VirtualMachineOptions.MaxVcpus} vCPUs, not {options.VcpuCount}", nameof(options));
        if (options.Quantum < 1)
            throw new ArgumentException($"a quantum is at least 1 instruction, not {options.Quantum}", nameof(options));
        if (options.Clock == GuestClock.Instructions && !backend.Capabilities.HasFlag(BackendCapabilities.Deterministic))
            throw new ArgumentException($"the backend {backend.Name} does not count instructions; choose the host's clock", nameof(options));

        IEnumerable<IMsrHandler> allMsrs = msrs.Concat(options.Msrs);
        if (options.ParaInterfaceEnabled)
            allMsrs = allMsrs.Append(new ParaInterface());
        var dispatcher = new ExitDispatcher(
            backend,
            new HypercallTable(hypercalls.Concat(options.Hypercalls)),
            new MsrDispatcher(allMsrs),
            new PortDispatcher(ports.Concat(options.Ports)),
            new MemoryDispatcher(deviceMemory.Concat(options.DeviceMemory)),
            options.Cpuid,
            options.AllowUserModeHypercalls);
        return new VirtualMachine(backend, memory, options, dispatcher, new MachineLog(logger));
    }
}
