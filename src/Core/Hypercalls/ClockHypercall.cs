using Hv.Core.Machine;

namespace Hv.Core.Hypercalls;

/// <summary>(): nanoseconds since the machine was made, by the clock that its options choose (<see cref="GuestClock"/>). Never goes back, also
/// not across a restore. Outside long mode the guest sees the low 32 bits, which wrap every 4.29 s.</summary>
public sealed class ClockHypercall : IHypercallHandler
{
    /// <inheritdoc/>
    public ulong Number => HypercallNumbers.Clock;

    /// <inheritdoc/>
    public HypercallOutcome Invoke(VirtualCpu vcpu, in HypercallArguments arguments) => HypercallOutcome.Return(vcpu.Machine.NanosecondsNow(vcpu));
}
