using Hv.Core.Machine;

namespace Hv.Core.Hypercalls;

/// <summary>Serves one hypercall number. Registered through DI, or for one machine in its options. Called by one vCPU at a time; must not throw
/// whatever
/// the guest passes.</summary>
public interface IHypercallHandler
{
    /// <summary>The number it serves; fixed. A number has one handler.</summary>
    ulong Number { get; }

    /// <summary>Serves a call. Its result reaches the guest in RAX; no other register changes unless the handler writes it.</summary>
    HypercallOutcome Invoke(VirtualCpu vcpu, in HypercallArguments arguments);
}
