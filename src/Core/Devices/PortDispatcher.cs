using Hv.Core.Composition;
using Hv.Core.Exits;
using Hv.Core.Machine;

namespace Hv.Core.Devices;

/// <summary>Finds the owner of an I/O port. At a port that nobody owns reads are all ones and writes are lost, as on an idle bus.</summary>
public sealed class PortDispatcher
{
    private readonly RangeTable<IPortHandler> _table;

    /// <summary>Composes the handlers.</summary>
    /// <exception cref="ArgumentException">Two own the same port.</exception>
    public PortDispatcher(IEnumerable<IPortHandler> handlers) =>
        _table = new("port", handlers.Select(h => new RangeTable<IPortHandler>.Row(h.Range.First, h.Range.Last, h)));

    /// <summary>Answers one port access.</summary>
    public ExitCompletion Dispatch(VirtualCpu vcpu, PortIoExit access)
    {
        IPortHandler? handler = _table.Find(access.Port);
        if (access.IsWrite)
        {
            handler?.Write(vcpu, access.Port, access.Size, access.Value);
            return ExitCompletion.Retire;
        }

        uint value = handler?.Read(vcpu, access.Port, access.Size) ?? uint.MaxValue;
        return ExitCompletion.RetireWith(value & (uint.MaxValue >> (32 - 8 * access.Size)));
    }
}
