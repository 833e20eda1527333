using System.Globalization;
using Hv.Backends.Vmx.Silicon.Fields;

namespace Hv.Backends.Vmx.Silicon.Entry;

/// <summary>What the processor does when an entry check fails.</summary>
public enum EntryRefusal : byte
{
    /// <summary>VMfailValid 7 (SDM 3C 27.2.1).</summary>
    Controls,

    /// <summary>VMfailValid 8 (SDM 3C 27.2.2 to 27.2.4).</summary>
    HostState,

    /// <summary>A VM exit with basic reason 33 (SDM 3C 27.8).</summary>
    GuestState,
}

/// <summary>The exit qualification of a refusal for guest state (SDM 3C 27.8).</summary>
public enum GuestStateQualification : byte
{
    Other = 0,
    PdpteLoading = 2,
    NmiInjection = 3,
    VmcsLinkPointer = 4,
}

/// <summary>One entry check.</summary>
/// <param name="Section">Where the SDM, volume 3C, states it.</param>
/// <param name="Name">What must hold, unique among the rules.</param>
/// <param name="Field">The field that breaks it.</param>
/// <param name="Reads">The groups of fields that the check depends on.</param>
/// <param name="Refusal">What a failure does.</param>
/// <param name="Holds">The check: true where entry may go on.</param>
public sealed record EntryRule(string Section, string Name, VmcsField Field, VmcsGroup Reads, EntryRefusal Refusal, Func<EntryContext, bool> Holds)
{
    /// <summary>For <see cref="EntryRefusal.GuestState"/>.</summary>
    public GuestStateQualification Qualification { get; init; }

    /// <summary>One line for a person: the field, its value, the rule and where the manual states it.</summary>
    public string Explain(EntryContext context) => string.Create(CultureInfo.InvariantCulture,
        $"VM entry refused: {VmcsFieldTable.NameOf(Field)} ({(uint)Field:X4}H) = 0x{context[Field]:x}: SDM 3C {Section} \"{Name}\"");
}
