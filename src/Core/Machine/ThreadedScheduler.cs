using System.Runtime.ExceptionServices;

namespace Hv.Core.Machine;

/// <summary>
/// Runs each vCPU on a named thread of its own, at the same time. Exits are answered one at a time. The threads live for one run: a stop from
/// anywhere
/// kicks them all, and <see cref="Run"/> returns when the last has ended.
/// </summary>
internal sealed class ThreadedScheduler(IReadOnlyList<VirtualCpu> vcpus, IReadOnlyList<RunLoop> loops)
{
    // Bounds how far the vCPUs together run past the instruction limit, and how late one sees an interrupt that it was not kicked for.
    private const long SliceInstructions = 1_000_000;

    private readonly object _gate = new();
    private readonly bool[] _woken = new bool[vcpus.Count];
    private ExceptionDispatchInfo? _failure;
    private long _left;
    private int _active;

    /// <summary>Runs until the session is stopped.</summary>
    /// <exception cref="Exception">Whatever a backend or a handler threw on a vCPU's thread.</exception>
    public void Run(long maxInstructions, RunSession session)
    {
        _left = maxInstructions;
        _active = vcpus.Count;
        _failure = null;
        Array.Clear(_woken);
        Thread[] threads = [.. vcpus.Select(v => new Thread(() => Body(v, session)) { Name = $"hv vCPU {v.Index}", IsBackground = true })];
        foreach (Thread thread in threads)
            thread.Start();
        foreach (Thread thread in threads)
            thread.Join();
        _failure?.Throw();
    }

    /// <summary>Makes a vCPU that waits look for work again.</summary>
    public void Wake(VirtualCpu vcpu)
    {
        lock (_gate)
        {
            _woken[vcpu.Index] = true;
            Monitor.PulseAll(_gate);
        }
    }

    /// <summary>Makes the vCPUs that wait see that the run is over.</summary>
    public void WakeAll()
    {
        lock (_gate)
            Monitor.PulseAll(_gate);
    }

    private void Body(VirtualCpu vcpu, RunSession session)
    {
        try
        {
            while (!session.IsStopped)
            {
                if (!vcpu.Prepare())
                {
                    WaitForWork(vcpu, session);
                    continue;
                }

                long budget = Math.Min(SliceInstructions, Volatile.Read(ref _left));
                if (budget <= 0)
                    session.Stop(new StopInfo { Reason = StopReason.InstructionLimit, VcpuIndex = -1 });
                else
                    Interlocked.Add(ref _left, -loops[vcpu.Index].RunSlice(budget, session));
            }
        }
        catch (Exception e)
        {
            Interlocked.CompareExchange(ref _failure, ExceptionDispatchInfo.Capture(e), null);
            session.Stop(new StopInfo { Reason = StopReason.InternalError, VcpuIndex = vcpu.Index, Message = e.Message });
        }

        // Whoever ends first because the run is over takes the others with it.
        foreach (VirtualCpu other in vcpus)
            other.Processor.RequestExit();
        WakeAll();
    }

    private void WaitForWork(VirtualCpu vcpu, RunSession session)
    {
        lock (_gate)
        {
            _active--;
            while (!session.IsStopped && !_woken[vcpu.Index])
            {
                if (_active == 0 && !_woken.Contains(true))
                {
                    session.Stop(IdleStop.Of(vcpus));
                    break;
                }

                Monitor.Wait(_gate);
            }

            _woken[vcpu.Index] = false;
            _active++;
        }
    }
}
