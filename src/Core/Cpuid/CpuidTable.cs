using System.Runtime.InteropServices;

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
    private readonly Dictionary<ulong, CpuidResult> _rows;
    private readonly HashSet<uint> _indexed;

    /// <summary>Makes a table of <paramref name="entries"/>; a later row replaces an earlier one of the same leaf and subleaf.</summary>
    public CpuidTable(IEnumerable<CpuidEntry> entries)
    {
        Entries = [.. entries];
        _rows = [];
        _indexed = [];
        foreach (CpuidEntry entry in Entries)
        {
            _rows[Key(entry.Leaf, entry.Subleaf ?? 0)] = entry.Result;
            if (entry.Subleaf is not null)
                _indexed.Add(entry.Leaf);
        }
    }

    /// <summary>The rows, in the order given.</summary>
    public IReadOnlyList<CpuidEntry> Entries { get; }

    /// <summary>The answer to a query.</summary>
    public CpuidResult Query(uint leaf, uint subleaf)
    {
        ref readonly CpuidResult row = ref CollectionsMarshal.GetValueRefOrNullRef(_rows, Key(leaf, _indexed.Contains(leaf) ? subleaf : 0));
        return System.Runtime.CompilerServices.Unsafe.IsNullRef(in row) ? default : row;
    }

    private static ulong Key(uint leaf, uint subleaf) => ((ulong)leaf << 32) | subleaf;
}
