using Hv.Core;
using Hv.Core.Memory;

namespace Hv.Backends.Kvm.Tests.LockStep;

/// <summary>A copy of a guest's memory for the other half: what the host writes goes into it, what the guests write must agree.</summary>
internal sealed class MemoryMirror : IMemoryObserver, IDisposable
{
    private readonly GuestMemory _memory;
    private readonly Dictionary<MemorySlot, MemorySlot> _slots = [];
    private (MemorySlot One, MemorySlot Other)[] _pairs = [];

    public MemoryMirror(GuestMemory memory)
    {
        _memory = memory;
        OnSlotsChanged();
        CopyAll();
        memory.Subscribe(this);
    }

    public GuestMemory Original => _memory;

    public GuestMemory Copy { get; } = new();

    /// <summary>Held while one vCPU runs on both halves.</summary>
    public Lock Turn { get; } = new();

    public void OnHostWrite(Gpa address, ulong length)
    {
        byte[] bytes = new byte[length];
        _ = _memory.TryRead(address, bytes) && Copy.TryLoad(address, bytes);
    }

    public void OnSlotsChanged()
    {
        IReadOnlyList<MemorySlot> now = _memory.Slots;
        foreach (MemorySlot gone in _slots.Keys.Except(now).ToArray())
        {
            Copy.RemoveSlot(_slots[gone]);
            _slots.Remove(gone);
        }

        foreach (MemorySlot slot in now.Where(s => !_slots.ContainsKey(s)))
            _slots.Add(slot, Copy.AddSlot(slot.Start, slot.Size, slot.Kind));
        _pairs = [.. _slots.Select(p => (p.Key, p.Value))];
    }

    public void OnDirtyLogCollected()
    {
    }

    /// <summary>Makes the copy what the memory is.</summary>
    public void CopyAll()
    {
        foreach ((MemorySlot slot, _) in _pairs)
            OnHostWrite(slot.Start, slot.Size);
    }

    /// <summary>Where the two differ first.</summary>
    /// <param name="open">Bits of each aligned 64-bit word that may differ.</param>
    /// <param name="address">The word.</param>
    /// <returns>False where they are the same.</returns>
    // SAFETY: a slot's HostBase is Size bytes, a multiple of 8, until the memory is disposed, which outlives the machine.
    public unsafe bool FindDifference(ulong open, out ulong address)
    {
        foreach ((MemorySlot one, MemorySlot other) in _pairs)
        {
            var left = new ReadOnlySpan<ulong>((void*)one.HostBase, (int)(one.Size / 8));
            var right = new ReadOnlySpan<ulong>((void*)other.HostBase, left.Length);
            for (int at = left.CommonPrefixLength(right); at < left.Length; at += 1 + left[(at + 1)..].CommonPrefixLength(right[(at + 1)..]))
            {
                address = one.Start.Value + (ulong)at * 8;
                if (((left[at] ^ right[at]) & ~open) != 0)
                    return true;
            }
        }

        address = 0;
        return false;
    }

    public void Dispose()
    {
        _memory.Unsubscribe(this);
        Copy.Dispose();
    }
}
