using Hv.Core;
using Hv.Cpu;
using Hv.Cpu.Virtualization;

namespace Hv.Backends.Svm.Silicon;

/// <summary>SVM's place in the processor: asked at events and at misses of the translation cache, it asks the core.</summary>
public readonly struct SvmVirtualization : IVirtualization
{
    private readonly SvmCore _core;

    internal SvmVirtualization(SvmCore core) => _core = core;

    /// <inheritdoc/>
    public bool Intercepts(Processor processor, ref CpuEvent e) => _core.Intercepts(ref e);

    /// <inheritdoc/>
    public bool Answers(Processor processor) => false;

    /// <inheritdoc/>
    public bool TranslateGuestPhysical(ulong address, GuestAccess access, out Gpa host, out bool writable) =>
        _core.TranslateGuestPhysical(address, access, out host, out writable);
}
