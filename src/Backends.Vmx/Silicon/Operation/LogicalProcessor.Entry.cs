using Hv.Backends.Vmx.Silicon.Fields;

namespace Hv.Backends.Vmx.Silicon.Operation;

public sealed partial class LogicalProcessor
{
    private readonly GuestRegisters _guest = new();

    /// <summary>Makes a logical processor outside VMX operation.</summary>
    public LogicalProcessor(HostPhysicalMemory memory, VmxCapabilities capabilities)
    {
        _memory = memory;
        _capabilities = capabilities;
        Vmcs = new Vmcs(_guest);
        foreach (ref readonly VmcsFieldInfo row in VmcsFieldTable.All)
            _exists[row.Encoding.Slot] = capabilities.Has(row.Feature);
    }

    /// <summary>The current VMCS on chip. Meaningful while there is one.</summary>
    public Vmcs Vmcs { get; }

    private void FlushTranslations() { }
}
