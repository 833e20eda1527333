using Hv.Core.Cpuid;
using Hv.Core.Devices;
using Hv.Core.Hypercalls;
using Hv.Core.Msr;

namespace Hv.Core.Machine;

/// <summary>Which clock the guest's clock hypercall reads.</summary>
public enum GuestClock : byte
{
    /// <summary>The host's monotonic clock.</summary>
    Host,

    /// <summary>Virtual time: one nanosecond for each instruction that the machine retired. Needs a deterministic backend; then two runs of the same
    /// guest read the same times.</summary>
    Instructions,
}

/// <summary>What a machine is made with, beside its backend and memory.</summary>
public sealed record VirtualMachineOptions
{
    /// <summary>The most vCPUs of a machine.</summary>
    public const int MaxVcpus = 64;

    /// <summary>Number of vCPUs, 1..<see cref="MaxVcpus"/>. vCPU 0 runs from reset; the others wait to be started.</summary>
    public int VcpuCount { get; init; } = 1;

    /// <summary>Whether the machine has the 2007 interface. Without it RDMSR and WRMSR of its register raise #GP(0), as on bare hardware.</summary>
    public bool ParaInterfaceEnabled { get; init; } = true;

    /// <summary>Whether code above CPL 0 may make hypercalls, as in 2007. Otherwise it gets −KVM_EINVAL.</summary>
    public bool AllowUserModeHypercalls { get; init; }

    /// <summary>What CPUID answers.</summary>
    public CpuidTable Cpuid { get; init; } = CpuidTables.Default;

    /// <summary>The frequency that the guest's time-stamp counter claims, in Hz.</summary>
    public ulong TscFrequency { get; init; } = 1_000_000_000;

    /// <summary>What RDRAND and RDSEED start from: any number, 0 where none is chosen. On a deterministic backend the same seed repeats their
    /// numbers, and each vCPU has its own; reset does not start them again, and a restored state goes on with its own. On others the processor
    /// answers, and the seed means nothing.</summary>
    public ulong RandomSeed { get; init; }

    /// <summary>What the clock hypercall reads.</summary>
    public GuestClock Clock { get; init; }

    /// <summary>Instructions that a vCPU retires before the next one runs, where one thread runs them in turn; at least 1.</summary>
    public int Quantum { get; init; } = 10_000;

    /// <summary>Sees each exit; null for none.</summary>
    public IExitObserver? Observer { get; init; }

    /// <summary>Hypercalls of this machine alone, beside those from DI.</summary>
    public IReadOnlyList<IHypercallHandler> Hypercalls { get; init; } = [];

    /// <summary>Model-specific registers of this machine alone, beside those from DI.</summary>
    public IReadOnlyList<IMsrHandler> Msrs { get; init; } = [];

    /// <summary>Ports of this machine alone, beside those from DI.</summary>
    public IReadOnlyList<IPortHandler> Ports { get; init; } = [];

    /// <summary>Device memory of this machine alone, beside that from DI.</summary>
    public IReadOnlyList<IMemoryHandler> DeviceMemory { get; init; } = [];
}
