using System.Numerics;

namespace Hv.Core.Machine;

/// <summary>External interrupts that wait for one vCPU: a bit for each vector, the highest first, as on a local APIC (SDM 3A, Interrupt Acceptance
/// for Fixed Interrupts). May be filled
/// from any thread.</summary>
internal sealed class InterruptQueue
{
    private readonly ulong[] _waiting = new ulong[4];

    // Bit n: word n may have bits. Looked at before each entry, so it is one word.
    private int _summary;

    public bool IsEmpty => Volatile.Read(ref _summary) == 0;

    public void Add(byte vector)
    {
        Interlocked.Or(ref _waiting[vector >> 6], 1UL << (vector & 63));
        Interlocked.Or(ref _summary, 1 << (vector >> 6));
    }

    public void Remove(byte vector)
    {
        int word = vector >> 6;
        // Cleared first and set again where bits are left, so that a vector added meanwhile is never without its summary.
        Interlocked.And(ref _summary, ~(1 << word));
        if ((Interlocked.And(ref _waiting[word], ~(1UL << (vector & 63))) & ~(1UL << (vector & 63))) != 0)
            Interlocked.Or(ref _summary, 1 << word);
    }

    /// <summary>The highest waiting vector, or −1.</summary>
    public int Highest()
    {
        for (int word = 3; word >= 0; word--)
        {
            ulong bits = Volatile.Read(ref _waiting[word]);
            if (bits != 0)
                return 64 * word + BitOperations.Log2(bits);
        }

        return -1;
    }

    public ulong[] Save() => [.. _waiting];

    public void Load(IReadOnlyList<ulong> saved)
    {
        Clear();
        for (int i = 0; i < _waiting.Length; i++)
        {
            _waiting[i] = saved[i];
            if (saved[i] != 0)
                _summary |= 1 << i;
        }
    }

    public void Clear()
    {
        Array.Clear(_waiting);
        _summary = 0;
    }
}
