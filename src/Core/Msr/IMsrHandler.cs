using Hv.Core.Machine;

namespace Hv.Core.Msr;

/// <summary>Indices of model-specific registers that one handler owns, both ends included.</summary>
/// <param name="First">The first index, as in ECX.</param>
/// <param name="Last">The last index.</param>
public readonly record struct MsrRange(uint First, uint Last)
{
    /// <summary>A single register.</summary>
    public static MsrRange Of(uint index) => new(index, index);
}

/// <summary>Serves RDMSR and WRMSR of the registers that it owns. Registered through DI, or for one machine in its options. Called by one vCPU at a
/// time; must not throw whatever the guest passes.</summary>
public interface IMsrHandler
{
    /// <summary>The registers it owns; fixed.</summary>
    MsrRange Range { get; }

    /// <summary>RDMSR.</summary>
    /// <param name="vcpu">Who reads.</param>
    /// <param name="index">The register, within <see cref="Range"/>.</param>
    /// <param name="value">What EDX:EAX will hold.</param>
    /// <returns>False to raise #GP(0) instead.</returns>
    bool Read(VirtualCpu vcpu, uint index, out ulong value);

    /// <summary>WRMSR.</summary>
    /// <param name="vcpu">Who writes.</param>
    /// <param name="index">The register, within <see cref="Range"/>.</param>
    /// <param name="value">EDX:EAX.</param>
    /// <returns>False to raise #GP(0) instead; then nothing may have changed.</returns>
    bool Write(VirtualCpu vcpu, uint index, ulong value);
}
