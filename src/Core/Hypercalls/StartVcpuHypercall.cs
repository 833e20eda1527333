using Hv.Core.Machine;
using Hv.Core.Registers;

namespace Hv.Core.Hypercalls;

/// <summary>
/// (index, entry, argument): starts a vCPU that waits since its reset. It begins at CPL 0 in the caller's mode, with the caller's segments, control
/// registers and tables, RIP = entry, the argument in RDI (EAX outside long mode: the first argument of either convention), every other
/// general register 0 and interrupts off; it sets up its own stack.
/// </summary>
public sealed class StartVcpuHypercall : IHypercallHandler
{
    private const ulong InitialRflags = 2;

    /// <inheritdoc/>
    public ulong Number => HypercallNumbers.StartVcpu;

    /// <inheritdoc/>
    public HypercallOutcome Invoke(VirtualCpu vcpu, in HypercallArguments arguments)
    {
        IReadOnlyList<VirtualCpu> all = vcpu.Machine.Vcpus;
        if (arguments.A0 >= (ulong)all.Count || all[(int)arguments.A0] is not { Activity: VcpuActivity.WaitForStart } target)
            return HypercallOutcome.Invalid;
        var state = new VcpuState();
        vcpu.Processor.SaveState(state);
        // A caller above CPL 0 must not make a vCPU that runs with its segments at another privilege.
        if (state.System.Cpl != 0)
            return HypercallOutcome.Invalid;
        state.General = new GeneralRegisters { Rip = arguments.A1, Rflags = InitialRflags };
        if (arguments.LongMode)
            state.General.Rdi = arguments.A2;
        else
            state.General.Rax = arguments.A2;
        state.System.Activity = ActivityState.Running;
        state.System.Shadow = InterruptShadow.None;
        state.Pending = default;
        state.Random = 0; // the started vCPU draws its own numbers
        return target.TryStart(state) ? HypercallOutcome.Return(0) : HypercallOutcome.Invalid;
    }
}
