using Hv.Core.Composition;
using Hv.Core.Exits;
using Hv.Core.Machine;

namespace Hv.Core.Devices;

/// <summary>Finds the owner of device memory. Where nobody owns it reads are all ones and writes are lost, as on an idle bus.</summary>
public sealed class MemoryDispatcher
{
    private readonly RangeTable<IMemoryHandler> _table;

    /// <summary>Composes the handlers.</summary>
    /// <exception cref="ArgumentException">Two own the same address.</exception>
    public MemoryDispatcher(IEnumerable<IMemoryHandler> handlers) =>
        _table = new("address", handlers.Select(h => new RangeTable<IMemoryHandler>.Row(h.Range.First.Value, h.Range.Last.Value, h)));

    /// <summary>Answers one access. A fetch is #UD: an idle bus gives bytes of all ones, and FF FF is an undefined instruction (SDM 2D A.4.2, group
    /// 5).</summary>
    public ExitCompletion Dispatch(VirtualCpu vcpu, in MemoryExit access)
    {
        if (access.IsFetch)
            return ExitCompletion.InvalidOpcode;
        IMemoryHandler? handler = _table.Find(access.Address.Value);
        if (access.IsWrite)
        {
            handler?.Write(vcpu, access.Address, access.Size, access.Value);
            return ExitCompletion.Retire;
        }

        ulong value = handler?.Read(vcpu, access.Address, access.Size) ?? ulong.MaxValue;
        return ExitCompletion.RetireWith(value & (ulong.MaxValue >> (64 - 8 * access.Size)));
    }
}
