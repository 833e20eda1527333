using Hv.Core.Composition;
using Hv.Core.Exits;
using Hv.Core.Machine;

namespace Hv.Core.Msr;

/// <summary>Finds the owner of a model-specific register; one that nobody owns raises #GP(0), as on hardware (SDM 2B RDMSR, APM 3 RDMSR).</summary>
public sealed class MsrDispatcher
{
    private readonly RangeTable<IMsrHandler> _table;

    /// <summary>Composes the handlers.</summary>
    /// <exception cref="ArgumentException">Two own the same register.</exception>
    public MsrDispatcher(IEnumerable<IMsrHandler> handlers) =>
        _table = new("MSR", handlers.Select(h => new RangeTable<IMsrHandler>.Row(h.Range.First, h.Range.Last, h)));

    /// <summary>Answers RDMSR.</summary>
    public ExitCompletion Read(VirtualCpu vcpu, uint index) =>
        _table.Find(index) is { } handler && handler.Read(vcpu, index, out ulong value)
            ? ExitCompletion.RetireWith(value)
            : ExitCompletion.GeneralProtection;

    /// <summary>Answers WRMSR.</summary>
    public ExitCompletion Write(VirtualCpu vcpu, uint index, ulong value) =>
        _table.Find(index) is { } handler && handler.Write(vcpu, index, value) ? ExitCompletion.Retire : ExitCompletion.GeneralProtection;
}
