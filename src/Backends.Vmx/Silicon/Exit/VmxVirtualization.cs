using Hv.Backends.Vmx.Silicon.Operation;
using Hv.Core;
using Hv.Cpu;
using Hv.Cpu.Virtualization;

namespace Hv.Backends.Vmx.Silicon.Exit;

/// <summary>VMX non-root operation as the shared processor asks for it. A struct, so that its calls are bound when the run loop is
/// specialised.</summary>
/// <param name="logical">The logical processor that runs the guest.</param>
public readonly struct VmxVirtualization(LogicalProcessor logical) : IVirtualization
{
    /// <inheritdoc/>
    public bool Intercepts(Processor processor, ref CpuEvent e) => logical.Intercepts(processor, ref e);

    /// <inheritdoc/>
    public bool Answers(Processor processor) => false;

    /// <inheritdoc/>
    public bool TranslateGuestPhysical(ulong address, GuestAccess access, out Gpa host, out bool writable) =>
        logical.TranslateGuestPhysical(address, access, out host, out writable);
}
