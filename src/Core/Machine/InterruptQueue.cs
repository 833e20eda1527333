using System.Numerics;

namespace Hv.Core.Machine;

/// <summary>External interrupts that wait for one vCPU: a bit for each vector, the highest first, as on a local APIC (SDM 3A 12.8.4). May be filled
/// from any thread.</summary>
internal sealed class InterruptQueue
{
    private readonly ulong[] _waiting = new ulong[4];

    public bool IsEmpty => (Volatile.Read(ref _waiting[0]) | Volatile.Read(ref _waiting[1]) | Volatile.Read(ref _waiting[2]) | Volatile.Read(ref _waiting[3])) == 0;

    public void Add(byte vector) => Interlocked.Or(ref _waiting[vector >> 6], 1UL << (vector & 63));

    public void Remove(byte vector) => Interlocked.And(ref _waiting[vector >> 6], ~(1UL << (vector & 63)));

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
        for (int i = 0; i < _waiting.Length; i++)
            Volatile.Write(ref _waiting[i], saved[i]);
    }

    public void Clear() => Array.Clear(_waiting);
}
