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
        Entries = [.. entries];
        HashSet<uint> indexed = [.. Entries.Where(e => e.Subleaf is not null).Select(e => e.Leaf)];
        var rows = new SortedDictionary<ulong, CpuidEntry>();
        foreach (CpuidEntry entry in Entries)
            rows[((ulong)entry.Leaf << 32) | (entry.Subleaf ?? 0)] = entry;
        _keys = [.. rows.Keys];
        _results = [.. rows.Values.Select(e => e.Result)];
        _anySubleaf = [.. rows.Values.Select(e => !indexed.Contains(e.Leaf))];
    }

    /// <summary>The rows, in the order given.</summary>
    public IReadOnlyList<CpuidEntry> Entries { get; }

    /// <summary>The answer to a query; zeros where there is no row.</summary>
    public CpuidResult Query(uint leaf, uint subleaf)
    {
        ulong key = ((ulong)leaf << 32) | subleaf;
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

    /// <summary>As <see cref="Query(uint, uint)"/>, with what differs between the vCPUs of a machine: leaf 1 EBX[31:24], the initial APIC ID
    /// (SDM 2A CPUID), is the vCPU's index.</summary>
    public CpuidResult Query(uint leaf, uint subleaf, int vcpu)
    {
        CpuidResult result = Query(leaf, subleaf);
        return leaf == 1 ? result with { Ebx = (result.Ebx & 0x00FF_FFFF) | ((uint)vcpu << 24) } : result;
    }
}
