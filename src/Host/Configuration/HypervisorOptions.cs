using Hv.Core.Machine;

namespace Hv.Host.Configuration;

/// <summary>The section <c>Hypervisor</c> of the configuration: how a guest is run. docs/configuration.md tables it.</summary>
internal sealed class HypervisorOptions
{
    /// <summary>The section's name.</summary>
    public const string Section = "Hypervisor";

    public const string BackendKey = Section + ":" + nameof(Backend), MemoryKey = Section + ":" + nameof(Memory);
    public const string VcpusKey = Section + ":" + nameof(Vcpus), CpuKey = Section + ":" + nameof(Cpu);
    public const string KvmDeviceKey = Section + ":" + nameof(KvmDevice);
    public const string MaxInstructionsKey = Section + ":" + nameof(MaxInstructions), TimeoutKey = Section + ":" + nameof(Timeout);
    public const string RandomSeedKey = Section + ":" + nameof(RandomSeed);

    /// <summary>The name of the backend, without regard to case; <c>auto</c> for the real processor where it can run the guest, else a software one.</summary>
    public string Backend { get; set; } = "Emulated";

    /// <summary>Guest RAM as <see cref="ByteSize"/> reads it: a multiple of 4 KiB, 64 KiB to 512 GiB.</summary>
    public string Memory { get; set; } = "64MiB";

    /// <summary>The processor model that CPUID describes: a name among <see cref="Core.Cpuid.CpuidModel.All"/>, in any case of letters.</summary>
    public string Cpu { get; set; } = "max";

    /// <summary>Virtual processors, 1 to 64.</summary>
    public int Vcpus { get; set; } = 1;

    /// <summary>The most guest instructions to run, over all vCPUs; null for no limit.</summary>
    public long? MaxInstructions { get; set; }

    /// <summary>The most wall-clock time to run as <see cref="TimeSpanText"/> reads it; null or empty for no limit.</summary>
    public string? Timeout { get; set; }

    /// <summary>Whether the guest finds the MSR hypercall interface; where not, its registers raise #GP(0), as on bare hardware.</summary>
    public bool ParaInterface { get; set; } = true;

    /// <summary>Whether a hypercall made above CPL 0 is served, as in 2007.</summary>
    public bool AllowUserModeHypercalls { get; set; }

    /// <summary>The device of the backend Kvm.</summary>
    public string KvmDevice { get; set; } = "/dev/kvm";

    /// <summary>What RDRAND and RDSEED start from; null for 0, and on a backend whose processor answers them itself.</summary>
    public ulong? RandomSeed { get; set; }

    /// <summary>What the guest's clock hypercall reads: <c>Host</c> time, or <c>Instructions</c>, with which a run repeats to the last bit.</summary>
    public GuestClock Clock { get; set; }
}
