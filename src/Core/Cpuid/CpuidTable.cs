namespace Hv.Core.Cpuid;

/// <summary>What CPUID answers for one leaf and subleaf.</summary>
public readonly record struct CpuidResult(uint Eax, uint Ebx, uint Ecx, uint Edx);

/// <summary>One row of a <see cref="CpuidTable"/>.</summary>
/// <param name="Leaf">EAX of the query.</param>
/// <param name="Subleaf">ECX of the query, or null when the leaf does not look at it.</param>
/// <param name="Result">The answer.</param>
public readonly record struct CpuidEntry(uint Leaf, uint? Subleaf, CpuidResult Result);

/// <summary>
/// The host's answers to CPUID: immutable rows, looked up without allocation. A leaf above the basic range answers as the highest basic leaf
/// does on one vendor and with zeros on the other (SDM 2A CPUID; APM 3 E.2); here an absent leaf is zeros.
/// </summary>
public sealed class CpuidTable
{
    private readonly ulong[] _keys;
    private readonly CpuidResult[] _results;
    private readonly bool[] _anySubleaf;

    /// <summary>Makes a table of <paramref name="entries"/>; a later row replaces an earlier one of the same leaf and subleaf. A leaf with any row
    /// that names a subleaf looks at ECX; its row without one is then subleaf 0.</summary>
    public CpuidTable(IEnumerable<CpuidEntry> entries)
    {
        CpuidEntry[] rows = [.. entries];
        Entries = rows;
        // By hand: a sorted collection of these structs is some hundred methods for the compiler at each start (docs/adr/0062-lean-start.md).
        ulong[] keys = new ulong[rows.Length];
        var results = new CpuidResult[rows.Length];
        int count = 0;
        foreach (CpuidEntry row in rows)
        {
            ulong key = KeyOf(row.Leaf, row.Subleaf ?? 0);
            int at = 0;
            while (at < count && keys[at] < key)
                at++;
            if (at == count || keys[at] != key)
            {
                Array.Copy(keys, at, keys, at + 1, count - at);
                Array.Copy(results, at, results, at + 1, count - at);
                count++;
            }

            keys[at] = key;
            results[at] = row.Result;
        }

        _keys = keys[..count];
        _results = results[..count];
        _anySubleaf = new bool[count];
        for (int i = 0; i < count; i++)
            _anySubleaf[i] = !HasSubleaves(rows, (uint)(keys[i] >> 32));
    }

    /// <summary>The rows, in the order given.</summary>
    public IReadOnlyList<CpuidEntry> Entries { get; }

    /// <summary>The answer to a query; zeros where there is no row.</summary>
    public CpuidResult Query(uint leaf, uint subleaf)
    {
        ulong key = KeyOf(leaf, subleaf);
        ulong[] keys = _keys;
        int low = 0, high = keys.Length;
        while (low < high)
        {
            int middle = (int)((uint)(low + high) >> 1);
            if (keys[middle] <= key)
                low = middle + 1;
            else
                high = middle;
        }

        int row = low - 1;
        bool found = row >= 0 && (keys[row] == key || (keys[row] >> 32 == leaf && _anySubleaf[row]));
        return found ? _results[row] : default;
    }

    /// <summary>Whether the answer to a leaf follows CR4 or XCR0.</summary>
    public static bool FollowsControls(uint leaf) => leaf is 1 or 0xD;

    /// <summary>As <see cref="Query(uint, uint)"/>, with what differs between the vCPUs of a machine (SDM 2A CPUID): leaf 1 EBX[31:24], the initial
    /// APIC ID, is the vCPU's index; leaf 1 ECX[27] is CR4.OSXSAVE; leaf 0xD EBX is the size of the area for the state that XCR0 enables.</summary>
    /// <param name="leaf">EAX of the query.</param>
    /// <param name="subleaf">ECX of the query.</param>
    /// <param name="vcpu">The vCPU's index.</param>
    /// <param name="cr4">The vCPU's CR4; any value where the leaf does not follow it (<see cref="FollowsControls"/>).</param>
    /// <param name="xcr0">The vCPU's XCR0; likewise.</param>
    public CpuidResult Query(uint leaf, uint subleaf, int vcpu, ulong cr4, ulong xcr0)
    {
        const uint Osxsave = 1u << 27;
        const ulong Cr4Osxsave = 1 << 18, AvxState = 4;
        CpuidResult result = Query(leaf, subleaf);
        if (leaf == 1)
        {
            uint ecx = (cr4 & Cr4Osxsave) != 0 ? result.Ecx | Osxsave : result.Ecx & ~Osxsave;
            return result with { Ebx = (result.Ebx & 0x00FF_FFFF) | ((uint)vcpu << 24), Ecx = ecx };
        }

        if (leaf == 0xD && subleaf == 0 && result.Ecx != 0)
            return result with { Ebx = (xcr0 & AvxState) != 0 ? CpuidTables.AvxAreaSize : CpuidTables.LegacyAreaSize };
        return result;
    }

    private static ulong KeyOf(uint leaf, uint subleaf) => ((ulong)leaf << 32) | subleaf;

    private static bool HasSubleaves(CpuidEntry[] rows, uint leaf)
    {
        foreach (CpuidEntry row in rows)
        {
            if (row.Leaf == leaf && row.Subleaf is not null)
                return true;
        }

        return false;
    }
}
