using System.Numerics;
using System.Runtime.CompilerServices;
using Hv.Backends.Vmx.Silicon.Fields;

namespace Hv.Backends.Vmx.Silicon.Entry;

/// <summary>The checks of VMLAUNCH and VMRESUME as a table, in the order in which the processor makes them (SDM 3C 27.2, 27.3.1).</summary>
public static partial class EntryRules
{
    private static readonly EntryRule[] s_all =
        [.. ExecutionControls(), .. ExitControls(), .. EntryControls(), .. HostState(), .. GuestRegisterRules(), .. GuestSegments(), .. GuestOther()];

    // The rules to run when fields of just one group were written, which is the usual entry.
    private static readonly EntryRule[][] s_byGroup =
        [.. Enumerable.Range(0, BitOperations.PopCount((uint)VmcsGroup.All)).Select(bit => s_all.Where(rule =>
            ((int)rule.Reads >> bit & 1) != 0).ToArray())];

    /// <summary>All rules.</summary>
    public static ReadOnlySpan<EntryRule> All => s_all;

    /// <summary>Whether every rule that reads one of the groups holds for a reason that needs no look at the rules. The usual entry moved RIP alone,
    /// and a RIP below 4 GiB holds both of its rules in every mode.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool Hold(Vmcs vmcs, VmcsGroup written) =>
        written == VmcsGroup.None || (written == VmcsGroup.Rip && vmcs[VmcsField.GuestRip] <= uint.MaxValue);

    /// <summary>The first rule that refuses entry, or null.</summary>
    /// <param name="context">The VMCS and what surrounds it.</param>
    /// <param name="written">The groups written since the last successful entry: only rules that read one of them are run.</param>
    public static EntryRule? FirstBroken(EntryContext context, VmcsGroup written)
    {
        ReadOnlySpan<EntryRule> rules = BitOperations.IsPow2((uint)written) ? s_byGroup[BitOperations.TrailingZeroCount((uint)written)] : s_all;
        foreach (EntryRule rule in rules)
        {
            if ((rule.Reads & written) != 0 && !rule.Holds(context))
                return rule;
        }

        return null;
    }

    private static EntryRule Control(string section, string name, VmcsField field, Func<EntryContext, bool> holds, VmcsGroup also = VmcsGroup.None) =>
        new(section, name, field, VmcsGroup.Controls | also, EntryRefusal.Controls, holds);

    private static EntryRule Host(string section, string name, VmcsField field, Func<EntryContext, bool> holds) =>
        new(section, name, field, VmcsGroup.Host | VmcsGroup.Controls, EntryRefusal.HostState, holds);

    private static EntryRule Guest(string section, string name, VmcsField field, VmcsGroup reads, Func<EntryContext, bool> holds) =>
        new(section, name, field, reads, EntryRefusal.GuestState, holds);
}
