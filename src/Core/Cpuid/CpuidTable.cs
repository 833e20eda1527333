using System.Runtime.CompilerServices;
using Hv.Core.Composition;

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
    private static readonly Answer s_absent = new(default);

    // By leaf above subleaf; a leaf that does not look at ECX has every subleaf.
    private readonly RangeTable<Answer> _table;

    /// <summary>Makes a table of <paramref name="entries"/>; a later row replaces an earlier one of the same leaf and subleaf. A leaf with any row
    /// that names a subleaf looks at ECX; its row without one is then subleaf 0.</summary>
    public CpuidTable(IEnumerable<CpuidEntry> entries)
    {
        CpuidEntry[] given = [.. entries];
        Entries = given;
        var rows = new List<RangeTable<Answer>.Row>(given.Length);
        foreach (CpuidEntry entry in given)
        {
            ulong first = KeyOf(entry.Leaf, entry.Subleaf ?? 0);
            ulong last = HasSubleaves(given, entry.Leaf) ? first : KeyOf(entry.Leaf, uint.MaxValue);
            for (int at = rows.Count - 1; at >= 0; at--)
            {
                if (rows[at].First == first)
                    rows.RemoveAt(at);
            }

            rows.Add(new(first, last, new Answer(entry.Result)));
        }

        _table = new("CPUID leaf and subleaf", rows);
    }

    /// <summary>The rows, in the order given.</summary>
    public IReadOnlyList<CpuidEntry> Entries { get; }

    /// <summary>The answer to a query; zeros where there is no row.</summary>
    public CpuidResult Query(uint leaf, uint subleaf) => Find(leaf, subleaf);

    /// <summary>As <see cref="Query(uint, uint)"/>, where the answer is kept.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal ref readonly CpuidResult Find(uint leaf, uint subleaf) => ref (_table.Find(KeyOf(leaf, subleaf)) ?? s_absent).Result;

    /// <summary>Whether the answer to a leaf follows the vCPU, its CR4 or its XCR0.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static bool FollowsVcpu(uint leaf) => leaf is 1 or 0xD;

    /// <summary>As <see cref="Query(uint, uint)"/>, with what differs between the vCPUs of a machine (SDM 2A CPUID): leaf 1 EBX[31:24], the initial
    /// APIC ID, is the vCPU's index; leaf 1 ECX[27] is CR4.OSXSAVE; leaf 0xD EBX is the size of the area for the state that XCR0 enables.</summary>
    /// <param name="leaf">EAX of the query.</param>
    /// <param name="subleaf">ECX of the query.</param>
    /// <param name="vcpu">The vCPU's index.</param>
    /// <param name="cr4">The vCPU's CR4; any value where the leaf does not follow it (<see cref="FollowsVcpu"/>).</param>
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

    private static bool HasSubleaves(CpuidEntry[] entries, uint leaf)
    {
        foreach (CpuidEntry entry in entries)
        {
            if (entry.Leaf == leaf && entry.Subleaf is not null)
                return true;
        }

        return false;
    }

    private sealed class Answer(CpuidResult result)
    {
        public readonly CpuidResult Result = result;
    }
}
