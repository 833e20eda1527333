using Hv.Core.Composition;

namespace Hv.Core.Hypercalls;

/// <summary>Hypercall handlers by number.</summary>
public sealed class HypercallTable
{
    private readonly RangeTable<IHypercallHandler> _table;

    /// <summary>Composes the handlers.</summary>
    /// <exception cref="ArgumentException">Two serve the same number.</exception>
    public HypercallTable(IEnumerable<IHypercallHandler> handlers) =>
        _table = new("hypercall", handlers.Select(h => new RangeTable<IHypercallHandler>.Row(h.Number, h.Number, h)));

    /// <summary>The handler of <paramref name="number"/>, or null.</summary>
    public IHypercallHandler? Find(ulong number) => _table.Find(number);
}
