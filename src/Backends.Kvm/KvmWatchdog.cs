namespace Hv.Backends.Kvm;

/// <summary>
/// Bounds the time of one KVM_RUN (docs/adr/0074-kvm-watchdog.md). It looks at every vCPU once a period; one that has been inside the same KVM_RUN
/// since the look before is kicked out, and again at each look until it is out. One timer for all, and none where no vCPU exists; an exit costs
/// two increments.
/// </summary>
internal sealed class KvmWatchdog(TimeSpan period) : IDisposable
{
    private readonly Lock _gate = new();
    private readonly List<KvmVcpu> _vcpus = [];
    private Timer? _timer;

    /// <summary>Looks at <paramref name="vcpu"/> from now on.</summary>
    public void Watch(KvmVcpu vcpu)
    {
        lock (_gate)
        {
            _vcpus.Add(vcpu);
            _timer ??= new Timer(_ => Look(), null, period, period);
        }
    }

    /// <summary>Ends <see cref="Watch"/>; after it returns the vCPU is not touched again.</summary>
    public void Forget(KvmVcpu vcpu)
    {
        lock (_gate)
        {
            _vcpus.Remove(vcpu);
            if (_vcpus.Count == 0)
                Dispose();
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        lock (_gate)
        {
            _timer?.Dispose();
            _timer = null;
        }
    }

    private void Look()
    {
        lock (_gate)
        {
            foreach (KvmVcpu vcpu in _vcpus)
                vcpu.KickIfOverdue();
        }
    }
}
