using Hv.Backends.Vmx.Silicon.Fields;

namespace Hv.Backends.Vmx.Tests.Entry;

/// <summary>A rule with a state just inside it and one just outside, each as changes to the fixture's VMCS.</summary>
/// <param name="Rule">The rule's name.</param>
/// <param name="Inside">Changes after which entry succeeds.</param>
/// <param name="Outside">Changes after which the rule refuses.</param>
internal sealed record EntryRuleCase(string Rule, (VmcsField Field, ulong Value)[] Inside, (VmcsField Field, ulong Value)[] Outside)
{
    /// <summary>Whether the host runs in IA-32e mode, inside and outside.</summary>
    public bool InsideLongMode { get; init; } = true;

    /// <summary>As <see cref="InsideLongMode"/>.</summary>
    public bool OutsideLongMode { get; init; } = true;
}
