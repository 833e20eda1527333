namespace Hv.Core.Machine;

/// <summary>
/// Runs all vCPUs on the calling thread, in turn, a quantum of instructions each. Depends on nothing but the guest and the quantum, and a run that
/// is cut by
/// a limit goes on where it was, so that the same guest gives the same interleaving however it is run (docs/adr/0014-scheduling.md).
/// </summary>
internal sealed class RoundRobinScheduler(IReadOnlyList<VirtualCpu> vcpus, IReadOnlyList<RunLoop> loops, int quantum, bool countsInstructions)
{
    /// <summary>The vCPU whose turn it is.</summary>
    public int Current { get; set; }

    /// <summary>Instructions left of its turn.</summary>
    public long QuantumLeft { get; set; } = quantum;

    /// <summary>Runs until the session is stopped.</summary>
    public void Run(long maxInstructions, RunSession session)
    {
        long left = maxInstructions;
        while (!session.IsStopped)
        {
            if (left <= 0)
            {
                session.Stop(new StopInfo { Reason = StopReason.InstructionLimit, VcpuIndex = -1 });
                return;
            }

            if (!TrySelect())
            {
                session.Stop(IdleStop.Of(vcpus));
                return;
            }

            long budget = vcpus.Count == 1 ? left : Math.Min(left, QuantumLeft);
            long used = loops[Current].RunSlice(budget, session);
            left -= used;
            // A backend that cannot count gives its whole turn away when it returns.
            QuantumLeft = countsInstructions ? QuantumLeft - used : 0;
        }
    }

    private bool TrySelect()
    {
        if (QuantumLeft > 0 && vcpus[Current].Prepare())
            return true;
        for (int i = 1; i <= vcpus.Count; i++)
        {
            int next = (Current + i) % vcpus.Count;
            if (vcpus[next].Prepare())
            {
                Current = next;
                QuantumLeft = quantum;
                return true;
            }
        }

        return false;
    }
}

/// <summary>Why a machine in which no vCPU can run has stopped.</summary>
internal static class IdleStop
{
    public static StopInfo Of(IReadOnlyList<VirtualCpu> vcpus)
    {
        foreach (VirtualCpu vcpu in vcpus)
        {
            if (vcpu.Pending is not null)
                return new StopInfo { Reason = StopReason.UserExit, VcpuIndex = vcpu.Index };
        }

        foreach (VirtualCpu vcpu in vcpus)
        {
            if (vcpu.Activity == VcpuActivity.Shutdown)
                return new StopInfo { Reason = StopReason.GuestShutdown, VcpuIndex = vcpu.Index };
        }

        return new StopInfo { Reason = StopReason.AllHalted, VcpuIndex = -1 };
    }
}
