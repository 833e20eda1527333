using Hv.Conformance.Ring0.Cases;

namespace Hv.Conformance.Ring0.Families;

/// <summary>A kind of cases, drawn from a seed.</summary>
public abstract class Family(string name, string about)
{
    /// <summary>The first part of its cases' names.</summary>
    public string Name { get; } = name;

    /// <summary>One line for a person.</summary>
    public string About { get; } = about;

    /// <summary>The tables that its expectations come from.</summary>
    public virtual IReadOnlyList<IRuleTable> Tables => [];

    /// <summary>Makes the case with this index; a family with a fixed list goes through it first.</summary>
    public abstract Ring0Case Make(CaseRandom random, int index);
}
